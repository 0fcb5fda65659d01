//! The edges of a connection: how it is let in, greeted, kept awake, and seen off.

use std::sync::Arc;

use serde::Serialize;

use super::Router;
use super::dispatch::Said;
use super::metrics::CodecName;
use super::session::Session;
use crate::base::id::{ConnectionId, Id};
use crate::base::time::Timestamp;
use crate::codec::Codec;
use crate::codec::json::{self, Refused};
use crate::handler::{Accept, Close, Context, Door, Kind, Opening, Segment, Tag, Upgrade};
use crate::message::fault::{Code, Fault};
use crate::message::server;
use crate::protocol::http::{Request, Response, percent_decode};
use crate::protocol::websocket::Opcode;

/// What the server calls itself.
pub(super) const SERVER: &str = concat!("stentor/", env!("CARGO_PKG_VERSION"));
/// The version of what is said, told in `hello`.
const PROTOCOL: u32 = 1;
/// What a token in the list of subprotocols begins with.
const BEARER: &str = "bearer.";
/// What is kept of the `User-Agent` of an upgrade.
const USER_AGENT_BYTES_MAX: usize = 256;
/// The longest token that is looked at.
const TOKEN_BYTES_MAX: usize = 4096;

/// What came with an upgrade that was let in.
#[derive(Debug)]
pub(super) struct Upgraded {
    connection: ConnectionId,
    token: Option<Box<str>>,
    codec: Option<Codec>,
    user_agent: Option<Arc<str>>,
}

#[derive(Serialize)]
struct Hello {
    server: &'static str,
    protocol: u32,
    connection_id: Id,
    heartbeat_ms: u64,
    auth_timeout_ms: u64,
    limits: Limits,
}

#[derive(Serialize)]
struct Limits {
    message_bytes: usize,
    unauthenticated_message_bytes: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    channels_per_connection: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    messages_per_minute: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    requests_per_second: Option<u32>,
    history_page: u32,
}

#[derive(Serialize)]
struct Bye<'a> {
    code: u16,
    reason: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_ms: Option<u64>,
}

impl Router {
    /// Whether an upgrade is let in: its path, its page, its subprotocols, and where its token is.
    pub(super) fn admit_upgrade(
        &mut self,
        connection: ConnectionId,
        upgrade: &Upgrade<'_>,
    ) -> Result<Accept, Response> {
        let request = upgrade.request;
        let in_path = path_token(request)?;
        let origins = request.headers().filter(|(name, _)| name.eq_ignore_ascii_case("origin"));
        let host = request.host().map(str::as_bytes);
        let origins = origins.map(|(_, value)| value);
        if let Err(refused) = self.origins.check(origins, host, upgrade.encrypted) {
            self.guard_metrics.origins_refused.add(1);
            log::info!("an upgrade was refused for its Origin: {refused:?}");
            return Err(Response::new(403).text("this origin is not allowed\n"));
        }
        let offered = upgrade.subprotocols;
        // The first of ours that the client names.
        let named = |name: &&str| Codec::ALL.into_iter().find(|codec| codec.subprotocol() == *name);
        let codec = offered.iter().find_map(named);
        let in_list = offered.iter().find_map(|name| name.strip_prefix(BEARER));
        if in_list.is_some() && codec.is_none() {
            let hint = "bearer.TOKEN needs stentor.v1.json or stentor.v1.protobuf beside it in \
                        Sec-WebSocket-Protocol\n";
            return Err(Response::new(400).text(hint));
        }
        let in_header = request
            .header_text("authorization")
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, token)| token.trim().to_owned());
        let token = in_path.or(in_header).or(in_list.map(str::to_owned));
        let user_agent = request.header_text("user-agent").map(|text| {
            let end = text.floor_char_boundary(USER_AGENT_BYTES_MAX);
            Arc::from(&text[..end])
        });
        if token.is_some() || codec.is_some() || user_agent.is_some() {
            let token = token.map(Into::into);
            self.upgrades.push(Upgraded { connection, token, codec, user_agent });
        }
        Ok(Accept { subprotocol: codec.map(Codec::subprotocol) })
    }

    /// A connection speaks: it is greeted, and its time to authenticate begins.
    pub(super) fn welcome(
        &mut self,
        cx: &mut Context<'_, Self>,
        id: ConnectionId,
        opening: &Opening,
    ) {
        let session_id = Id::new(cx.now.unix_ms, &cx.rng.bytes());
        let auth = self.auth_timeout(opening.peer);
        let session = Session::new(id, opening, session_id, cx.now, auth);
        self.sessions.insert(id, session);
        self.connected(cx, id);
        self.arm_watch(cx);
        cx.limit(id, self.config.unauthenticated_message_bytes);
        let upgraded = self.upgrades.iter().position(|upgraded| upgraded.connection == id);
        let upgraded = upgraded.map(|at| self.upgrades.swap_remove(at));
        let codec = match opening.door {
            Door::Lines => Some(Codec::Json),
            Door::WebSocket => upgraded.as_ref().and_then(|upgraded| upgraded.codec),
        };
        if let Some(codec) = codec {
            self.settle_codec(cx, id, codec);
        }
        self.greet(cx, id);
        self.start_auth_timer(cx, id);
        let Some(upgraded) = upgraded else { return };
        if let Some(session) = self.sessions.get_mut(id).filter(|_| upgraded.user_agent.is_some()) {
            session.client.get_or_insert_default().user_agent = upgraded.user_agent;
        }
        if let Some(token) = upgraded.token {
            self.show_token(cx, id, &token);
        }
    }

    /// The first event on every connection.
    fn greet(&self, cx: &mut Context<'_, Self>, id: ConnectionId) {
        let Some(session) = self.sessions.get(id) else { return };
        let auth = self.auth_timeout(session.peer);
        let hello = Hello {
            server: SERVER,
            protocol: PROTOCOL,
            connection_id: session.id,
            heartbeat_ms: self.config.heartbeat_ms,
            auth_timeout_ms: auth.as_millis() as u64,
            limits: Limits {
                message_bytes: self.config.message_bytes,
                unauthenticated_message_bytes: self.config.unauthenticated_message_bytes,
                channels_per_connection: self.config.channels_per_connection,
                messages_per_minute: self.guard.messages_per_minute,
                requests_per_second: self.guard.requests_per_second,
                history_page: self.config.history_page,
            },
        };
        event(cx, id, server::HELLO, true, &hello);
    }

    /// From here on it is known how the connection speaks.
    fn settle_codec(&mut self, cx: &mut Context<'_, Self>, id: ConnectionId, codec: Codec) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        session.codec = Some(codec);
        self.metrics.codecs.add_at(CodecName(codec), 1);
        if codec == Codec::Protobuf {
            cx.translate(id);
        }
    }

    /// Whether a frame of this kind may be read. The first one decides where no subprotocol did; the
    /// hello before it was text, so a client of Protobuf is greeted again (SPEC §3).
    pub(super) fn speaks(
        &mut self,
        cx: &mut Context<'_, Self>,
        id: ConnectionId,
        kind: Kind,
    ) -> bool {
        let spoken = if kind == Kind::Binary { Codec::Protobuf } else { Codec::Json };
        let Some(session) = self.sessions.get(id) else { return false };
        match session.codec {
            Some(codec) if codec == spoken => return true,
            Some(Codec::Json) => {
                cx.close(id, Close::new(1003, "JSON is spoken here: no binary messages"));
                return false;
            }
            Some(Codec::Protobuf) => {
                cx.close(id, Close::new(1003, "Protobuf is spoken here: binary messages only"));
                return false;
            }
            None => self.settle_codec(cx, id, spoken),
        }
        if spoken == Codec::Protobuf {
            self.greet(cx, id);
        }
        true
    }

    /// The token of an upgrade is shown as if by `auth`.
    fn show_token(&mut self, cx: &mut Context<'_, Self>, id: ConnectionId, token: &str) {
        if let Some(session) = self.sessions.get_mut(id) {
            session.by_upgrade = true;
        }
        let mut request = b"{\"type\":\"auth\",\"token\":".to_vec();
        json::string(&mut request, token);
        request.push(b'}');
        if let Ok(request) = String::from_utf8(request) {
            self.objects(cx, id, &request);
        }
    }

    /// A line: an object, one of a few bare words, or an error that says what to type.
    pub(super) fn line(&mut self, cx: &mut Context<'_, Self>, id: ConnectionId, line: &[u8]) {
        let line = line.trim_ascii();
        let over = self.sessions.get(id).is_none_or(Session::is_over);
        if line.is_empty() || over {
            return;
        }
        let Ok(text) = simdutf8::basic::from_utf8(line) else {
            return self.refuse_line(cx, id, bad_line("the line is not valid UTF-8"));
        };
        if text.starts_with('{') {
            let (decoded, rest) = json::decode(text);
            if rest.is_empty() {
                return self.object(cx, id, decoded, Some(Said::Text(text)));
            }
            return self.refuse_line(cx, id, bad_line("something follows the object"));
        }
        match bare_word(text) {
            Some(Bare::Verb(request)) => self.objects(cx, id, &request),
            Some(Bare::Quit) => self.quit(cx, id),
            None => {
                let fault = Fault::new(Code::BadJson, "this line is not a JSON object");
                let hint = r#"type help, or for example {"type":"ping"}"#;
                self.refuse_line(cx, id, fault.hint(hint));
            }
        }
    }

    /// A line that holds no request is answered in its turn like any other.
    fn refuse_line(&mut self, cx: &mut Context<'_, Self>, id: ConnectionId, fault: Fault) {
        self.object(cx, id, Err(Box::new(Refused::line(fault))), None);
    }

    /// The client goes: everything before it is answered, then a reply, then goodbye.
    fn quit(&mut self, cx: &mut Context<'_, Self>, id: ConnectionId) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        session.quitting = true;
        if session.slots.is_empty() {
            self.quit_now(cx, id);
        }
    }

    pub(super) fn quit_now(&mut self, cx: &mut Context<'_, Self>, id: ConnectionId) {
        let mut draft = cx.draft();
        json::reply_raw(draft.payload(), "quit", None, "{}");
        cx.send(id, Segment::Own(draft.finish(Opcode::Text)), Tag::REPLY);
        cx.close(id, Close::new(1000, "as you wish"));
    }

    /// A word from us, so that a dead peer is noticed.
    pub(super) fn ping_line(&self, cx: &mut Context<'_, Self>, id: ConnectionId) {
        if self.sessions.get(id).is_some() {
            event(cx, id, server::PING, true, &serde_json::Map::new());
        }
    }

    /// The connection is no more.
    pub(super) fn gone(&mut self, cx: &mut Context<'_, Self>, id: ConnectionId) {
        self.disconnected(cx, id);
        self.log_end(cx, id);
        self.leave(cx, id);
        let Some(mut session) = self.sessions.remove(id) else { return };
        self.drop_calls(cx, session.slots.take_calls());
        if let Some(codec) = session.codec {
            self.metrics.codecs.add_at(CodecName(codec), -1);
        }
        if let Some((timer, _)) = session.stranger.and_then(|stranger| stranger.timer) {
            cx.cancel_timer(timer);
        }
    }

    /// The line of a connection's life: why it ended, how long it was there, since when it was silent.
    fn log_end(&self, cx: &Context<'_, Self>, id: ConnectionId) {
        let Some(session) = self.sessions.get(id).filter(|_| log::log_enabled!(log::Level::Info))
        else {
            return;
        };
        let (code, reason) = session.end();
        let age = session.opened_at.elapsed(cx.now).as_millis();
        let silent = session.heard.elapsed(cx.now).as_millis();
        let code = code.map_or_else(|| "none".to_owned(), |code| code.to_string());
        let user = session.user_id().map_or("none", |user| user.as_str());
        let (id, door) = (session.id, super::bus::door(session.door));
        log::info!(
            "connection closed: id {id}, door {door}, code {code}, reason \"{reason}\", age {age} ms, \
             last byte {silent} ms ago, user {user}"
        );
    }

    /// The last words on lines: why, and when to come back.
    pub(super) fn farewell(
        &self,
        cx: &mut Context<'_, Self>,
        id: ConnectionId,
        door: Door,
        close: &Close,
    ) {
        if let Some(session) = self.sessions.get(id) {
            let age = session.opened_at.elapsed(cx.now).as_millis();
            log::debug!("[{}] closing {}: {} (age {age} ms)", session.id, close.code, close.reason);
        }
        if door != Door::Lines {
            return;
        }
        if close.code == 1009 {
            let fault = Fault::new(Code::TooLarge, "the line is too long");
            let mut draft = cx.draft();
            json::reply_error(draft.payload(), "error", None, &fault, self.config.hints);
            cx.send(id, Segment::Own(draft.finish(Opcode::Text)), Tag::REPLY);
        }
        let bye = Bye { code: close.code, reason: &close.reason, retry_ms: close.retry_ms };
        event(cx, id, server::BYE, false, &bye);
    }
}

/// Sends an event of no channel to one connection.
fn event(
    cx: &mut Context<'_, Router>,
    id: ConnectionId,
    word: &'static str,
    stamped: bool,
    payload: &impl Serialize,
) {
    let timestamp = stamped.then_some(Timestamp(cx.now.unix_ms));
    let event = json::Event { word, timestamp, ..json::Event::default() };
    let mut draft = cx.draft();
    json::event(draft.payload(), &event, payload);
    cx.send(id, Segment::Own(draft.finish(Opcode::Text)), Tag::REPLY);
}

fn bad_line(message: &'static str) -> Fault {
    Fault::new(Code::BadJson, message).hint("each line must hold one whole JSON object")
}

/// What a person may type instead of JSON.
enum Bare {
    Verb(String),
    Quit,
}

fn bare_word(text: &str) -> Option<Bare> {
    let mut words = text.split_ascii_whitespace();
    let (first, second) = (words.next()?.to_ascii_lowercase(), words.next());
    if words.next().is_some() {
        return None;
    }
    match (first.as_str(), second) {
        ("help" | "ping" | "whoami", None) => Some(Bare::Verb(format!("{{\"type\":\"{first}\"}}"))),
        ("help", Some(verb)) => {
            let mut request = b"{\"type\":\"help\",\"verb\":".to_vec();
            json::string(&mut request, verb);
            request.push(b'}');
            String::from_utf8(request).ok().map(Bare::Verb)
        }
        ("quit", None) => Some(Bare::Quit),
        _ => None,
    }
}

/// The token in `/ws/{token}`; an error for a path that leads nowhere.
fn path_token(request: &Request<'_>) -> Result<Option<String>, Response> {
    match request.path {
        "/ws" | "/ws/" | "/socket" | "/websocket" => return Ok(None),
        _ => {}
    }
    let token = request.path.strip_prefix("/ws/").filter(|token| !token.contains('/'));
    let token = token.and_then(percent_decode).filter(|token| token.len() <= TOKEN_BYTES_MAX);
    match token {
        Some(token) => Ok(Some(token.into_owned())),
        None => Err(Response::new(404).text("WebSocket is spoken at /ws\n")),
    }
}
