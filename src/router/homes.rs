//! What other loops say: the home of users, accounts and channels answers, the others listen.

use std::time::Duration;

use super::ask::Event;
use super::metrics::Freed;
use super::words::{Heard, Post, Wish, Word};
use super::{Router, Step, Timer};
use crate::base::arena::Key;
use crate::base::id::LoopId;
use crate::handler::Context;
use crate::hub::Channel;

/// Between two steps of freeing what nobody uses.
const TIDY_LATER: Duration = Duration::from_millis(10);

impl Router {
    /// One word of a loop, this one included.
    pub(super) fn hear_word(&mut self, cx: &mut Context<'_, Self>, from: LoopId, word: Word) {
        let now = cx.now.monotonic;
        match word {
            Word::Attach { call, user, connection, limited } => {
                let limit = self.guard.connections_per_user.filter(|_| limited);
                let budget = || self.budgets.of(limited);
                let budget = self.user_homes.attach(&user, connection, limit, now, budget);
                cx.tell(from, Word::Attached { call: call.key, budget });
            }
            Word::Attached { call, budget } => self.hear_event(cx, call, Event::Attached(budget)),
            Word::Detach { user, connection } => {
                self.user_homes.detach(&user, connection, now);
                self.user_detached(cx, &user);
            }
            Word::Login { call, peer, account } => {
                let wait = self.logins.attempt(now, peer, &account).err();
                cx.tell(from, Word::LoginMay { call: call.key, wait });
            }
            Word::LoginMay { call, wait } => self.hear_event(cx, call, Event::LoginMay(wait)),
            Word::LoggedIn { peer, account } => self.logins.succeeded(peer, &account),
            Word::Listen { call, channels } => {
                let limit = self.config.history_page as usize;
                let listen = |Wish { channel, since }: Wish| {
                    let since = since.as_deref().map(|since| (since, limit));
                    let (generation, position, page) =
                        self.channels.listen(&channel, from, since, now, cx.rng);
                    Heard { channel, generation, position, page: page.map(Box::new) }
                };
                let channels: Vec<Heard> = channels.into_iter().map(listen).collect();
                channels.iter().for_each(|heard| self.bus_interest(cx, &heard.channel));
                self.count_channels();
                cx.tell(from, Word::Listening { call: call.key, channels });
            }
            Word::History { call, channel, since, limit } => {
                let (since, limit) = (since.as_deref(), limit as usize);
                let (position, page) = self.channels.history(&channel, since, limit, now, cx.rng);
                self.plan_tidying(cx);
                cx.tell(from, Word::Page { call: call.key, position, page: Box::new(page) });
            }
            Word::Page { call, position, page } => {
                self.hear_event(cx, call, Event::Page(position, page));
            }
            Word::Listening { call, channels } => self.listening(cx, from, call, channels),
            Word::Unlisten { channels } => self.unlisten(cx, from, channels),
            Word::Publish(publication) => self.publish_for(cx, *publication),
            Word::Published { call, position, duplicate } => {
                self.hear_event(cx, call, Event::Published(position, duplicate));
            }
            Word::Ephemeral(delivery) => self.publish_ephemeral(cx, &delivery),
            Word::Deliver(delivery) => self.deliver(cx, *delivery),
            Word::Pattern(word) => self.hear_of_pattern(cx, from, *word),
            Word::Post(post) => self.hear_post(cx, from, *post),
            Word::Written { call, written } => self.written(cx, call, *written),
            Word::Bus { subscribed } => self.bus_subscribed(subscribed),
            Word::Admin(word) => self.hear_admin_word(cx, *word),
            Word::Backend(word) => self.hear_call_word(cx, *word),
            Word::Revoked { user, which, except } => {
                self.revoked(cx, user.as_ref(), &which, except);
            }
            Word::WhoIsThere { call, users } => {
                let there = users.iter().map(|user| self.is_online(user));
                cx.tell(from, Word::There { call: call.key, there: there.collect() });
            }
            Word::There { call, there } => self.there(cx, call, &there),
            Word::Attendance(word) => self.hear_of_attendance(cx, from, *word),
        }
    }

    /// Nobody on a loop listens any more.
    fn unlisten(
        &mut self,
        cx: &mut Context<'_, Self>,
        from: LoopId,
        channels: Vec<(Channel, u64)>,
    ) {
        for (channel, generation) in channels {
            self.channels.unlisten(&channel, from, generation, cx.now.monotonic);
            self.bus_interest(cx, &channel);
        }
        self.plan_tidying(cx);
    }

    /// What was used last, and is not any more, is to be freed in its time.
    pub(super) fn plan_tidying(&mut self, cx: &mut Context<'_, Self>) {
        if !self.tidies
            && let Some(due) = self.channels.next_idle()
        {
            self.tidies = true;
            let after = due.saturating_sub(cx.now.monotonic).max(TIDY_LATER);
            cx.set_timer(after, Timer::Tidy);
        }
    }

    /// Frees what nobody has used for long; of too much the rest soon.
    pub(super) fn tidy(&mut self, cx: &mut Context<'_, Self>) {
        self.tidies = false;
        self.channels.tidy(cx.now.monotonic);
        self.count_channels();
        self.plan_tidying(cx);
    }

    pub(super) fn count_channels(&mut self) {
        let freed = self.channels.take_freed();
        self.metrics.channels.set(self.channels.len() as i64);
        self.metrics.channels_freed.add_at(Freed::Idle, freed.idle);
        self.metrics.channels_freed.add_at(Freed::Crowded, freed.crowded);
        self.metrics.history_bytes.set(self.channels.history_bytes() as i64);
    }

    /// What is for users here.
    fn hear_post(&mut self, cx: &mut Context<'_, Self>, from: LoopId, post: Post) {
        match post {
            Post::Inbox(parcel) => self.hand_over(cx, &parcel),
            Post::Begun(begun) => self.begun(cx, &begun),
            Post::Looked(looked) => self.looked(cx, from, looked),
            Post::Broadcast(broadcast) => self.broadcast(cx, broadcast),
        }
    }

    /// A home knows that this loop listens.
    fn listening(
        &mut self,
        cx: &mut Context<'_, Self>,
        from: LoopId,
        call: Key,
        mut channels: Vec<Heard>,
    ) {
        let mut deserted = Vec::new();
        for Heard { channel, generation, .. } in &channels {
            if !self.subscriptions.heard(channel, *generation) {
                deserted.push((channel.clone(), *generation));
            }
        }
        if !deserted.is_empty() {
            // Who asked has gone meanwhile.
            cx.tell(from, Word::Unlisten { channels: deserted });
        }
        if let Some(Step::Arrival(step)) =
            self.calls.get_mut(call).and_then(|call| call.step.as_mut())
            && !step.heard_home(&mut channels)
        {
            return;
        }
        self.hear_event(cx, call, Event::Listening(channels));
    }

    /// A loop has said which users are there.
    fn there(&mut self, cx: &mut Context<'_, Self>, call: Key, there: &[bool]) {
        if let Some(Step::Basic(step)) =
            self.calls.get_mut(call).and_then(|call| call.step.as_mut())
            && !step.heard_loop(there)
        {
            return;
        }
        self.hear_event(cx, call, Event::There);
    }
}
