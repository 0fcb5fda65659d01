//! An engine driven by hand: bytes and the time in, bytes and requests out. The handler numbers the
//! lines of a client; then a minute passes in no time, and an idle line is asked whether it is there.
//!
//! `cargo run --no-default-features --example engine`

use std::convert::Infallible;
use std::io::{Result, Write, stdout};
use std::time::Duration;

use stentor::base::{id::ConnectionId, id::LoopId, now::Now};
use stentor::engine::{Accepted, Config, Engine, Input, Outputs};
use stentor::handler::{Context, Handler, Message, Peer, Segment, Tag};
use stentor::metrics::Registry;
use stentor::protocol::websocket::Opcode;

struct Numbers(u32);

fn say(cx: &mut Context<'_, Numbers>, to: ConnectionId, text: &str) {
    let mut draft = cx.draft();
    draft.payload().extend_from_slice(text.as_bytes());
    cx.send(to, Segment::Own(draft.finish(Opcode::Text)), Tag::REPLY);
}

impl Handler for Numbers {
    type Job = Infallible;
    type Done = Infallible;
    type Peer = Infallible;
    type Timer = Infallible;

    fn message(&mut self, cx: &mut Context<'_, Self>, from: ConnectionId, message: Message<'_>) {
        self.0 += 1;
        say(cx, from, &format!("{}: {}", self.0, message.bytes.escape_ascii()));
    }

    fn idle(&mut self, cx: &mut Context<'_, Self>, connection: ConnectionId) {
        say(cx, connection, "are you there?");
    }
}

fn main() -> Result<()> {
    let mut now = Now { monotonic: Duration::ZERO, unix_ms: 1_700_000_000_000 };
    let mut engine = Engine::new(Config::default(), LoopId(0), 7, Numbers(0), &Registry::new());
    let mut out = Outputs::default();
    let accepted = Accepted { peer: Peer::LOCAL, refused: None };
    let client = engine.accept(now, accepted, &mut out);
    let mut bytes = *b"one\ntwo\n"; // in a program: read from a socket
    engine.input(now, Input::Received { connection: client, bytes: &mut bytes }, &mut out);
    while let Some(deadline) = engine.next_deadline().filter(|at| at.as_secs() < 61) {
        // In a program: do what `out.list` says; here it only says that there are bytes.
        let sent: Vec<u8> = engine.queued(client).flatten().copied().collect();
        if !sent.is_empty() {
            writeln!(stdout(), "{:.1?} {}", now.monotonic, sent.escape_ascii())?;
        }
        engine.sent(now, client, sent.len(), &mut out);
        now.monotonic = deadline;
        engine.input(now, Input::Time, &mut out);
    }
    Ok(())
}
