//! What is queued for one connection, counted in bytes.
//!
//! First in, first out. An entry knows which event of which channel it is, so that a queue which
//! is too long can be thinned by channel. An outbox with nothing in it owns no memory: its table goes
//! back to the [`Spares`] of its engine, so that neither an idle connection keeps one nor a busy one
//! asks for another. What is too long is thinned by `thinning.rs`.

mod account;
mod thinning;

use std::collections::VecDeque;
use std::sync::Arc;

use crate::handler::{Class, Door, Tag};
use crate::protocol::frame::{Frame, OwnFrame};
pub(super) use account::{Drops, Slow};

/// Tables longer than this are not kept.
const ENTRIES_KEPT: usize = 64;
/// Spare buffers of one engine.
const BUFFERS_KEPT: usize = 256;
/// Spare tables of one engine: a broadcast needs one for each receiver at once.
const TABLES_KEPT: usize = 8192;
/// Buffers longer than this are not kept: all that are make a mebibyte at most. Were the bound a large
/// one, each buffer of the pool would in its time have held a long reply, and keep room for another.
const BUFFER_BYTES_KEPT: usize = 4 * 1024;

/// Bytes in the framing of their connection.
#[derive(Debug)]
pub(super) enum Bytes {
    Shared(Frame, Door),
    /// Many messages in the framing of their door.
    Block(Arc<[u8]>),
    Own(OwnFrame, Door),
    /// Framed already: HTTP, control frames.
    Raw(Vec<u8>),
    /// What makes sense of what went before, or of all that comes after: the rest of a frame, and the
    /// response to an upgrade.
    Rest(Vec<u8>),
    /// In the place of events that were dropped.
    Gap(Box<account::Missing>),
}

impl Bytes {
    pub(super) fn as_slice(&self) -> &[u8] {
        match self {
            Self::Shared(frame, Door::WebSocket) => frame.websocket(),
            Self::Shared(frame, Door::Lines) => frame.line(),
            Self::Block(bytes) => bytes,
            Self::Own(frame, Door::WebSocket) => frame.websocket(),
            Self::Own(frame, Door::Lines) => frame.line(),
            Self::Raw(bytes) | Self::Rest(bytes) => bytes,
            Self::Gap(missing) => missing.as_slice(),
        }
    }
}

/// What outboxes and replies have done with, for the next ones.
#[derive(Debug, Default)]
pub(super) struct Spares {
    /// Empty buffers.
    pub(super) buffers: Vec<Vec<u8>>,
    tables: Vec<VecDeque<Entry>>,
}

impl Spares {
    /// Keeps a buffer unless it is large or there are many.
    pub(super) fn recycle(&mut self, buffer: Vec<u8>) {
        if buffer.capacity() <= BUFFER_BYTES_KEPT && self.buffers.len() < BUFFERS_KEPT {
            self.buffers.push(buffer);
        }
    }
}

#[derive(Debug)]
struct Entry {
    bytes: Bytes,
    /// Read when the queue is thinned.
    tag: Tag,
}

/// The queue of one connection.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    entries: VecDeque<Entry>,
    /// Of all entries, less what was sent of the first; and what is sealed.
    bytes: usize,
    /// How much of the first entry was sent.
    head: u32,
    /// Encrypted by the driver and not sent yet: counted, though it lies there.
    sealed: u32,
}

/// Whether an entry found room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Room {
    /// It is queued.
    Queued,
    /// It does not fit, and must not be lost.
    None,
    /// It was dropped, as it may be.
    Dropped,
}

impl Outbox {
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// Encrypted by the driver and not sent yet.
    pub(super) const fn sealed(&self) -> usize {
        self.sealed as usize
    }

    /// So much is encrypted now and not sent; what was before is forgotten.
    pub(super) fn seal(&mut self, waiting: usize) {
        self.bytes = self.bytes - self.sealed as usize + waiting;
        self.sealed = waiting as u32;
    }

    /// Queues `bytes` unless they are an event and there is no room within `limit`; not of a class
    /// that may be dropped.
    ///
    /// An empty queue takes anything: a reply longer than the limit has to go out some time.
    pub(super) fn push(
        &mut self,
        bytes: Bytes,
        tag: Tag,
        limit: usize,
        spares: &mut Spares,
    ) -> Room {
        let more = bytes.as_slice().len();
        let fits = self.bytes == 0 || self.bytes.saturating_add(more) <= limit;
        if !fits && tag.class != Class::Reply {
            return Room::None;
        }
        if more > 0 {
            self.append(Entry { bytes, tag }, more, spares);
        }
        Room::Queued
    }

    /// Puts an entry of `length` bytes at the end.
    #[inline]
    fn append(&mut self, entry: Entry, length: usize, spares: &mut Spares) {
        self.bytes += length;
        if self.entries.capacity() == 0
            && let Some(table) = spares.tables.pop()
        {
            // There is nothing in it to be dropped, and to find that out again would cost.
            std::mem::forget(std::mem::replace(&mut self.entries, table));
        }
        self.entries.push_back(entry);
    }

    /// Queues before everything else what the kernel did not take.
    pub(super) fn push_front(&mut self, rest: &[u8]) {
        debug_assert_eq!(self.head, 0, "lent bytes go out before anything is queued");
        if !rest.is_empty() {
            self.bytes += rest.len();
            let bytes = Bytes::Rest(rest.to_vec());
            self.entries.push_front(Entry { bytes, tag: Tag::REPLY });
        }
    }

    /// The queued bytes when there is one entry.
    pub(super) fn only(&self) -> Option<&[u8]> {
        if self.entries.len() != 1 || self.sealed != 0 {
            return None;
        }
        self.entries.front()?.bytes.as_slice().get(self.head as usize..)
    }

    /// The queued bytes in order.
    pub(super) fn parts(&self) -> impl Iterator<Item = &[u8]> {
        let mut skip = self.head as usize;
        self.entries.iter().map(move |entry| {
            let bytes = &entry.bytes.as_slice()[skip..];
            skip = 0;
            bytes
        })
    }

    /// The first `sent` bytes are gone. What they lay in goes back to `spares`.
    #[inline]
    pub(super) fn sent(&mut self, mut sent: usize, spares: &mut Spares) {
        debug_assert!(sent <= self.bytes, "more sent than queued");
        self.bytes = self.bytes.saturating_sub(sent);
        if self.bytes == 0 && self.entries.len() == 1 {
            self.head = 0;
            let only = self.entries.pop_front();
            return self.emptied(only, spares);
        }
        while let Some(entry) = self.entries.front() {
            let left = entry.bytes.as_slice().len() - self.head as usize;
            if sent < left {
                // A frame is shorter than 4 GiB: the longest message is 256 MiB.
                self.head += sent as u32;
                return;
            }
            sent -= left;
            self.head = 0;
            if let Some(Entry { bytes: Bytes::Own(frame, _), .. }) = self.entries.pop_front() {
                spares.recycle(frame.into_buffer());
            }
        }
        self.emptied(None, spares);
    }

    /// Nothing is queued any more: what was needed for that goes back.
    fn emptied(&mut self, last: Option<Entry>, spares: &mut Spares) {
        if let Some(Entry { bytes: Bytes::Own(frame, _), .. }) = last {
            spares.recycle(frame.into_buffer());
        }
        let table = std::mem::take(&mut self.entries);
        if (1..=ENTRIES_KEPT).contains(&table.capacity()) && spares.tables.len() < TABLES_KEPT {
            spares.tables.push(table);
        }
    }

    /// Forgets what has not begun to go out: the connection closes, and its last word must follow
    /// a whole frame, and the response to an upgrade.
    pub(super) fn clear(&mut self) {
        let begun = usize::from(self.head > 0);
        let behind = self.entries.iter().skip(begun);
        let rest = behind.take_while(|entry| matches!(entry.bytes, Bytes::Rest(_))).count();
        self.entries.truncate(begun + rest);
        self.bytes = self.counted();
    }

    /// The sum over the entries, for the invariants.
    pub(super) fn counted(&self) -> usize {
        self.parts().map(<[u8]>::len).sum::<usize>() + self.sealed as usize
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
                assert_eq!(
                    outbox.push(raw(text), Tag::REPLY, 100, &mut Spares::default()),
                    Room::Queued
                );
            }
            let mut seen = Vec::new();
            while !outbox.is_empty() {
                assert_eq!(outbox.counted(), outbox.bytes());
                let all: Vec<u8> = outbox.parts().flatten().copied().collect();
                let taken = step.min(all.len());
                seen.extend_from_slice(&all[..taken]);
                outbox.sent(taken, &mut Spares::default());
            }
            assert_eq!(seen, b"abcdefghi");
        }
    }

    #[test]
    fn an_empty_outbox_owns_nothing_and_its_table_serves_again() {
        let (mut spares, mut outbox) = (Spares::default(), Outbox::default());
        outbox.push(raw("abc"), Tag::REPLY, 100, &mut spares);
        outbox.sent(3, &mut spares);
        assert_eq!((outbox.entries.capacity(), spares.tables.len()), (0, 1));
        outbox.push(raw("abc"), Tag::REPLY, 100, &mut spares);
        assert!(spares.tables.is_empty());
    }

    #[test]
    fn an_event_that_does_not_fit_is_told_and_a_reply_always_fits() {
        let mut outbox = Outbox::default();
        assert_eq!(
            outbox.push(raw("longer than five"), EVENT, 5, &mut Spares::default()),
            Room::Queued
        );
        assert_eq!(outbox.push(raw("x"), EVENT, 5, &mut Spares::default()), Room::None);
        assert_eq!(outbox.push(raw("x"), Tag::REPLY, 5, &mut Spares::default()), Room::Queued);
    }

    #[test]
    fn what_is_sealed_counts_until_it_is_gone() {
        let (mut spares, mut outbox) = (Spares::default(), Outbox::default());
        outbox.push(raw("abc"), Tag::REPLY, 100, &mut spares);
        outbox.seal(40);
        outbox.sent(3, &mut spares);
        assert_eq!((outbox.bytes(), outbox.counted(), outbox.is_empty()), (40, 40, false));
        assert_eq!(outbox.push(raw("x"), EVENT, 40, &mut spares), Room::None, "no room beside it");
        outbox.clear();
        assert_eq!(outbox.bytes(), 40, "a record that has begun is not forgotten");
        outbox.seal(7);
        assert_eq!(outbox.bytes(), 7);
        outbox.seal(0);
        assert!(outbox.is_empty());
    }

    #[test]
    fn clearing_keeps_what_has_begun_to_go_out() {
        let mut outbox = Outbox::default();
        for text in ["abc", "de"] {
            outbox.push(raw(text), Tag::REPLY, 100, &mut Spares::default());
        }
        outbox.sent(1, &mut Spares::default());
        outbox.clear();
        assert_eq!(outbox.parts().flatten().copied().collect::<Vec<u8>>(), b"bc");
        assert_eq!(outbox.bytes(), 2);
        outbox.sent(2, &mut Spares::default());
        outbox.push(raw("x"), Tag::REPLY, 100, &mut Spares::default());
        outbox.clear();
        assert!(outbox.is_empty());
    }

    #[test]
    fn clearing_keeps_the_rest_of_a_frame_and_what_opens_the_stream() {
        let rest = |text: &str| Bytes::Rest(text.as_bytes().to_vec());
        let left = |entries: [Bytes; 3], sent| {
            let (mut outbox, mut spares) = (Outbox::default(), Spares::default());
            for bytes in entries {
                outbox.push(bytes, Tag::REPLY, 100, &mut spares);
            }
            outbox.sent(sent, &mut spares);
            outbox.clear();
            let left: Vec<u8> = outbox.parts().flatten().copied().collect();
            assert_eq!(left.len(), outbox.bytes());
            String::from_utf8(left).unwrap()
        };
        assert_eq!(left([rest("101"), raw("frame"), raw("more")], 0), "101");
        for (sent, kept) in [(0, ""), (1, "dpay"), (2, "pay"), (3, "ay"), (5, "")] {
            assert_eq!(left([raw("hd"), rest("pay"), raw("more")], sent), kept, "{sent}");
        }
        let (mut outbox, mut spares) = (Outbox::default(), Spares::default());
        outbox.push_front(b"half of a frame");
        outbox.push(raw("more"), Tag::REPLY, 100, &mut spares);
        outbox.clear();
        assert_eq!(outbox.parts().flatten().copied().collect::<Vec<u8>>(), b"half of a frame");
    }
}
