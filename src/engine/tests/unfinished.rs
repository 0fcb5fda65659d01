//! Messages that begin and do not end.

use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// Two machines that speak, one by each door, with the first bytes of a message of each.
fn doors() -> [(Bench, ConnectionId, Vec<u8>); 2] {
    let mut lines = Bench::new(Config::default());
    let line = lines.accept(None);
    lines.send(line, b"hi\n");
    let mut frames = Bench::new(Config::default());
    let frame = frames.accept(None);
    frames.send(frame, UPGRADE);
    [(lines, line, b"par".to_vec()), (frames, frame, vec![0x01, 0x80, 0, 0, 0, 0])]
}

fn is_told_so(bench: &mut Bench) -> bool {
    let text = String::from_utf8_lossy(&bench.seen).into_owned();
    text.contains("bye 1008") || text.contains("\u{3}\u{fffd}a message took too long")
}

#[test]
fn a_message_has_its_time_from_the_first_byte_on() {
    for (mut bench, id, begin) in doors() {
        bench.pass(20 * SECOND);
        bench.send(id, &begin);
        bench.pass(29 * SECOND);
        assert!(!is_told_so(&mut bench), "not before its time");
        bench.pass(2 * SECOND);
        assert!(is_told_so(&mut bench), "{:?}", bench.seen());
        assert_eq!(bench.engine.metrics.message_timeouts.get_at(()), 1);
    }
}

#[test]
fn neither_a_byte_now_and_then_nor_a_ping_gives_more_time() {
    for (mut bench, id, begin) in doors() {
        bench.send(id, &begin);
        for n in 0..6 {
            assert!(!is_told_so(&mut bench), "not before its time: {n}");
            bench.pass(5 * SECOND);
            let more = match begin.len() {
                3 => b"x".to_vec(),
                _ if n % 2 == 0 => masked(Opcode::Ping, b"still here"),
                _ => vec![0x00, 0x80, 0, 0, 0, 0],
            };
            bench.send(id, &more);
        }
        bench.pass(SECOND);
        assert!(is_told_so(&mut bench), "{:?}", bench.seen());
    }
}

#[test]
fn each_message_has_a_time_of_its_own() {
    for (mut bench, id, begin) in doors() {
        bench.send(id, &begin);
        for _ in 0..20 {
            bench.pass(20 * SECOND);
            let end: &[u8] = if begin.len() == 3 { b"\n" } else { &[0x80, 0x80, 0, 0, 0, 0] };
            // The end of one and the beginning of the next, in one piece.
            bench.send(id, &[end, &begin].concat());
        }
        assert!(!is_told_so(&mut bench), "{:?}", bench.seen());
        bench.pass(31 * SECOND);
        assert!(is_told_so(&mut bench));
    }
}

#[test]
fn silence_between_messages_and_while_we_do_not_listen_is_none_of_it() {
    let config = Config { dead_ms: 10_000_000, ..Config::default() };
    let mut bench = Bench::new(config);
    let id = bench.accept(None);
    bench.send(id, b"hi\n");
    bench.pass(1000 * SECOND);
    bench.send(id, b"par");
    bench.send(id, b"t\n");
    bench.pass(1000 * SECOND);
    // The handler does not listen for a second; what came behind waits.
    bench.send(id, b"wait\npar");
    bench.pass(30 * SECOND);
    assert!(!is_told_so(&mut bench), "its time begins when we listen");
    bench.pass(2 * SECOND);
    assert!(is_told_so(&mut bench));
}

#[test]
fn a_person_on_this_machine_may_type() {
    let this = Peer::from(std::net::SocketAddr::from(([127, 0, 0, 1], 1)));
    let config = Config::default();
    assert_eq!(config.message_timeout_ms(this), 300_000);
    let set = Config { message_timeout_ms: Some(7), ..config };
    assert_eq!(set.message_timeout_ms(this), 7);
}

#[test]
fn who_is_being_closed_gets_no_more_time_by_beginning_messages() {
    let mut bench = Bench::new(Config::default());
    let id = bench.accept(None);
    bench.send(id, UPGRADE);
    bench.send(id, &masked(Opcode::Text, b"bye"));
    let part = masked(Opcode::Ping, b"whole in two reads");
    for _ in 0..5 {
        bench.pass(Duration::from_millis(900));
        bench.send(id, &part[..3]);
        bench.send(id, &part[3..]);
    }
    assert_eq!(bench.engine.len(), 1, "4.5 s are not 5 s");
    bench.send(id, &part[..3]);
    bench.pass(Duration::from_millis(600));
    assert!(bench.engine.is_empty());
}
