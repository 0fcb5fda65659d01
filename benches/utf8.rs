//! Text messages (RFC 6455 §8.1) that come whole, and in fragments cut inside characters.
//! `cargo bench --bench utf8`.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use stentor::protocol::websocket::{Decoder, Limits, Opcode, Role, encoder};

/// Masked with zeros, so that decoding leaves the text as it is.
const KEY: [u8; 4] = [0; 4];

/// The frames of a text in parts of `part` bytes; in one when it is `usize::MAX`.
fn frames(text: &str, part: usize) -> Vec<u8> {
    let mut wire = Vec::new();
    let parts = text.len().div_ceil(part.min(text.len()));
    for (at, piece) in text.as_bytes().chunks(part.min(text.len())).enumerate() {
        let opcode = if at == 0 { Opcode::Text } else { Opcode::Continuation };
        let header =
            encoder::masked_header(opcode, at + 1 == parts, false, piece.len() as u64, KEY);
        wire.extend_from_slice(&header);
        wire.extend_from_slice(piece);
    }
    wire
}

fn text(c: &mut Criterion) {
    let mut group = c.benchmark_group("utf8");
    let limits = Limits { message_bytes: 1 << 20, parts_per_message: 1024 };
    let ascii = "a plain sentence. ".repeat(456);
    let mixed = "señales más útiles, ".repeat(356);
    let wide = "広い文字の文章。".repeat(341);
    for (name, text, part) in [
        ("ascii", &ascii, usize::MAX),
        ("mixed", &mixed, usize::MAX),
        ("wide", &wide, usize::MAX),
        ("wide_in_parts_of_100", &wide, 100),
    ] {
        let mut wire = frames(text, part);
        let mut decoder = Decoder::new(Role::Server, limits);
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(name, |b| {
            b.iter(|| {
                let event = decoder.decode(black_box(&mut wire), &mut 0);
                assert!(matches!(event, Ok(Some(_))));
            });
        });
    }
}

criterion_group!(benches, text);
criterion_main!(benches);
