//! What inboxes have stored by themselves: cursors that moved, and what is too old and goes.
//!
//! Law: what is too old goes though nothing comes: while there is a connection, loop 0 has the users
//! gone through, a few at a time, and when that is done again after `limits.inbox_sweep_ms`.
//! Limit: [`USERS`] in one write, whatever they have.

use std::sync::Arc;
use std::time::Duration;

use super::NOBODY;
use crate::base::id::UserId;
use crate::handler::Context;
use crate::router::words::{CallRef, Job};
use crate::router::{Router, Timer};
use crate::store::Write;
use crate::store::inbox::{Cursor, InboxWrite};

/// How long cursors that moved may wait to be stored together: at most 1 s (SPEC §4).
const SAVE_AFTER: Duration = Duration::from_millis(500);
/// Cursors that one write stores.
const CURSORS_MAX: usize = 256;
/// Users whose inboxes one write looks at.
const USERS: u32 = 256;
/// How long a write that looks at them may take before there is another.
const PATIENCE: Duration = Duration::from_secs(60);

/// How far loop 0 has gone through the inboxes.
#[derive(Debug, Default)]
pub(in crate::router) struct Sweep {
    /// Up to this user; none: it begins anew.
    after: Option<UserId>,
    /// Not before.
    due: Duration,
}

impl Router {
    pub(super) fn save_soon(
        &mut self,
        cx: &mut Context<'_, Self>,
        user: UserId,
        device: Arc<str>,
        offset: u64,
    ) {
        if self.cursors.is_empty() {
            cx.set_timer(SAVE_AFTER, Timer::Cursors);
        }
        let cursor = self.cursors.entry((user, device)).or_default();
        *cursor = offset.max(*cursor);
    }

    /// Stores the cursors that moved.
    pub(in crate::router) fn save_cursors(&mut self, cx: &mut Context<'_, Self>) {
        let moved = std::mem::take(&mut self.cursors).into_iter();
        let mut moved =
            moved.map(|((user, device), offset)| Cursor { user, device, offset }).peekable();
        let bounds = self.config.inbox;
        while moved.peek().is_some() {
            let cursors = moved.by_ref().take(CURSORS_MAX).collect();
            self.store_for_nobody(cx, InboxWrite::Move { cursors, bounds });
        }
    }

    fn store_for_nobody(&self, cx: &mut Context<'_, Self>, write: InboxWrite) {
        let call = CallRef { home: cx.here, key: NOBODY };
        cx.job(Job::Write { call, by: None, write: Box::new(Write::Inbox(write)) });
    }

    /// On loop 0, now and then: what is too old goes from the inboxes of some users.
    pub(in crate::router) fn sweep_inboxes(&mut self, cx: &mut Context<'_, Self>) {
        if cx.now.monotonic < self.sweep.due {
            return;
        }
        self.sweep.due = cx.now.monotonic + PATIENCE;
        let (after, age_ms) = (self.sweep.after.clone(), self.config.inbox.age_ms);
        self.store_for_nobody(cx, InboxWrite::Sweep { after, users: USERS, age_ms });
    }

    /// It went. When these were the last users, it begins anew after a while.
    pub(in crate::router) fn swept(
        &mut self,
        cx: &Context<'_, Self>,
        last: Option<&UserId>,
        dropped: u64,
    ) {
        self.metrics.inbox_dropped.add(dropped);
        let pause = Duration::from_millis(self.config.inbox_sweep_ms);
        let pause = if last.is_some() { Duration::ZERO } else { pause };
        self.sweep = Sweep { after: last.cloned(), due: cx.now.monotonic + pause };
    }
}
