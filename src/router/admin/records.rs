//! What one loop tells an administrator of its connections, and how it closes some.

use std::sync::Arc;

use super::words::{LoopStats, Record, Target};
use crate::base::id::{ConnectionId, Id, UserId};
use crate::base::time::Timestamp;
use crate::codec::Codec;
use crate::handler::{Close, Context};
use crate::message::close::KICKED;
use crate::message::record::UserCard;
use crate::router::Router;
use crate::router::bus::door;
use crate::router::session::{Session, Who};

/// Channels that a record names; of the others it tells how many there are.
const CHANNELS_MAX: usize = 16;

impl Router {
    pub(super) fn loop_stats(&self) -> LoopStats {
        let users = self.sessions.iter().filter(|(_, session)| session.user().is_some());
        LoopStats {
            connections: self.sessions.len(),
            authenticated: users.count(),
            users: self.user_homes.present(),
            channels: self.subscriptions.len(),
            waiting: self.calls.len(),
            calls: self.backends.in_flight(),
        }
    }

    /// The first connections after one, ascending, and whether there are more.
    pub(super) fn records(
        &self,
        cx: &Context<'_, Self>,
        user: Option<&UserId>,
        after: Option<Id>,
        limit: usize,
    ) -> (Vec<Record>, bool) {
        let mut found: Vec<(Id, ConnectionId)> = self
            .sessions
            .iter()
            .filter(|(_, session)| user.is_none_or(|user| session.user_id() == Some(user)))
            .filter(|(_, session)| after.is_none_or(|after| session.id > after))
            .map(|(connection, session)| (session.id, connection))
            .collect();
        found.sort_unstable();
        let more = found.len() > limit;
        found.truncate(limit);
        let sessions =
            found.into_iter().filter_map(|(_, connection)| self.sessions.get(connection));
        (sessions.map(|session| self.record(cx, session)).collect(), more)
    }

    fn record(&self, cx: &Context<'_, Self>, session: &Session) -> Record {
        let identity = match &session.who {
            Who::Nobody => None,
            Who::Arriving(arriving) => Some(&arriving.0),
            Who::User(user) => Some(&user.identity),
        };
        let user = identity.map(|identity| UserCard {
            id: identity.user.clone(),
            username: Arc::clone(&identity.username),
        });
        let channels = session.channels.iter().take(CHANNELS_MAX);
        let channels = channels.filter_map(|number| self.subscriptions.channel(*number));
        let ago = session.heard.elapsed(cx.now).as_millis() as u64;
        let client = session.client.as_deref();
        Record {
            connection_id: session.id,
            user,
            role: identity.map(|identity| identity.role.as_str()),
            connected_at: Timestamp(session.id.unix_ms()),
            last_activity: Timestamp(cx.now.unix_ms.saturating_sub(ago)),
            channels: channels.map(ToString::to_string).collect(),
            channel_count: session.channels.len(),
            client_ip: session.peer.ip().map(|ip| ip.to_canonical().to_string()),
            user_agent: client.and_then(|client| client.user_agent.clone()),
            client_info: client.and_then(|client| client.info.clone()),
            door: door(session.door),
            codec: session.codec.map(|codec| match codec {
                Codec::Json => "json",
                Codec::Protobuf => "protobuf",
            }),
            encrypted: session.encrypted,
            r#loop: cx.here.0,
        }
    }

    /// Closes connections of this loop; gives how many.
    pub(super) fn kick(
        &mut self,
        cx: &mut Context<'_, Self>,
        target: &Target,
        reason: &Arc<str>,
    ) -> usize {
        let meant: Vec<ConnectionId> = match target {
            Target::Connection(id) => {
                let found = self.sessions.iter().find(|(_, session)| session.id == *id);
                found.map(|(connection, _)| connection).into_iter().collect()
            }
            Target::User(user) => self.local_users.connections(user).to_vec(),
        };
        for connection in &meant {
            cx.close(*connection, Close::new(KICKED, reason.to_string()));
        }
        meant.len()
    }
}
