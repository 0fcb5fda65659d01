//! `subscribe` to all channels of a namespace, as `room:*`: for those whose role may hear them all.
//!
//! Law: an event comes once to who is subscribed to its channel as well, with its own channel's name.
//! A pattern has no place of its own, so nothing is missed and nothing resumed. Limit: queues of such
//! subscriptions are closed when they are full, whatever the namespace says.

use super::access::{forbidden, may_hear_all};
use super::{Step, subscribed};
use crate::base::arena::Key;
use crate::base::id::{ConnectionId, LoopId};
use crate::handler::{Class, Context, Tag};
use crate::hub::Channel;
use crate::hub::channels::Position;
use crate::message::client;
use crate::message::fault::{Code, Fault};
use crate::protocol::frame::Common;
use crate::router::ask::{Ask, Event, Outcome};
use crate::router::words::{CallRef, Word};
use crate::router::{Router, bus};

/// What loops say to each other of patterns.
#[derive(Debug)]
pub enum PatternWord {
    /// To every loop: this loop hears all of a namespace.
    Listen {
        /// Who waits.
        call: CallRef,
        /// Which.
        namespace: Box<str>,
    },
    /// Back: from here on everything comes.
    Listening {
        /// Who waits.
        call: Key,
    },
    /// To every loop: it does not any more.
    Unlisten {
        /// Which.
        namespace: Box<str>,
    },
}

/// The events of patterns have no number here, and are not to be dropped.
const TAG: Tag = Tag { channel: 0, offset: 0, class: Class::Kick };

/// Subscribes to all channels of a namespace.
pub(super) fn subscribe(
    ask: &mut Ask<'_, '_>,
    namespace: &str,
    request: &client::Subscribe<'_>,
) -> Outcome {
    if !may_hear_all(&ask.router.config.policies, &ask.user()?.identity, namespace) {
        return Err(forbidden());
    }
    if request.since.is_some() {
        return Err(Fault::field("since", "a pattern has no place to begin from"));
    }
    let limit = ask.router.config.channels_per_connection;
    let session = ask.session_mut()?;
    if session.patterns().iter().any(|known| **known == *namespace) {
        return stands(ask, namespace);
    }
    if limit.is_some_and(|limit| session.chosen >= limit) {
        return Err(Fault::new(Code::Conflict, "too many channels on this connection")
            .hint("unsubscribe from some first"));
    }
    session.chosen += 1;
    session.patterns_mut().push(namespace.into());
    ask.router.patterns.hold(namespace, ask.connection);
    let homes = ask.router.homes.len();
    let call = ask.call(Step::Pattern { namespace: namespace.into(), homes });
    for home in ask.router.homes.all() {
        let word = PatternWord::Listen { call, namespace: namespace.into() };
        ask.cx.tell(home, Word::Pattern(Box::new(word)));
    }
    Ok(crate::router::ask::Answer::Later)
}

/// Every home knows: what is published from now on is heard.
pub(super) fn heard(ask: &mut Ask<'_, '_>, namespace: &str) -> Outcome {
    ask.router.patterns.release(namespace, ask.connection);
    stands(ask, namespace)
}

fn stands(ask: &mut Ask<'_, '_>, namespace: &str) -> Outcome {
    let position = Position { offset: 0, epoch: "".into() };
    subscribed(ask, &format!("{namespace}:*"), &position, None, &[], false)
}

impl Router {
    /// Ends the subscription of a connection to all of a namespace.
    pub(in crate::router) fn end_pattern(
        &mut self,
        cx: &mut Context<'_, Self>,
        id: ConnectionId,
        namespace: &str,
    ) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        let patterns = session.patterns_mut();
        let Some(at) = patterns.iter().position(|known| **known == *namespace) else { return };
        patterns.swap_remove(at);
        session.chosen = session.chosen.saturating_sub(1);
        if self.patterns.remove(namespace, id) {
            self.tell_all(cx, || {
                Word::Pattern(Box::new(PatternWord::Unlisten { namespace: namespace.into() }))
            });
        }
    }

    /// Ends all of them.
    pub(in crate::router) fn end_patterns(&mut self, cx: &mut Context<'_, Self>, id: ConnectionId) {
        let session = self.sessions.get(id);
        let patterns = session.map(|session| session.patterns().to_vec()).unwrap_or_default();
        patterns.iter().for_each(|namespace| self.end_pattern(cx, id, namespace));
    }

    pub(in crate::router) fn hear_of_pattern(
        &mut self,
        cx: &mut Context<'_, Self>,
        from: LoopId,
        word: PatternWord,
    ) {
        match word {
            PatternWord::Listen { call, namespace } => {
                self.everywhere.listen(&namespace, from);
                self.bus_interest_in_all(cx, &namespace);
                let word = PatternWord::Listening { call: call.key };
                cx.tell(from, Word::Pattern(Box::new(word)));
            }
            PatternWord::Listening { call } => {
                let step = self.calls.get_mut(call).and_then(|call| call.step.as_mut());
                if let Some(crate::router::Step::Channel(Step::Pattern { homes, .. })) = step {
                    *homes -= 1;
                    if *homes > 0 {
                        return;
                    }
                }
                self.hear_event(cx, call, Event::Listening(Vec::new()));
            }
            PatternWord::Unlisten { namespace } => {
                self.everywhere.unlisten(&namespace, from);
                self.bus_interest_in_all(cx, &namespace);
            }
        }
    }

    /// What happens on the server is told only while somebody hears it, be it as all of its namespace.
    fn bus_interest_in_all(&mut self, cx: &mut Context<'_, Self>, namespace: &str) {
        let events = Channel::Named(bus::CHANNEL.into());
        if events.namespace() == namespace && self.homes.of_channel(&events) == cx.here {
            self.bus_interest(cx, &events);
        }
    }

    /// Hands an event to those who hear all of its namespace, but not to who is subscribed to its
    /// channel. Gives the event back.
    pub(in crate::router) fn hand_out_everywhere(
        &self,
        cx: &mut Context<'_, Self>,
        channel: &Channel,
        frame: Common,
        except: Option<ConnectionId>,
    ) -> Common {
        let number = self.subscriptions.number(channel);
        let direct = |of: &ConnectionId| {
            let session = self.sessions.get(*of);
            number.is_some_and(|number| session.is_some_and(|s| s.channels.contains(&number)))
        };
        let all = self.patterns.receivers(channel.namespace()).iter().copied();
        let receivers: Vec<ConnectionId> = all.filter(|of| !direct(of)).collect();
        if receivers.is_empty() {
            return frame;
        }
        self.metrics.deliveries.add(receivers.len() as u64);
        let shared = frame.share();
        cx.broadcast(&receivers, except, shared.clone(), TAG);
        Common::Shared(shared)
    }
}
