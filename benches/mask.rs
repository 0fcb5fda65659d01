//! Masking (RFC 6455 §5.3) of short and long payloads. `cargo bench --bench mask`.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use stentor::protocol::websocket::mask;

fn mask(c: &mut Criterion) {
    let mut group = c.benchmark_group("mask");
    for length in [16, 136, 1024, 65_536] {
        let mut bytes = vec![0x61; length];
        group.throughput(Throughput::Bytes(length as u64));
        group.bench_function(BenchmarkId::from_parameter(length), |b| {
            b.iter(|| mask::apply(black_box(&mut bytes), [0x37, 0xfa, 0x21, 0x3d]));
        });
    }
}

criterion_group!(benches, mask);
criterion_main!(benches);
