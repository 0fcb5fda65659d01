//! Random scripts of broadcasts and other effects, given in one piece and one by one.

use std::convert::Infallible;
use std::time::Duration;

use crate::base::id::{ConnectionId, LoopId};
use crate::base::now::Now;
use crate::base::rng::Rng;
use crate::engine::{Accepted, Config, Engine, Input, Outputs};
use crate::handler::{Class, Close, Context, Door, Handler, Message, Opening, Peer, Segment, Tag};
use crate::metrics::Registry;
use crate::protocol::websocket::{Opcode, encoder};

const EVERYONE: usize = 5;
const EVENT: Tag = Tag { channel: 1, offset: 1, class: Class::Kick };

/// Does what each line says: a letter for what, a digit for whom.
#[derive(Debug, Default)]
struct Script {
    all: Vec<ConnectionId>,
}

impl Handler for Script {
    type Job = Infallible;
    type Done = Infallible;
    type Peer = Infallible;
    type Timer = Infallible;

    fn open(&mut self, _: &mut Context<'_, Self>, id: ConnectionId, _: &Opening) {
        self.all.push(id);
    }

    fn message(&mut self, cx: &mut Context<'_, Self>, id: ConnectionId, message: Message<'_>) {
        let [what, whom, ..] = *message.bytes else { return };
        let whom = self.all[usize::from(whom - b'0') % self.all.len()];
        let mut draft = cx.draft();
        draft.payload().extend_from_slice(message.bytes);
        let frame = draft.finish(Opcode::Text);
        match what {
            b'a' => cx.broadcast(&self.all, None, frame, EVENT),
            b'o' => cx.broadcast(&self.all, Some(whom), frame, EVENT),
            b's' => cx.broadcast(&self.all, None, frame.share(), EVENT),
            b't' => cx.send(whom, Segment::Own(frame), Tag::REPLY),
            b'e' => cx.send(id, Segment::Lent(0..message.bytes.len()), Tag::REPLY),
            b'c' => cx.close(whom, Close::new(4000, "as the script says")),
            b'f' => cx.finish(whom),
            b'n' => cx.broadcast(&[], None, frame, EVENT),
            _ => cx.recycle(frame),
        }
    }

    fn closed(&mut self, cx: &mut Context<'_, Self>, id: ConnectionId) {
        let mut draft = cx.draft();
        draft.payload().extend_from_slice(b"gone");
        let frame = draft.finish(Opcode::Text);
        cx.broadcast(&self.all, Some(id), frame, EVENT);
    }
}

/// What each connection is sent in the end; who is first speaks, by line or by frame.
fn played(script: &[Vec<u8>], door: Door, at_once: bool, outbox_bytes: usize) -> Vec<Vec<u8>> {
    let now = Now { monotonic: Duration::from_secs(1), unix_ms: 0 };
    let config = Config { outbox_bytes, ..Config::default() };
    let mut engine = Engine::new(config, LoopId(0), 1, Script::default(), &Registry::new());
    let mut out = Outputs::default();
    let mut seen = vec![Vec::new(); EVERYONE];
    let all: Vec<ConnectionId> = (0..EVERYONE)
        .map(|place| {
            let peer = Peer::from(std::net::SocketAddr::from(([192, 0, 2, 1], 1)));
            let id = engine.accept(now, Accepted { peer, refused: None }, &mut out);
            let lines = (place == 0) == (door == Door::Lines);
            let mut hello = if lines { b"{}\n".to_vec() } else { UPGRADE.to_vec() };
            let input = Input::Received { connection: id, bytes: &mut hello };
            engine.input(now, input, &mut out);
            engine.sent(now, id, engine.queued_bytes(id), &mut out);
            out = Outputs::default();
            id
        })
        .collect();
    let framed = |line: &Vec<u8>| match door {
        Door::Lines => [line, &b"\n"[..]].concat(),
        Door::WebSocket => {
            let mut frame = Vec::new();
            encoder::encode_masked_into(&mut frame, Opcode::Text, line, [1, 2, 3, 4]);
            frame
        }
    };
    let framed: Vec<Vec<u8>> = script.iter().map(framed).collect();
    let pieces = if at_once { vec![framed.concat()] } else { framed };
    for mut piece in pieces {
        let input = Input::Received { connection: all[0], bytes: &mut piece };
        engine.input(now, input, &mut out);
        if let Some(lent) = out.lent.take() {
            // The kernel takes none of it now.
            engine.refused(all[0], &piece[lent]);
        }
        out.list.clear();
        engine.check_invariants();
    }
    for (id, seen) in all.iter().zip(&mut seen) {
        seen.extend(engine.queued(*id).flatten());
    }
    seen
}

const UPGRADE: &[u8] =
    b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

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
        let letters: &[u8] = if round % 2 == 0 { b"aaaaoost" } else { b"aaosteecfn" };
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
