//! Publications of durable channels in memory.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::super::publication::{Keep, NewPublication, Publication, Publications};
use super::super::{Found, Refusal, Written};
use super::state::State;
use crate::base::id::UserId;

/// The log of one channel.
#[derive(Clone, Debug, Default)]
pub(super) struct Line {
    top: u64,
    /// The newest has offset `top`.
    kept: VecDeque<Publication>,
    /// The newest offset by sender and the sender's own id.
    named: BTreeMap<(UserId, Arc<str>), u64>,
    /// The names of those kept, oldest first.
    names: VecDeque<(u64, (UserId, Arc<str>))>,
}

impl Line {
    /// The offset of the oldest that is not over, or the next one.
    fn first(&self, keep: Keep, now_ms: u64) -> u64 {
        let oldest = self.top + 1 - self.kept.len() as u64;
        let over = keep.over_ms(now_ms).map_or(0, |over| {
            self.kept.partition_point(|publication| publication.at.0 <= over) as u64
        });
        keep.first(self.top).max(oldest + over)
    }

    fn trim(&mut self, first: u64) {
        while self.top + 1 - (self.kept.len() as u64) < first {
            self.kept.pop_front();
        }
        while let Some((offset, name)) = self.names.pop_front_if(|(offset, _)| *offset < first) {
            if self.named.get(&name) == Some(&offset) {
                self.named.remove(&name);
            }
        }
    }
}

impl State {
    pub(super) fn publish(&mut self, new: &NewPublication) -> Result<Written, Refusal> {
        let sender = self.user(&new.sender)?.profile.card();
        let stamp = self.stamp;
        let line = self.lines.entry(Arc::clone(&new.channel)).or_default();
        let oldest = line.first(new.keep, stamp.0);
        let channel = Arc::clone(&new.channel);
        let name = new.client_id.clone().map(|client_id| (new.sender.clone(), client_id));
        let known = name.as_ref().and_then(|name| line.named.get(name));
        // A repeat forgets nothing: only what is added does.
        if let Some(first) = known.filter(|first| **first >= oldest) {
            return Ok(Written::Published { channel, offset: *first, publication: None });
        }
        line.top += 1;
        let publication = Publication {
            offset: line.top,
            sender,
            at: stamp,
            event: Arc::clone(&new.event),
            payload: new.payload.clone(),
        };
        line.kept.push_back(publication.clone());
        if let Some(name) = name {
            line.named.insert(name.clone(), line.top);
            line.names.push_back((line.top, name));
        }
        line.trim(line.first(new.keep, stamp.0));
        let (offset, publication) = (line.top, Some(Box::new(publication)));
        Ok(Written::Published { channel, offset, publication })
    }

    /// The newest offset of a channel, 0 when there is none.
    pub(super) fn top_of(&self, channel: &str) -> u64 {
        self.lines.get(channel).map_or(0, |line| line.top)
    }

    pub(super) fn publications(
        &self,
        channel: &str,
        after: Option<u64>,
        limit: u32,
        keep: Keep,
        now_ms: u64,
    ) -> Found {
        let Some(line) = self.lines.get(channel) else {
            return Found::Publications(Publications { first: 1, ..Publications::default() });
        };
        let first = line.first(keep, now_ms);
        let from = after.map_or_else(
            || (line.top + 1).saturating_sub(u64::from(limit)).max(first),
            |after| after.saturating_add(1).max(first),
        );
        let oldest = line.top + 1 - line.kept.len() as u64;
        let skip = usize::try_from(from.saturating_sub(oldest)).unwrap_or(usize::MAX);
        let events: Vec<_> = line.kept.iter().skip(skip).take(limit as usize).cloned().collect();
        let more = from.saturating_add(events.len() as u64) <= line.top;
        Found::Publications(Publications { events, first, top: line.top, more })
    }
}
