//! Scripts of broadcasts and other effects, given in one piece and one by one.

use std::time::Duration;

use super::stage::{Script, UPGRADE};
use crate::base::id::{ConnectionId, LoopId};
use crate::base::now::Now;
use crate::engine::{Accepted, Config, Engine, Input, Outputs};
use crate::handler::{Door, Peer};
use crate::metrics::Registry;
use crate::protocol::websocket::{Opcode, encoder};

/// How many connections there are.
const EVERYONE: usize = 5;
/// What a queue holds: more than a script makes of it.
const ROOM: usize = 1 << 22;

/// What is gathered arrives as if it had not been: each connection is sent the same bytes in the same
/// order, whether its peers' messages are read at once or one by one.
///
/// Input: an octet for the door of who speaks, then a line of the script in two: what, and whom.
///
/// # Panics
///
/// When the law is broken.
pub fn broadcast(data: &[u8]) {
    law(data, played);
}

/// How the law plays a script: [`played`], or something planted to see the law fail.
type Play = fn(&[Vec<u8>], Door, bool, usize) -> Vec<Vec<u8>>;

fn law(data: &[u8], play: Play) {
    let [door, steps @ ..] = data else { return };
    let door = if door & 1 == 0 { Door::Lines } else { Door::WebSocket };
    let script = script(steps);
    let gathered = play(&script, door, true, ROOM);
    let single = play(&script, door, false, ROOM);
    for (place, (gathered, single)) in gathered.iter().zip(&single).enumerate() {
        assert_eq!(
            gathered.escape_ascii().to_string(),
            single.escape_ascii().to_string(),
            "{door:?}, connection {place} is sent something else when all is read at once"
        );
    }
}

fn script(steps: &[u8]) -> Vec<Vec<u8>> {
    const LETTERS: &[u8; 16] = b"aaaaxoosstteecfn";
    let line = |(number, step): (usize, &[u8])| {
        let what = LETTERS[usize::from(step[0] & 0x0f)];
        let whom = b'0' + step[1] % EVERYONE as u8;
        // Short ones and long ones, so that a run is now and then cut by its size.
        let width = if step[0] >= 0xf0 { 20_000 } else { usize::from(step[0] >> 4) };
        [&[what, whom][..], format!(" {number:width$}").as_bytes()].concat()
    };
    steps.chunks_exact(2).take(64).enumerate().map(line).collect()
}

/// What each connection is sent in the end; who is first speaks, by line or by frame.
pub(in crate::engine) fn played(
    script: &[Vec<u8>],
    door: Door,
    at_once: bool,
    outbox_bytes: usize,
) -> Vec<Vec<u8>> {
    let now = Now { monotonic: Duration::from_secs(1), unix_ms: 0 };
    let message_bytes = 32 * 1024;
    // Nobody is throttled: a queue is not judged in the middle of what is read at once.
    let outbox_soft_bytes = ROOM;
    let config = Config { outbox_bytes, outbox_soft_bytes, message_bytes, ..Config::default() };
    let handler = Script { farewell: true, ..Script::default() };
    let mut engine = Engine::new(config, LoopId(0), 1, handler, &Registry::new());
    let mut out = Outputs::default();
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
    let framed: Vec<Vec<u8>> = script.iter().map(|line| framed(door, line)).collect();
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
    all.iter().map(|id| engine.queued(*id).flatten().copied().collect()).collect()
}

/// A message as a client says it by this door.
pub(super) fn framed(door: Door, message: &[u8]) -> Vec<u8> {
    match door {
        Door::Lines => [message, b"\n"].concat(),
        Door::WebSocket => {
            let mut frame = Vec::new();
            encoder::encode_masked_into(&mut frame, Opcode::Text, message, [1, 2, 3, 4]);
            frame
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "is sent something else")]
    fn an_engine_that_reorders_what_it_gathers_breaks_the_law() {
        let steps = [1, 0, 0, 9, 1, 9, 2, 0, 0];
        broadcast(&steps);
        law(&steps, |script, door, at_once, outbox_bytes| {
            let mut script = script.to_vec();
            if at_once {
                script.reverse();
            }
            played(&script, door, at_once, outbox_bytes)
        });
    }
}
