//! A user goes, or does not come: subscriptions end, the home is told, and the time to authenticate
//! runs.

use std::time::Duration;

use super::session::Who;
use super::words::Word;
use super::{Router, Timer};
use crate::base::id::{Address, ConnectionId, LoopId};
use crate::handler::{Close, Context, Peer};
use crate::hub::Channel;

impl Router {
    /// Nobody is on the connection any more: subscriptions end, the home is told.
    pub(super) fn leave(&mut self, cx: &mut Context<'_, Self>, id: ConnectionId) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        let user = match std::mem::replace(&mut session.who, Who::Nobody) {
            Who::Nobody => return,
            Who::Arriving(arriving) => arriving.0.user,
            Who::User(user) => {
                if let Some(timer) = user.expiry {
                    cx.cancel_timer(timer);
                }
                self.metrics.users.add(-1);
                user.identity.user
            }
        };
        session.drop_course();
        let numbers = std::mem::take(&mut session.channels);
        for number in &numbers {
            session.unwatch(*number);
        }
        self.local_users.remove(&user, id);
        self.unsubscribe_all(cx, id, numbers);
        self.end_patterns(cx, id);
        if let Some(session) = self.sessions.get_mut(id) {
            session.chosen = 0;
        }
        self.stop_serving(cx, id);
        let connection = Address { home: cx.here, connection: id };
        cx.tell(self.homes.of_user(&user), Word::Detach { user, connection });
    }

    /// Ends subscriptions; the homes of channels that nobody here listens to are told.
    pub(super) fn unsubscribe_all(
        &mut self,
        cx: &mut Context<'_, Self>,
        id: ConnectionId,
        numbers: Vec<u32>,
    ) {
        let mut by_home: Vec<Vec<(Channel, u64)>> = vec![Vec::new(); self.homes.len()];
        for number in numbers {
            self.settle(cx, id, number);
            if let Some((channel, generation)) = self.subscriptions.remove(number, id) {
                let home = self.homes.of_channel(&channel);
                by_home[usize::from(home.0)].push((channel, generation));
            }
        }
        for (home, channels) in by_home.into_iter().enumerate() {
            if !channels.is_empty() {
                cx.tell(LoopId(home as u16), Word::Unlisten { channels });
            }
        }
    }

    /// How long a client may take to authenticate.
    pub(super) fn auth_timeout(&self, peer: Peer) -> Duration {
        let usual = if peer.is_loopback() { 300_000 } else { 10_000 };
        Duration::from_millis(self.config.auth_timeout_ms.unwrap_or(usual))
    }

    /// The time to authenticate runs while nothing is being worked on.
    pub(super) fn start_auth_timer(&mut self, cx: &mut Context<'_, Self>, id: ConnectionId) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        let Some(stranger) = &mut session.stranger else { return };
        if stranger.timer.is_none() {
            let timer = cx.set_timer(stranger.left, Timer::Auth(id));
            stranger.timer = Some((timer, cx.now.monotonic.into()));
        }
    }

    pub(super) fn stop_auth_timer(&mut self, cx: &mut Context<'_, Self>, id: ConnectionId) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        let Some(stranger) = &mut session.stranger else { return };
        if let Some((timer, since)) = stranger.timer.take() {
            cx.cancel_timer(timer);
            stranger.left = stranger.left.saturating_sub(since.elapsed(cx.now));
        }
    }

    pub(super) fn auth_is_late(&mut self, cx: &mut Context<'_, Self>, id: ConnectionId) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        if let Some(stranger) = &mut session.stranger {
            stranger.timer = None;
        }
        self.metrics.auth_timeouts.add(1);
        cx.close(id, Close::new(crate::message::close::DEADLINE, "authenticate in time"));
    }

    pub(super) fn token_is_over(&mut self, cx: &mut Context<'_, Self>, id: ConnectionId) {
        if let Some(Who::User(user)) = self.sessions.get_mut(id).map(|session| &mut session.who) {
            user.expiry = None;
            self.metrics.tokens_expired.add(1);
            cx.close(id, Close::new(crate::message::close::TOKEN_EXPIRED, "the token is over"));
        }
    }
}
