//! `unsubscribe`: the end of a subscription that a connection chose.
//!
//! Law: what stands because somebody is a member, or is who it is, stands as long as that is so.

use super::borrowed;
use crate::base::id::ConnectionId;
use crate::handler::Context;
use crate::hub::Channel;
use crate::hub::patterns::namespace;
use crate::message::client;
use crate::message::fault::{Code, Fault};
use crate::router::Router;
use crate::router::ask::{Ask, Outcome};

/// Ends a subscription; there being none is no error.
pub(in crate::router) fn unsubscribe(
    ask: &mut Ask<'_, '_>,
    request: &client::Unsubscribe<'_>,
) -> Outcome {
    if let Some(namespace) = namespace(&request.channel) {
        ask.router.end_pattern(ask.cx, ask.connection, namespace);
        return ask.ok_empty();
    }
    let channel = Channel::from(borrowed(&request.channel)?);
    let lasts = match &channel {
        Channel::Room(_) => {
            let number = ask.router.subscriptions.number(&channel);
            !number.is_some_and(|number| ask.session().is_ok_and(|s| s.watches(number)))
        }
        Channel::User(_) => true,
        Channel::Named(_) => false,
    };
    if lasts {
        return Err(Fault::new(
            Code::Forbidden,
            "this subscription lasts as long as the user is here",
        )
        .hint("leave_room leaves a room or group"));
    }
    end(ask.router, ask.cx, ask.connection, &channel);
    ask.ok_empty()
}

/// Ends a subscription that a connection chose.
pub(in crate::router) fn end(
    router: &mut Router,
    cx: &mut Context<'_, Router>,
    id: ConnectionId,
    channel: &Channel,
) {
    let Some(number) = router.subscriptions.number(channel) else { return };
    let Some(session) = router.sessions.get_mut(id) else { return };
    if let Some(at) = session.channels.iter().position(|known| *known == number) {
        session.channels.swap_remove(at);
        session.chosen = session.chosen.saturating_sub(1);
        session.unwatch(number);
        router.unsubscribe_all(cx, id, vec![number]);
    }
}
