//! Silence: what is done about it, and what is not taken for it.

use super::*;

#[test]
fn silence_is_answered_by_its_deadline() {
    // Says nothing: 5 s from elsewhere.
    let mut bench = Bench::new(Config::default());
    let id = bench.accept(None);
    bench.pass(Duration::from_millis(4900));
    bench.send(id, b"G");
    bench.pass(Duration::from_millis(200));
    assert_eq!(bench.ended, ["closed"]);
    assert_eq!(bench.seen(), "");
    // Half a head: 408 at 10 s.
    let mut bench = Bench::new(Config::default());
    let id = bench.accept(None);
    bench.send(id, b"GET / HTTP/1.1\r\n");
    bench.pass(Duration::from_secs(11));
    assert!(bench.seen().starts_with("HTTP/1.1 408 "));
    // WebSocket: a ping at 30 s, dead at 90 s.
    let mut bench = Bench::new(Config::default());
    let id = bench.accept(None);
    bench.send(id, UPGRADE);
    bench.seen.clear();
    bench.pass(Duration::from_secs(31));
    assert_eq!(bench.seen, b"\x89\0");
    bench.pass(Duration::from_secs(60));
    assert!(bench.seen.windows(2).any(|code| code == 4102_u16.to_be_bytes()));
    // Lines: a word every 30 s, and never dead for saying nothing.
    let mut bench = Bench::new(Config::default());
    let id = bench.accept(None);
    bench.send(id, b"\n");
    bench.seen.clear();
    bench.pass(Duration::from_secs(301));
    assert_eq!(bench.seen(), "still there?\n".repeat(10));
    assert!(bench.ended.is_empty());
}

/// Tells a WebSocket that never speaks something each second, as the driver does, and answers its
/// pings if it is to; how many came in so many seconds, and whether it is still there.
fn listens(seconds: u32, short_way: bool, answers: bool) -> (usize, bool) {
    let mut bench = Bench::new(Config::default());
    let id = bench.accept(None);
    bench.send(id, UPGRADE);
    // Who spoke last is told what loops say.
    bench.send(id, &masked(Opcode::Text, b"me"));
    let mut pings = 0;
    for _ in 0..seconds {
        bench.seen.clear();
        bench.reads = !short_way;
        let input = Input::Peer { from: LoopId(0), message: "news" };
        bench.engine.input(bench.now, input, &mut bench.out);
        bench.drive(&mut []);
        if short_way {
            let went = bench.engine.offer(bench.now, id, |bytes| Ok::<_, ()>(bytes.len()));
            assert_eq!(went.is_some(), bench.ended.is_empty());
        }
        bench.reads = true;
        bench.pass(Duration::from_secs(1));
        if bench.seen.windows(2).any(|bytes| bytes == b"\x89\0") {
            pings += 1;
            if answers {
                bench.send(id, &masked(Opcode::Pong, b""));
            }
        }
        if bench.seen.windows(2).any(|code| code == 4102_u16.to_be_bytes()) {
            return (pings, false);
        }
    }
    (pings, bench.ended.is_empty())
}

#[test]
fn who_only_listens_is_pinged_however_much_it_is_told() {
    for short_way in [false, true] {
        assert_eq!(listens(301, short_way, true), (9, true), "alive for five minutes");
        assert_eq!(
            listens(301, short_way, false),
            (2, false),
            "and dead after 90 s without a word"
        );
    }
}
