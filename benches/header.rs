//! Headers of frames (RFC 6455 §5.2) in their three lengths. `cargo bench --bench header`.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use stentor::protocol::websocket::{Decoder, Limits, Opcode, Role, encoder};

const LENGTHS: [(&str, usize); 3] = [("7_bits", 100), ("16_bits", 1000), ("64_bits", 70_000)];

fn write(c: &mut Criterion) {
    let mut group = c.benchmark_group("header/write");
    for (name, length) in LENGTHS {
        group.bench_function(name, |b| {
            b.iter(|| encoder::header(Opcode::Text, true, false, black_box(length as u64)));
        });
    }
}

/// Only the header has come: it is parsed, and the decoder waits for the payload.
fn read(c: &mut Criterion) {
    let mut group = c.benchmark_group("header/read");
    let limits = Limits { message_bytes: 1 << 20, parts_per_message: 1024 };
    for (name, length) in LENGTHS {
        let mut frame = Vec::new();
        encoder::encode_masked_into(&mut frame, Opcode::Binary, &vec![0; length], [1, 2, 3, 4]);
        frame.truncate(frame.len() - length);
        group.bench_function(BenchmarkId::from_parameter(name), |b| {
            b.iter(|| {
                let mut decoder = Decoder::new(Role::Server, limits);
                assert!(decoder.decode(black_box(&mut frame), &mut 0).is_ok());
                decoder
            });
        });
    }
}

criterion_group!(benches, write, read);
criterion_main!(benches);
