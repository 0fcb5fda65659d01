//! When the kernel has what was queued, and when nobody can say so any more.

use super::*;

fn watching(config: Config) -> (Bench, ConnectionId) {
    let mut bench = Bench::new(config);
    let id = bench.accept(None);
    bench.send(id, b"\n");
    bench.seen.clear();
    bench.reads = false;
    bench.send(id, b"watch\n");
    (bench, id)
}

fn take(bench: &mut Bench, id: ConnectionId, bytes: usize) {
    bench.engine.sent(bench.now, id, bytes, &mut bench.out);
    bench.drive(&mut []);
}

fn told(bench: &Bench) -> usize {
    bench.engine.handler().sent
}

#[test]
fn it_is_told_with_the_last_byte_and_not_before() {
    for step in 1..=9 {
        let (mut bench, id) = watching(Config::default());
        let mut left = bench.engine.queued_bytes(id);
        // What is queued later does not delay it.
        bench.send(id, b"later\n");
        while left > 0 {
            assert_eq!(told(&bench), 0, "{left} bytes left, in steps of {step}");
            take(&mut bench, id, step.min(left));
            left -= step.min(left);
        }
        assert_eq!(told(&bench), 1);
        let rest = bench.engine.queued_bytes(id);
        assert_eq!(rest, "later\n".len());
        take(&mut bench, id, rest);
        assert_eq!(told(&bench), 1, "once");
        assert!(bench.engine.connections.get(id).is_some_and(|found| found.rare().is_none()));
    }
}

#[test]
fn it_is_told_when_ciphertext_is_gone_too() {
    let (mut bench, id) = watching(Config::default());
    let left = bench.engine.queued_bytes(id);
    bench.engine.sealed(bench.now, id, left + 30, &mut bench.out);
    take(&mut bench, id, left);
    bench.engine.sealed(bench.now, id, 1, &mut bench.out);
    bench.drive(&mut []);
    assert_eq!(told(&bench), 0);
    bench.engine.sealed(bench.now, id, 0, &mut bench.out);
    bench.drive(&mut []);
    assert_eq!(told(&bench), 1);
}

#[test]
fn what_was_given_up_was_not_sent() {
    let (mut bench, id) = watching(Config { outbox_bytes: 600, ..Config::default() });
    bench.send(id, b"flood\n");
    bench.reads = true;
    bench.out.list.push(Output::Transmit(id));
    bench.drive(&mut []);
    assert_eq!((bench.seen().as_str(), told(&bench)), ("bye 4101\n", 0));
}

#[test]
fn an_empty_queue_is_with_the_kernel_already() {
    let mut bench = Bench::new(Config::default());
    let id = bench.accept(None);
    bench.send(id, b"\n");
    bench.send(id, b"watch\n");
    assert_eq!((bench.seen().as_str(), told(&bench)), ("hello\n\nwatched\n", 1));
}
