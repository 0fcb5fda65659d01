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
