//! A handler that does what each message says, and keeps a record of what it was told and asked for.

use std::convert::Infallible;
use std::time::Duration;

use crate::base::id::ConnectionId;
use crate::handler::{Class, Close, Context, Handler, Message, Opening, Segment, Tag};
use crate::protocol::websocket::Opcode;

/// An event of some channel, which a queue without room does not take.
const EVENT: Tag = Tag { channel: 1, offset: 1, class: Class::Kick };

/// An HTTP/1.1 request that becomes a WebSocket connection.
pub(in crate::engine) const UPGRADE: &[u8] =
    b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// What one connection was in the handler's eyes.
#[derive(Debug)]
pub(in crate::engine) struct Seen {
    pub(in crate::engine) id: ConnectionId,
    /// What it said.
    pub(in crate::engine) heard: Vec<Vec<u8>>,
    /// What it is to be sent.
    pub(in crate::engine) asked: Vec<Vec<u8>>,
    pub(in crate::engine) closed: bool,
}

/// Does what each message says: a letter for what, a digit for whom.
#[derive(Debug, Default)]
pub(in crate::engine) struct Script {
    /// Everybody who ever spoke.
    pub(in crate::engine) all: Vec<Seen>,
    /// Whether those who stay are told of those who go.
    pub(in crate::engine) farewell: bool,
}

impl Script {
    pub(in crate::engine) fn of(&self, id: ConnectionId) -> Option<&Seen> {
        self.all.iter().find(|seen| seen.id == id)
    }

    /// Everybody who is there, but perhaps one.
    fn present(&self, but: Option<ConnectionId>) -> Vec<ConnectionId> {
        let here = self.all.iter().filter(|seen| !seen.closed && Some(seen.id) != but);
        here.map(|seen| seen.id).collect()
    }

    fn ask(&mut self, to: &[ConnectionId], text: &[u8]) {
        for seen in self.all.iter_mut().filter(|seen| to.contains(&seen.id)) {
            seen.asked.push(text.to_vec());
        }
    }
}

impl Handler for Script {
    type Job = Infallible;
    type Done = Infallible;
    type Peer = ConnectionId;
    type Timer = ConnectionId;

    fn open(&mut self, _: &mut Context<'_, Self>, id: ConnectionId, _: &Opening) {
        assert!(self.of(id).is_none(), "a connection is opened once");
        self.all.push(Seen { id, heard: Vec::new(), asked: Vec::new(), closed: false });
    }

    fn message(&mut self, cx: &mut Context<'_, Self>, id: ConnectionId, message: Message<'_>) {
        let text = message.bytes;
        let place = self.all.iter().position(|seen| seen.id == id && !seen.closed);
        assert!(place.is_some(), "whoever speaks is there");
        self.all[place.unwrap_or_default()].heard.push(text.to_vec());
        let [what, whom, ..] = *text else { return };
        let here = self.present(None);
        let whom = here[usize::from(whom.wrapping_sub(b'0')) % here.len()];
        let mut draft = cx.draft();
        draft.payload().extend_from_slice(text);
        let frame = draft.finish(Opcode::Text);
        match what {
            b'a' => {
                self.ask(&here, text);
                cx.broadcast(&here, None, frame, EVENT);
            }
            b'o' => {
                let others = self.present(Some(whom));
                self.ask(&others, text);
                cx.broadcast(&here, Some(whom), frame, EVENT);
            }
            b's' => {
                self.ask(&here, text);
                cx.broadcast(&here, None, frame.share(), EVENT);
            }
            b't' => {
                self.ask(&[whom], text);
                cx.send(whom, Segment::Own(frame), Tag::REPLY);
            }
            b'e' => {
                self.ask(&[id], text);
                cx.recycle(frame);
                cx.send(id, Segment::Lent(0..text.len()), Tag::REPLY);
            }
            b'c' => cx.close(whom, Close::new(4000, "as the script says")),
            b'f' => cx.finish(whom),
            b'n' => cx.broadcast(&[], None, frame, EVENT),
            b'p' => {
                cx.pause(whom);
                cx.set_timer(Duration::from_secs(1), whom);
            }
            b'w' => cx.tell(cx.here, whom),
            b'l' => cx.limit(whom, 40),
            b'x' => cx.translate(whom),
            _ => cx.recycle(frame),
        }
    }

    fn translate(text: &[u8], out: &mut Vec<u8>) -> bool {
        out.push(b'~');
        out.extend_from_slice(text);
        !text.contains(&b'?')
    }

    fn deadline(&mut self, cx: &mut Context<'_, Self>, id: ConnectionId) {
        cx.resume(id);
    }

    fn peer(&mut self, cx: &mut Context<'_, Self>, _: crate::base::id::LoopId, id: ConnectionId) {
        self.ask(&[id], b"a word");
        let mut draft = cx.draft();
        draft.payload().extend_from_slice(b"a word");
        cx.send(id, Segment::Own(draft.finish(Opcode::Text)), Tag::REPLY);
    }

    fn closed(&mut self, cx: &mut Context<'_, Self>, id: ConnectionId) {
        for seen in self.all.iter_mut().filter(|seen| seen.id == id) {
            assert!(!seen.closed, "a connection is closed once");
            seen.closed = true;
        }
        if self.farewell {
            let others = self.present(Some(id));
            self.ask(&others, b"gone");
            let mut draft = cx.draft();
            draft.payload().extend_from_slice(b"gone");
            cx.broadcast(&others, None, draft.finish(Opcode::Text), EVENT);
        }
    }
}
