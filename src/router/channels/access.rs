//! Who may hear and who may publish in a channel: the one place that decides it.
//!
//! Law: live events, what was missed, history and resumption ask here and nowhere else, whether the
//! channel exists or not. Who may hear all chats may hear each, and watches those of which it is no
//! member. Limit: who is a member of a chat is known by its subscription, which commits begin and end.

use crate::auth::{Identity, Role};
use crate::base::id::{ConnectionId, Id};
use crate::handler::Context;
use crate::hub::policy::{Policies, Right};
use crate::hub::{AsChannel, Channel, ChannelRef};
use crate::message::fault::{Code, Fault};
use crate::router::Router;
use crate::router::ask::Ask;
use crate::router::executions;
use crate::store::Read;

/// The namespace of the channels of chats.
const ROOMS: &str = "room";

/// Whether this user may hear what is said in a channel; `is_member` knows of chats.
pub(in crate::router) fn may_hear(
    policies: &Policies,
    identity: &Identity,
    channel: ChannelRef<'_>,
    is_member: impl FnOnce() -> bool,
) -> bool {
    match channel {
        ChannelRef::Room(_) => is_member() || may_hear_all(policies, identity, ROOMS),
        ChannelRef::User(owner) => owner == identity.user.as_str(),
        ChannelRef::Named(name) => {
            let (namespace, rest) = parts(name);
            // A name that is no chat and no inbox leads nowhere.
            if matches!(namespace, "room" | "user") {
                return false;
            }
            let policy = policies.of(namespace);
            policy.is_some_and(|policy| has(identity, policy.subscribe, namespace, rest))
        }
    }
}

/// Whether this user may hear everything that is said in a namespace.
pub(in crate::router) fn may_hear_all(
    policies: &Policies,
    identity: &Identity,
    namespace: &str,
) -> bool {
    let policy = policies.of(namespace).filter(|_| identity.role.serves());
    policy.is_some_and(|policy| has(identity, policy.subscribe, namespace, ""))
}

/// Whether this user may publish in a channel.
pub(in crate::router) fn may_publish(
    policies: &Policies,
    identity: &Identity,
    channel: ChannelRef<'_>,
) -> bool {
    let ChannelRef::Named(name) = channel else { return false };
    let (namespace, rest) = parts(name);
    let policy = policies.of(namespace);
    policy.is_some_and(|policy| has(identity, policy.publish, namespace, rest))
}

/// Whether a user has a right, where `rest` is the channel in its namespace.
fn has(identity: &Identity, right: Right, namespace: &str, rest: &str) -> bool {
    match right {
        Right::User => true,
        Right::Member => {
            let in_team = namespace == "team" && identity.teams.iter().any(|team| *team == *rest);
            identity.role.serves() || in_team
        }
        Right::Service => identity.role.serves(),
        Right::Admin => identity.role == Role::Admin,
        Right::Nobody => false,
    }
}

/// The namespace of a channel, and what follows.
fn parts(name: &str) -> (&str, &str) {
    name.split_once(':').unwrap_or((name, ""))
}

/// Whether the user who asks may hear what is said in a channel.
pub(in crate::router) fn may_listen(
    ask: &Ask<'_, '_>,
    channel: ChannelRef<'_>,
) -> Result<(), Fault> {
    let user = ask.user()?;
    // Who is a member is subscribed already.
    let is_member = || {
        let number = ask.router.subscriptions.number(&channel.into());
        number.is_some_and(|n| ask.session().is_ok_and(|s| s.channels.contains(&n)))
    };
    let policies = &ask.router.config.policies;
    if may_hear(policies, &user.identity, channel, is_member) { Ok(()) } else { Err(forbidden()) }
}

/// What a user is to read of the log of a chat: as a member, unless the role may hear every chat.
pub(in crate::router) fn log_of(
    policies: &Policies,
    identity: &Identity,
    chat: Id,
    after: Option<u64>,
    limit: u32,
) -> Read {
    if may_hear_all(policies, identity, ROOMS) {
        return Read::AnyLog { chat, after, limit };
    }
    Read::Log { chat, user: identity.user.clone(), after, limit }
}

impl Router {
    /// Another token may allow less: what may not be heard any more is heard no more.
    pub(in crate::router) fn end_forbidden(
        &mut self,
        cx: &mut Context<'_, Self>,
        id: ConnectionId,
        before: &Identity,
    ) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        let Some(identity) = session.user().map(|user| user.identity.clone()) else { return };
        let (policies, subscriptions) = (&self.config.policies, &self.subscriptions);
        let stays = |number: &u32| match subscriptions.channel(*number) {
            // Who is a member of a chat is so with any token.
            Some(Channel::Room(_)) if session.watches(*number) => {
                may_hear_all(policies, &identity, ROOMS)
            }
            Some(Channel::Room(_)) | None => true,
            // Of which team an execution is, is not known here.
            Some(channel) if executions::is_of(channel) => {
                !executions::sees_less(before, &identity)
            }
            Some(channel) => may_hear(policies, &identity, channel.as_channel(), || true),
        };
        let (kept, lost): (Vec<u32>, Vec<u32>) = session.channels.iter().partition(|n| stays(n));
        for number in &lost {
            session.unwatch(*number);
        }
        session.channels = kept;
        session.chosen = session.chosen.saturating_sub(lost.len() as u32);
        let all = session.patterns().iter();
        let all = all.filter(|namespace| !may_hear_all(policies, &identity, namespace));
        let all: Vec<Box<str>> = all.cloned().collect();
        if !lost.is_empty() {
            self.unsubscribe_all(cx, id, lost);
        }
        all.iter().for_each(|namespace| self.end_pattern(cx, id, namespace));
    }
}

/// The same words whether the channel exists or not.
pub(in crate::router) fn forbidden() -> Fault {
    Fault::new(Code::Forbidden, "not allowed in this channel")
        .hint("public: channels are open to every user")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::base::id::UserId;
    use crate::hub::policy::Policy;

    fn identity(role: Role) -> Identity {
        Identity {
            user: UserId("ana".into()),
            username: "ana".into(),
            role,
            session: None,
            jti: None,
            teams: Arc::new(["red".to_owned()]),
            expires_at_unix_s: 0,
        }
    }

    #[test]
    fn who_hears_and_publishes_where() {
        let with = |subscribe, publish| Policy { subscribe, publish, ..Policy::OPEN };
        let policies = Policies::new([
            ("prices".into(), with(Right::User, Right::Service)),
            ("jobs".into(), with(Right::Service, Right::User)),
            ("audit".into(), with(Right::Admin, Right::Nobody)),
        ]);
        let room = format!("room:{}", Id(7));
        // For each of user, service and admin: hears, publishes.
        for (name, hears, publishes) in [
            ("public:a", [true, true, true], [true, true, true]),
            ("public", [true, true, true], [true, true, true]),
            ("prices:eur", [true, true, true], [false, true, true]),
            ("jobs:1", [false, true, true], [true, true, true]),
            ("audit:1", [false, false, true], [false, false, false]),
            ("team:red", [true, true, true], [false, true, true]),
            ("team:blue", [false, true, true], [false, true, true]),
            ("team:", [false, true, true], [false, true, true]),
            ("execution:1", [false, true, true], [false, true, true]),
            ("user:ana", [true, true, true], [false, false, false]),
            ("user:bob", [false, false, false], [false, false, false]),
            (&room, [false, true, true], [false, false, false]),
            ("room:lobby", [false, false, false], [false, false, false]),
            ("broadcast", [true, true, true], [false, false, false]),
            ("stentor:events", [false, false, true], [false, false, false]),
            ("other:a", [false, false, false], [false, false, false]),
            ("other", [false, false, false], [false, false, false]),
        ] {
            let channel = ChannelRef::parse(name).expect("a good name");
            for (role, (hears, publishes)) in [Role::User, Role::Service, Role::Admin]
                .into_iter()
                .zip(hears.into_iter().zip(publishes))
            {
                let identity = identity(role);
                let got = (
                    may_hear(&policies, &identity, channel, || false),
                    may_publish(&policies, &identity, channel),
                );
                assert_eq!(got, (hears, publishes), "{name} {role:?}");
            }
        }
        for (namespace, hears) in [
            ("public", [false, true, true]),
            ("jobs", [false, true, true]),
            ("audit", [false, false, true]),
            ("room", [false, true, true]),
            ("user", [false, true, true]),
            ("stentor", [false, false, true]),
            ("other", [false, false, false]),
        ] {
            for (role, hears) in [Role::User, Role::Service, Role::Admin].into_iter().zip(hears) {
                let got = may_hear_all(&policies, &identity(role), namespace);
                assert_eq!(got, hears, "{namespace} {role:?}");
            }
        }
        let member = ChannelRef::parse(&room).expect("a good name");
        assert!(may_hear(&policies, &identity(Role::User), member, || true));
    }
}
