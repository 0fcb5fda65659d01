//! A buffer of masked frames to messages, where they lie. `cargo bench --bench decode`.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use stentor::protocol::websocket::{Decoder, Limits, Opcode, Role, encoder};
use stentor::protocol::{http, line};

const LIMITS: Limits = Limits { message_bytes: 1 << 20, parts_per_message: 1024 };

/// Unmasking again what was unmasked gives other bytes, of which a binary message may consist.
fn websocket(c: &mut Criterion) {
    let mut group = c.benchmark_group("decode/websocket");
    for (length, frames) in [(16, 1000), (136, 400), (65_536, 1)] {
        let mut wire = Vec::new();
        for _ in 0..frames {
            encoder::encode_masked_into(&mut wire, Opcode::Binary, &vec![1; length], [1, 2, 3, 4]);
        }
        let mut decoder = Decoder::new(Role::Server, LIMITS);
        group.throughput(Throughput::Elements(frames));
        group.bench_function(BenchmarkId::from_parameter(length), |b| {
            b.iter(|| {
                let (mut at, mut count) = (0, 0);
                while let Ok(Some(_)) = decoder.decode(black_box(&mut wire), &mut at) {
                    count += 1;
                }
                assert_eq!(count, frames);
            });
        });
    }
}

fn lines(c: &mut Criterion) {
    let wire = [&[b'a'; 135][..], b"\n"].concat().repeat(400);
    let mut decoder = line::Decoder::new(65_536);
    let mut group = c.benchmark_group("decode/line");
    group.throughput(Throughput::Elements(400));
    group.bench_function("136", |b| {
        b.iter(|| {
            let (mut at, mut count) = (0, 0);
            while let Ok(Some(_)) = decoder.decode(black_box(&wire), &mut at) {
                count += 1;
            }
            assert_eq!(count, 400);
        });
    });
}

fn request(c: &mut Criterion) {
    let wire = b"GET /ws HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\n\
        Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
        Origin: http://example.com\r\nSec-WebSocket-Version: 13\r\n\r\n";
    c.bench_function("decode/http_head", |b| {
        b.iter(|| {
            let mut decoder = http::Decoder::new(http::Limits::default());
            let event = decoder.decode(black_box(wire), &mut 0);
            assert_eq!(event, Ok(Some(http::Event::Request)));
            decoder
        });
    });
}

criterion_group!(benches, websocket, lines, request);
criterion_main!(benches);
