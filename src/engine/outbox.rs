//! What is queued for one connection, counted in bytes.
//!
//! First in, first out. An entry knows which event of which channel it is, so that a queue which
//! is too long can be thinned by channel. An outbox with nothing in it owns no memory to speak of.

use std::collections::VecDeque;
use std::time::Duration;

use crate::handler::{Class, Door, Tag};
use crate::protocol::frame::{Frame, OwnFrame};

/// An outbox longer than this gives its table back when it is empty.
const ENTRIES_KEPT: usize = 16;

/// Bytes in the framing of their connection.
#[derive(Debug)]
pub(super) enum Bytes {
    Shared(Frame, Door),
    Own(OwnFrame, Door),
    /// Framed already: HTTP, control frames, what was lent and not taken.
    Raw(Vec<u8>),
}

impl Bytes {
    pub(super) fn as_slice(&self) -> &[u8] {
        match self {
            Self::Shared(frame, Door::WebSocket) => frame.websocket(),
            Self::Shared(frame, Door::Lines) => frame.line(),
            Self::Own(frame, Door::WebSocket) => frame.websocket(),
            Self::Own(frame, Door::Lines) => frame.line(),
            Self::Raw(bytes) => bytes,
        }
    }
}

#[derive(Debug)]
struct Entry {
    bytes: Bytes,
    /// Read when a queue is thinned; every class of today closes instead.
    #[expect(
        dead_code,
        reason = "the drop classes of SPEC §5 look here; entries carry it from the start"
    )]
    tag: Tag,
}

/// The queue of one connection.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    entries: VecDeque<Entry>,
    /// Of all entries, less what was sent of the first.
    bytes: usize,
    /// How much of the first entry was sent.
    head: usize,
    /// Since when it holds more than the soft limit.
    pub(super) over_since: Option<Duration>,
}

/// Whether an entry found room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Room {
    /// It is queued.
    Queued,
    /// It does not fit, and must not be lost.
    None,
}

impl Outbox {
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Queues `bytes` unless they are an event and there is no room within `limit`.
    ///
    /// An empty queue takes anything: a reply longer than the limit has to go out some time.
    pub(super) fn push(&mut self, bytes: Bytes, tag: Tag, limit: usize) -> Room {
        let more = bytes.as_slice().len();
        let fits = self.bytes == 0 || self.bytes.saturating_add(more) <= limit;
        if !fits && tag.class != Class::Reply {
            return Room::None;
        }
        if more > 0 {
            self.bytes += more;
            self.entries.push_back(Entry { bytes, tag });
        }
        Room::Queued
    }

    /// Queues before everything else what the kernel did not take.
    pub(super) fn push_front(&mut self, rest: &[u8]) {
        debug_assert_eq!(self.head, 0, "lent bytes go out before anything is queued");
        if !rest.is_empty() {
            self.bytes += rest.len();
            let bytes = Bytes::Raw(rest.to_vec());
            self.entries.push_front(Entry { bytes, tag: Tag::REPLY });
        }
    }

    /// The queued bytes in order.
    pub(super) fn parts(&self) -> impl Iterator<Item = &[u8]> {
        let mut skip = self.head;
        self.entries.iter().map(move |entry| {
            let bytes = &entry.bytes.as_slice()[skip..];
            skip = 0;
            bytes
        })
    }

    /// The first `sent` bytes are gone. Buffers go back to `buffers`.
    pub(super) fn sent(&mut self, mut sent: usize, buffers: &mut Vec<Vec<u8>>) {
        debug_assert!(sent <= self.bytes, "more sent than queued");
        self.bytes = self.bytes.saturating_sub(sent);
        while let Some(entry) = self.entries.front() {
            let left = entry.bytes.as_slice().len() - self.head;
            if sent < left {
                self.head += sent;
                return;
            }
            sent -= left;
            self.head = 0;
            if let Some(Entry { bytes: Bytes::Own(frame, _), .. }) = self.entries.pop_front() {
                recycle(frame.into_buffer(), buffers);
            }
        }
        if self.entries.capacity() > ENTRIES_KEPT {
            self.entries = VecDeque::new();
        }
    }

    /// Forgets what has not begun to go out: the connection closes, and its last word must follow
    /// a whole frame.
    pub(super) fn clear(&mut self) {
        self.entries.truncate(usize::from(self.head > 0));
        self.bytes =
            self.entries.front().map_or(0, |entry| entry.bytes.as_slice().len() - self.head);
    }

    /// The sum over the entries, for the invariants.
    pub(super) fn counted(&self) -> usize {
        self.parts().map(<[u8]>::len).sum()
    }
}

/// Buffers worth keeping for the next reply.
const BUFFER_BYTES_MAX: usize = 64 * 1024;
const BUFFERS_MAX: usize = 256;

/// Keeps a buffer unless it is large or there are many.
pub(super) fn recycle(buffer: Vec<u8>, buffers: &mut Vec<Vec<u8>>) {
    if buffer.capacity() <= BUFFER_BYTES_MAX && buffers.len() < BUFFERS_MAX {
        buffers.push(buffer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENT: Tag = Tag { channel: 1, offset: 1, class: Class::Kick };

    fn raw(text: &str) -> Bytes {
        Bytes::Raw(text.as_bytes().to_vec())
    }

    #[test]
    fn bytes_leave_in_order_however_they_are_taken() {
        for step in 1..=9 {
            let mut outbox = Outbox::default();
            for text in ["abc", "", "de", "fghi"] {
                assert_eq!(outbox.push(raw(text), Tag::REPLY, 100), Room::Queued);
            }
            let mut seen = Vec::new();
            while !outbox.is_empty() {
                assert_eq!(outbox.counted(), outbox.bytes());
                let all: Vec<u8> = outbox.parts().flatten().copied().collect();
                let taken = step.min(all.len());
                seen.extend_from_slice(&all[..taken]);
                outbox.sent(taken, &mut Vec::new());
            }
            assert_eq!(seen, b"abcdefghi");
        }
    }

    #[test]
    fn an_event_that_does_not_fit_is_told_and_a_reply_always_fits() {
        let mut outbox = Outbox::default();
        assert_eq!(outbox.push(raw("longer than five"), EVENT, 5), Room::Queued);
        assert_eq!(outbox.push(raw("x"), EVENT, 5), Room::None);
        assert_eq!(outbox.push(raw("x"), Tag::REPLY, 5), Room::Queued);
    }

    #[test]
    fn clearing_keeps_what_has_begun_to_go_out() {
        let mut outbox = Outbox::default();
        for text in ["abc", "de"] {
            outbox.push(raw(text), Tag::REPLY, 100);
        }
        outbox.sent(1, &mut Vec::new());
        outbox.clear();
        assert_eq!(outbox.parts().flatten().copied().collect::<Vec<u8>>(), b"bc");
        assert_eq!(outbox.bytes(), 2);
        outbox.sent(2, &mut Vec::new());
        outbox.push(raw("x"), Tag::REPLY, 100);
        outbox.clear();
        assert!(outbox.is_empty());
    }
}
