//! What loops say to each other of who is there.

use crate::base::arena::Key;
use crate::base::id::{Address, UserId};
use crate::base::time::Timestamp;
use crate::codec::json;
use crate::handler::Context;
use crate::hub::Channel;
use crate::message::presence::{Standing, WhoIsThere};
use crate::message::record::UserCard;
use crate::message::server;
use crate::protocol::frame::Frame;
use crate::protocol::websocket::Opcode;
use crate::router::Router;
use crate::router::words::CallRef;

/// A subscription that has begun or ended.
#[derive(Clone, Debug)]
pub struct Visit {
    /// Where.
    pub channel: Channel,
    /// Which connection.
    pub connection: Address,
    /// Whose it is, if it has begun.
    pub came: Option<UserCard>,
    /// Whether it wanted to be told who is there.
    pub watched: bool,
    /// Whether it was ended, and did not only break.
    pub at_once: bool,
}

/// An event, and the connection that caused it and has its reply.
pub type Telling = (Frame, Option<Address>);

/// Who is there, and how.
#[derive(Debug)]
pub enum Attendance {
    /// To the home of these channels.
    Visits(Vec<Visit>),
    /// To the home of a channel: who is there? It wants to be told from now on if `watches`; `first`:
    /// it did not before.
    WhoIsThere {
        /// Who waits.
        call: CallRef,
        /// Where.
        channel: Channel,
        /// Whether it wants to be told, and whether that is new.
        watches: Option<bool>,
    },
    /// Back.
    ThereAre {
        /// Who waits.
        call: Key,
        /// Who is there.
        who: WhoIsThere,
    },
    /// To the home of a channel: a subscription does not want to be told any more.
    Unwatch(Channel),
    /// From the home of a channel: for those who want to be told, each but for the connection that
    /// caused it.
    Told {
        /// Where.
        channel: Channel,
        /// What.
        frames: Vec<Telling>,
    },
    /// To a user's home: how the user stands from now on.
    Stand {
        /// Who waits.
        call: CallRef,
        /// Who.
        user: UserId,
        /// How.
        standing: Standing,
        /// Which connection said so.
        by: Address,
    },
    /// From a user's home to every loop: the same.
    Stands {
        /// Who waits for every loop to know.
        call: Option<CallRef>,
        /// Who.
        user: UserId,
        /// How.
        standing: Standing,
        /// Which connection said so.
        by: Option<Address>,
    },
    /// Back: another loop knows.
    Knows {
        /// Who waits.
        call: Key,
    },
}

/// The event by which a channel tells who is there.
pub(super) fn encode(
    cx: &mut Context<'_, Router>,
    channel: &Channel,
    payload: &impl serde::Serialize,
) -> Frame {
    let name = channel.to_string();
    let event = json::Event {
        word: server::PRESENCE,
        channel: Some(&name),
        timestamp: Some(Timestamp(cx.now.unix_ms)),
        ..json::Event::default()
    };
    let mut draft = cx.draft();
    json::event(draft.payload(), &event, payload);
    let own = draft.finish(Opcode::Text);
    let frame = own.share();
    cx.recycle(own);
    frame
}
