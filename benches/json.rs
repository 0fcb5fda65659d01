//! JSON of clients to requests, replies and events to JSON. `cargo bench --bench json`.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use stentor::codec::json::{Event, decode, event_payload, reply_raw};
use stentor::message::client::{Request, Verb};

/// 136 bytes, as a client of a busy channel sends them.
const PUBLISH: &str = r#"{"type":"publish","request_id":"7f3a","channel":"public:news","payload":{"n":12345,"text":"a line of news as it comes","at":"2025-01-01"}}"#;

fn read(c: &mut Criterion) {
    let mut group = c.benchmark_group("json/decode");
    let examples = [Verb::Ping, Verb::Message, Verb::Subscribe, Verb::Login];
    let examples = examples.map(|verb| (verb.word(), verb.example()));
    for (name, text) in examples.into_iter().chain([("publish", PUBLISH)]) {
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(name, |b| {
            b.iter(|| {
                let (decoded, rest) = decode(black_box(text));
                assert!(decoded.is_ok() && rest.is_empty());
            });
        });
    }
}

fn write(c: &mut Criterion) {
    let mut out = Vec::new();
    c.bench_function("json/reply", |b| {
        b.iter(|| {
            out.clear();
            reply_raw(&mut out, "publish", Some("\"7f3a\""), black_box("{\"offset\":7}"));
        });
    });
    let (Ok(decoded), _) = decode(PUBLISH) else { panic!("the example is refused") };
    let Request::Publish(publish) = decoded.request else { panic!("the example is no publish") };
    c.bench_function("json/event", |b| {
        let head = Event { word: "publication", ..Event::default() };
        b.iter(|| {
            out.clear();
            event_payload(&mut out, black_box(&head), &publish.payload);
        });
    });
}

criterion_group!(benches, read, write);
criterion_main!(benches);
