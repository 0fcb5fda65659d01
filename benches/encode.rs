//! Messages to frames: re-framed where they lie, written for one, shared by many.
//! `cargo bench --bench encode`.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use stentor::protocol::frame::Draft;
use stentor::protocol::websocket::{Opcode, encoder};

const LENGTHS: [usize; 3] = [16, 136, 65_536];

/// What an echo does: the header is written in front of the payload, which stays where it is.
fn reframe(c: &mut Criterion) {
    let mut group = c.benchmark_group("encode/reframe");
    for length in LENGTHS {
        let mut bytes = vec![0x61; length + 14];
        group.bench_function(BenchmarkId::from_parameter(length), |b| {
            b.iter(|| encoder::reframe(black_box(&mut bytes), 14..14 + length, Opcode::Text));
        });
    }
}

/// What a reply does, in a buffer that is used again.
fn own(c: &mut Criterion) {
    let mut group = c.benchmark_group("encode/own");
    for length in LENGTHS {
        let payload = vec![0x61; length];
        let mut buffer = Vec::new();
        group.throughput(Throughput::Bytes(length as u64));
        group.bench_function(BenchmarkId::from_parameter(length), |b| {
            b.iter(|| {
                let mut draft = Draft::new(std::mem::take(&mut buffer));
                draft.payload().extend_from_slice(black_box(&payload));
                buffer = draft.finish(Opcode::Text).into_buffer();
            });
        });
    }
}

/// What a broadcast does once, however many receive it.
fn shared(c: &mut Criterion) {
    let mut group = c.benchmark_group("encode/shared");
    for length in LENGTHS {
        let mut draft = Draft::new(Vec::new());
        draft.payload().extend(std::iter::repeat_n(0x61, length));
        let frame = draft.finish(Opcode::Text);
        group.throughput(Throughput::Bytes(length as u64));
        group.bench_function(BenchmarkId::from_parameter(length), |b| {
            b.iter(|| black_box(&frame).share());
        });
    }
}

criterion_group!(benches, reframe, own, shared);
criterion_main!(benches);
