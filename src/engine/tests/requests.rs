//! HTTP requests on connections that are kept.

use super::*;

#[test]
fn the_time_for_a_request_runs_from_its_first_byte() {
    let mut bench = Bench::new(Config::default());
    let id = bench.accept(None);
    bench.send(id, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    bench.pass(Duration::from_secs(60));
    bench.seen.clear();
    bench.send(id, b"GET / HTTP/1.1\r\n");
    bench.pass(Duration::from_secs(9));
    assert_eq!(bench.seen(), "", "not as if it had begun with the connection");
    bench.pass(Duration::from_secs(2));
    assert!(bench.seen().starts_with("HTTP/1.1 408 "), "not when the connection is idle for long");
}

#[test]
fn who_takes_a_little_and_then_nothing_more_is_closed_in_time() {
    for (taken, closed) in [(0, true), (80, true), (150, false)] {
        let mut bench = Bench::new(Config { outbox_soft_bytes: 200, ..Config::default() });
        let id = bench.accept(None);
        bench.reads = false;
        bench.send(id, &b"GET / HTTP/1.1\r\nHost: a\r\n\r\n".repeat(3));
        assert_eq!(bench.ended, ["pause"]);
        let over = bench.engine.queued_bytes(id);
        assert!((201..280).contains(&over), "{over} bytes");
        bench.engine.sent(bench.now, id, taken, &mut bench.out);
        bench.drive(&mut []);
        bench.pass(Duration::from_secs(16));
        assert_eq!(bench.engine.is_empty(), closed, "{taken} of {over} bytes taken");
    }
}
