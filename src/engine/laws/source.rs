//! A handler that sends every reader what it is told to, on channels of every class.

use std::convert::Infallible;

use crate::base::id::{ConnectionId, LoopId};
use crate::base::now::Now;
use crate::handler::{Class, Context, Gap, Handler, Message, Segment, Tag};
use crate::protocol::frame::{Draft, OwnFrame};
use crate::protocol::websocket::Opcode;

/// Channels by number; events of the last one have no offset.
pub(super) const CLASSES: [Class; 8] = [
    Class::Reply,
    Class::DropOldest,
    Class::DropNewest,
    Class::Latest,
    Class::DropOldest,
    Class::Critical,
    Class::Kick,
    Class::DropNewest,
];
pub(super) const EPHEMERAL: usize = 7;
/// What the handler does wrong, to see the law fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plant {
    Nothing,
    /// It tells of no gap.
    Silent,
    /// A gap begins one too late.
    Short,
    /// An account is never closed.
    Unsettled,
}

/// Something to be sent to every reader.
#[derive(Debug)]
pub(super) enum Say {
    Publish { channel: usize, times: usize, width: usize },
    Reply { width: usize },
    Settle { channel: usize },
}

/// Sends what it is told to; `E channel offset serial …`, `R serial …`, `S channel top serial`,
/// `G channel from to`.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) readers: Vec<ConnectionId>,
    pub(super) tops: [u64; CLASSES.len()],
    pub(super) serial: u64,
    pub(super) plant: Plant,
}

fn written(mut draft: Draft, text: &str) -> OwnFrame {
    draft.payload().extend_from_slice(text.as_bytes());
    draft.finish(Opcode::Text)
}

impl Handler for Source {
    type Job = Infallible;
    type Done = Infallible;
    type Peer = Say;
    type Timer = Infallible;

    fn message(&mut self, _: &mut Context<'_, Self>, _: ConnectionId, _: Message<'_>) {}

    fn peer(&mut self, cx: &mut Context<'_, Self>, _: LoopId, say: Say) {
        self.serial += 1;
        let serial = self.serial;
        match say {
            Say::Publish { channel, times, width } => {
                for _ in 0..times {
                    self.serial += 1;
                    self.tops[channel] += 1;
                    let (top, serial) = (self.tops[channel], self.serial);
                    let text = format!("E {channel} {top} {serial} {:width$}", "");
                    let frame = written(cx.draft(), &text);
                    let offset = if channel == EPHEMERAL { 0 } else { top };
                    let tag = Tag { channel: channel as u32, offset, class: CLASSES[channel] };
                    cx.broadcast(&self.readers, None, frame, tag);
                }
            }
            Say::Reply { width } => self.reply(cx, &format!("R {serial} {:width$}", "")),
            Say::Settle { channel } => {
                if self.plant != Plant::Unsettled {
                    self.readers.iter().for_each(|reader| cx.settle(*reader, channel as u32));
                }
                let top = self.tops[channel];
                self.reply(cx, &format!("S {channel} {top} {serial}"));
            }
        }
    }

    fn gap(&mut self, _: Now, gap: &Gap, draft: Draft) -> Option<OwnFrame> {
        let Gap { channel, from, to, .. } = gap;
        let from = from + u64::from(self.plant == Plant::Short);
        let frame = written(draft, &format!("G {channel} {from} {to}"));
        (self.plant != Plant::Silent).then_some(frame)
    }
}

impl Source {
    fn reply(&self, cx: &mut Context<'_, Self>, text: &str) {
        for &reader in &self.readers {
            let frame = written(cx.draft(), text);
            cx.send(reader, Segment::Own(frame), Tag::REPLY);
        }
    }
}
