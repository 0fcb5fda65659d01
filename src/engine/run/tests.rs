//! Random scripts of broadcasts and other effects, given in one piece and one by one.

use crate::base::rng::Rng;
use crate::engine::laws::played;
use crate::handler::Door;

const EVERYONE: usize = 5;

fn script(rng: &mut Rng, letters: &[u8]) -> Vec<Vec<u8>> {
    let length = 1 + rng.below(30);
    let line = |number| {
        let what = letters[rng.below(letters.len() as u64) as usize];
        let whom = b'0' + rng.below(EVERYONE as u64) as u8;
        [&[what, whom][..], format!(" {number}").as_bytes()].concat()
    };
    (0..length).map(line).collect()
}

#[test]
fn what_is_gathered_arrives_as_if_it_had_not_been() {
    let mut rng = Rng::new(7);
    for round in 0..400 {
        // Long runs first, then everything that may interrupt them.
        let letters: &[u8] = match round % 4 {
            0 => b"aaaaoost",
            1 => b"aaaaxoost",
            _ => b"aaosteecfnx",
        };
        let script = script(&mut rng, letters);
        for door in [Door::Lines, Door::WebSocket] {
            let gathered = played(&script, door, true, 1 << 20);
            let single = played(&script, door, false, 1 << 20);
            let text: Vec<_> = script.iter().map(|line| String::from_utf8_lossy(line)).collect();
            for place in 0..EVERYONE {
                let [gathered, single] = [&gathered, &single].map(|all| all[place].escape_ascii());
                assert_eq!(
                    gathered.to_string(),
                    single.to_string(),
                    "round {round}, {door:?}, {place}: {text:?}"
                );
            }
        }
    }
}

#[test]
fn a_queue_without_room_for_a_run_is_a_slow_consumer() {
    let script: Vec<Vec<u8>> = (0..30).map(|n| format!("o0 {n:50}").into_bytes()).collect();
    let seen = played(&script, Door::WebSocket, true, 600);
    // An empty queue takes anything, so the first run fits; the next one does not.
    let more = [script.clone(), vec![b"t1 between".to_vec()], script].concat();
    let closed = played(&more, Door::WebSocket, true, 600);
    for place in 1..EVERYONE {
        assert_eq!(seen[place].iter().filter(|byte| **byte == b'\n').count(), 30);
        assert!(closed[place].len() < seen[place].len(), "{place} is closed: its queue is cleared");
    }
}

#[test]
fn a_long_run_is_cut() {
    let long: Vec<Vec<u8>> = (0..40).map(|n| format!("a0 {n:4000}").into_bytes()).collect();
    let expected: usize = long.iter().map(|line| line.len() + 1).sum();
    let seen = played(&long, Door::WebSocket, true, 1 << 20);
    assert_eq!(seen[1].len(), expected);
}

/// Found by the simulator.
#[test]
fn behind_what_found_no_room_comes_nothing_but_the_close_frame() {
    let long = format!("a0 {}", "x".repeat(200));
    let script: Vec<Vec<u8>> =
        ["t2 first", &long, "o1 third"].iter().map(|line| line.as_bytes().to_vec()).collect();
    for door in [Door::Lines, Door::WebSocket] {
        let [roomy, narrow] = [1 << 20, 100].map(|room| played(&script, door, true, room));
        let has = |bytes: &[u8], what: &str| String::from_utf8_lossy(bytes).contains(what);
        assert!(has(&roomy[2], "xxx") && has(&roomy[2], "third"), "{door:?}: it is for this one");
        assert!(!has(&narrow[2], "xxx") && !has(&narrow[2], "third"), "{door:?}");
        // Who is not the first speaks by the other door, and lines end without a word.
        assert_eq!(has(&narrow[2], "slow consumer"), door == Door::Lines, "{door:?}");
    }
}

#[test]
fn who_asked_for_it_is_sent_something_else_and_nobody_else_is() {
    let script: Vec<Vec<u8>> =
        ["a0 text", "x1", "x3", "a0 one", "a0 two", "s0 three", "t1 own", "t2 own"]
            .iter()
            .map(|line| line.as_bytes().to_vec())
            .collect();
    for at_once in [true, false] {
        let seen = played(&script, Door::Lines, at_once, 1 << 20);
        for (place, seen) in seen.iter().enumerate().skip(1) {
            let said = |opcode: u8, text: &str| {
                let header = [0x80 | opcode, text.len() as u8];
                [&header, text.as_bytes()].concat()
            };
            let expected: Vec<Vec<u8>> = match place {
                1 => vec![
                    said(1, "a0 text"),
                    said(2, "~a0 one"),
                    said(2, "~a0 two"),
                    said(2, "~s0 three"),
                    said(2, "~t1 own"),
                ],
                3 => vec![
                    said(1, "a0 text"),
                    said(2, "~a0 one"),
                    said(2, "~a0 two"),
                    said(2, "~s0 three"),
                ],
                2 => vec![
                    said(1, "a0 text"),
                    said(1, "a0 one"),
                    said(1, "a0 two"),
                    said(1, "s0 three"),
                    said(1, "t2 own"),
                ],
                _ => vec![
                    said(1, "a0 text"),
                    said(1, "a0 one"),
                    said(1, "a0 two"),
                    said(1, "s0 three"),
                ],
            };
            assert_eq!(*seen, expected.concat(), "{place}");
        }
    }
}

#[test]
fn what_cannot_be_said_in_the_other_language_is_not_sent_there() {
    let script: Vec<Vec<u8>> =
        ["x1", "a0 ?", "t1 ?", "a0 !"].iter().map(|line| line.as_bytes().to_vec()).collect();
    let seen = played(&script, Door::Lines, true, 1 << 20);
    assert_eq!(seen[1], b"\x82\x05~a0 !");
    assert_eq!(seen[2], b"\x81\x04a0 ?\x81\x04a0 !");
}
