//! A client: its connection, what it has asked and not been told, what it was told so far.
//!
//! It behaves well: whatever goes wrong is the network's fault or the server's.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use serde_json::Value;
use stentor::base::id::LoopId;
use stentor::protocol::websocket::deflate::Settings;
use stentor::protocol::websocket::handshake::client::{Error, Request};
use stentor::protocol::websocket::{Config, Connection, ConnectionEvent, Failure};

pub(crate) use crate::asked::{Kind, Pending};
use crate::calls::{Ringing, Work};
use crate::executions::Watches;
use crate::faults::Fault;
use crate::hearing::Subscription;
use crate::inboxes::Mailbox;
use crate::law::Law;
use crate::link::{Piece, Pipe};
use crate::model::Period;
use crate::returning::Places;
use crate::speech::{self, Speech, frames, one_line, take_lines};
use crate::visit::Visit;
use crate::world::{Event, Phase, World};

/// Somebody with an account.
pub(crate) struct Person {
    pub(crate) name: String,
    pub(crate) id: Option<String>,
    /// The one that is right, unless a change went unanswered: then one of these.
    pub(crate) passwords: Vec<String>,
    pub(crate) registered: bool,
    /// A token that is not of this server's accounts.
    pub(crate) minted: Option<String>,
}

impl Person {
    pub(crate) fn new(number: usize) -> Self {
        let passwords = vec![format!("password-{number}")];
        Self { name: format!("User{number}"), id: None, passwords, registered: false, minted: None }
    }
}

/// How it speaks.
#[derive(Default)]
pub(crate) enum Io {
    #[default]
    None,
    Lines(Vec<u8>),
    WebSocket(Box<Connection>),
    Http(Visit),
}

#[derive(Default)]
pub(crate) struct Client {
    pub(crate) user: usize,
    pub(crate) pipe: Option<usize>,
    pub(crate) io: Io,
    pub(crate) speech: Speech,
    pub(crate) stalled: bool,
    pub(crate) greeted: bool,
    /// Set while somebody is on the connection.
    pub(crate) period: Option<Period>,
    pub(crate) pending: VecDeque<Pending>,
    /// Messages whose fate is not known; sent again until it is.
    pub(crate) unacked: VecDeque<u64>,
    /// A request after which nothing is sent before its reply.
    pub(crate) alone: bool,
    /// It sends no more.
    pub(crate) leaving: bool,
    /// It ended its side and waits for every reply.
    pub(crate) half_closed: Option<Duration>,
    pub(crate) closed: Option<u16>,
    pub(crate) wait_until: Duration,
    pub(crate) session: Option<String>,
    pub(crate) token: Option<String>,
    pub(crate) refresh: Option<String>,
    pub(crate) mailbox: Mailbox,
    pub(crate) watches: Watches,
    /// Calls without a reply, by their ids.
    pub(crate) calls: BTreeMap<String, Ringing>,
    /// Calls that it has ever made.
    pub(crate) called: Vec<u64>,
    /// What it offers to do, and was called for.
    pub(crate) serves: BTreeSet<String>,
    pub(crate) work: Vec<Work>,
    pub(crate) subscriptions: BTreeMap<String, Subscription>,
    /// Where channels were left by connections that are gone.
    pub(crate) places: Places,
    /// Publications of this connection that were answered.
    pub(crate) published: BTreeSet<u64>,
    /// The last seq acknowledged here, by chat.
    pub(crate) last_seq: BTreeMap<String, u64>,
    /// Rooms that this connection has seen its user leave.
    pub(crate) left: BTreeSet<String>,
    /// The newest seq it has ever seen, by chat.
    seen: BTreeMap<String, u64>,
}

impl Client {
    pub(crate) fn new(user: usize) -> Self {
        Self { user, ..Self::default() }
    }

    pub(crate) fn has_seen(&mut self, chat: &str, seq: u64) {
        match self.seen.get_mut(chat) {
            Some(newest) => *newest = seq.max(*newest),
            None => drop(self.seen.insert(chat.to_owned(), seq)),
        }
    }

    pub(crate) fn newest_seen(&self, chat: &str) -> u64 {
        self.seen.get(chat).copied().unwrap_or(0)
    }
}

impl World {
    /// Opens a connection; a coin decides the door.
    pub(crate) fn connect(&mut self, c: usize) {
        let home = LoopId(self.rng.below(u64::from(self.plan.loops)) as u16);
        let pipe = self.pipes.len();
        let delay = self.draw(self.plan.delays.network);
        let at = self.now.monotonic + delay;
        self.pipes.push(Pipe::new(c, home, at));
        self.schedule_at(at, Event::Open(pipe));
        let (io, speech) = self.door(pipe);
        let old = std::mem::take(&mut self.clients[c]);
        let Client { user, unacked, token, refresh, seen, mut places, called, .. } = old;
        if self.plan.hub.is_none() {
            places.clear();
        }
        let pipe = Some(pipe);
        let kept = Client { user, unacked, token, refresh, seen, places, ..Client::default() };
        self.clients[c] = Client { pipe, io, speech, called, ..kept };
        self.flush(c);
    }

    /// How the next connection speaks: lines, WebSocket, the same compressed, HTTP.
    fn door(&mut self, pipe: usize) -> (Io, Speech) {
        let speech = Speech::of(pipe);
        let doors = if self.phase == Phase::Storm { 8 } else { 7 };
        let deflate = match self.rng.below(doors) {
            0..3 => return (Io::Lines(Vec::new()), Speech::Text),
            3..5 => None,
            5 => Some(Settings { min_bytes: 32, ..Settings::ALONE }),
            6 => Some(Settings::TAKEOVER),
            _ => return (Io::Http(Visit::new(self.now.monotonic)), Speech::Text),
        };
        let connection = {
            let subprotocols: &[&str] =
                if speech == Speech::Binary { &[speech::SUBPROTOCOL] } else { &[] };
            let request = Request { host: "h", target: "/ws", subprotocols, ..Request::default() };
            let (rng, now) = (self.rng.fork(), self.now.monotonic);
            // A client that does not read for a while is patient with itself.
            let patience = Duration::from_hours(1);
            let config = Config {
                handshake_timeout: patience,
                close_timeout: patience,
                deflate,
                ..Config::default()
            };
            Connection::client(config, &request, rng, now)
        };
        (Io::WebSocket(Box::new(connection.expect("a good request"))), speech)
    }

    /// Sends texts: on lines one each, on WebSocket one or more in a frame.
    pub(crate) fn send_texts(&mut self, c: usize, texts: &[Value]) {
        let mut rng = self.rng.fork();
        let mut lines = Vec::new();
        let speaks_binary = self.clients[c].speech.is_binary();
        match &mut self.clients[c].io {
            Io::None | Io::Http(_) => return,
            Io::Lines(_) => {
                let ends: &[u8] = if rng.below(2) == 0 { b"\n" } else { b"\r\n" };
                for text in texts {
                    lines.extend_from_slice(one_line(text).as_bytes());
                    lines.extend_from_slice(ends);
                }
            }
            Io::WebSocket(connection) if speaks_binary => {
                for text in texts {
                    connection.send_binary(&speech::message(text)).expect("the connection is open");
                }
            }
            Io::WebSocket(connection) => {
                for frame in frames(&mut rng, texts) {
                    connection.send_text(&frame).expect("the connection is open");
                }
            }
        }
        if let Some(pipe) = self.clients[c].pipe {
            self.send_up(pipe, &lines);
        }
        self.flush(c);
    }

    /// What the WebSocket has to send goes out.
    pub(crate) fn flush(&mut self, c: usize) {
        let Client { io: Io::WebSocket(connection), pipe: Some(pipe), .. } = &mut self.clients[c]
        else {
            return;
        };
        let (bytes, pipe) = (connection.take_output(), *pipe);
        let shut = connection.wants_shutdown();
        self.send_up(pipe, &bytes);
        if shut {
            self.end_up(pipe, Piece::End);
        }
    }

    /// A piece of the server's stream.
    pub(crate) fn heard(&mut self, c: usize, piece: Piece) {
        let now = self.now.monotonic;
        match piece {
            Piece::Reset => self.gone(c, true),
            Piece::End => {
                if let Some(pipe) = self.clients[c].pipe {
                    self.end_up(pipe, Piece::End);
                }
                self.gone(c, false);
            }
            Piece::Bytes(mut bytes) => match &mut self.clients[c].io {
                Io::None => {}
                Io::Http(_) => self.responses(c, &bytes),
                Io::Lines(rest) => {
                    rest.extend_from_slice(&bytes);
                    let lines = take_lines(rest);
                    for line in lines {
                        self.object(c, &line);
                    }
                }
                Io::WebSocket(connection) => {
                    connection.advance(now);
                    connection.receive(&mut bytes);
                    let events: Vec<_> = std::iter::from_fn(|| connection.poll_event()).collect();
                    for event in events {
                        self.frame(c, event);
                    }
                    self.flush(c);
                }
            },
        }
    }

    fn frame(&mut self, c: usize, event: ConnectionEvent) {
        match event {
            ConnectionEvent::Text(text) => self.text(c, &text),
            ConnectionEvent::Opened { .. } => self.schedule(10_000, Event::Act(c)),
            ConnectionEvent::Closed { code, failure: None, .. } => self.closed(c, code.0),
            // There is no room, which a handshake is told by HTTP.
            ConnectionEvent::Closed {
                failure: Some(Failure::Handshake(Error::Status(503))),
                ..
            } if self.plan.rates.of(Fault::Descriptors) > 0 => {
                self.clients[c].closed = Some(503);
            }
            ConnectionEvent::Closed { failure: Some(failure), .. } => {
                self.model.violation(Law::Shape, &format!("{failure:?}"));
            }
            ConnectionEvent::Binary(message) => self.binary(c, &message),
            ConnectionEvent::Requested(_) | ConnectionEvent::Ping(_) | ConnectionEvent::Pong(_) => {
            }
        }
    }

    /// The connection is over, broken or not.
    pub(crate) fn gone(&mut self, c: usize, broken: bool) {
        let now = self.now.monotonic;
        let client = &mut self.clients[c];
        let number = client.pipe.take();
        let pipe = number.map(|pipe| &self.pipes[pipe]);
        let whole = !client.leaving && pipe.is_some_and(Pipe::was_read);
        let heard = pipe.is_some_and(|pipe| pipe.heard_end);
        let dismissed = pipe.is_some_and(|pipe| pipe.dismissed);
        // Who does not read is not waited for longer than a close may take, and whose bytes stand
        // still not longer than for any that says nothing.
        let patient = Duration::from_millis(self.plan.limits.engine.close_timeout_ms);
        let slow = self.injected.has_slowed();
        let owed = client.half_closed.is_some_and(|at| !slow || heard && now < at + patient);
        let owed = owed && !dismissed;
        if owed {
            self.model.checked(Law::HalfClose);
        }
        let words = client.pending.iter().map(|pending| &pending.word);
        let words: Vec<&String> = words.chain(client.calls.keys()).collect();
        if owed && !broken && client.closed.is_none() && !words.is_empty() {
            let what = format!("client {c}: {words:?} have none");
            self.model.violation(Law::HalfClose, &what);
        }
        if !broken {
            self.visit_ended(c);
        }
        self.mailbox_left(c, number, whole);
        self.calls_are_over(c);
        let client = &mut self.clients[c];
        client.io = Io::None;
        client.session = None;
        let pending = std::mem::take(&mut client.pending);
        client.leave_places();
        if let Some(period) = client.period.take() {
            self.model.end_period(&period, false);
        }
        for pending in pending {
            match pending.kind {
                Kind::Message { op } | Kind::Publish { op, .. } | Kind::Sending { op } => {
                    self.model.unknown(op);
                }
                Kind::Password { new } => self.people[self.clients[c].user].passwords.push(new),
                _ => {}
            }
        }
        if self.phase != Phase::Leave {
            // Not before that, or who finds the server down comes back twice as often each time.
            let back = now + self.draw(300_000);
            let at = self.clients[c].wait_until.max(back);
            self.clients[c].wait_until = at;
            self.schedule_at(at, Event::Act(c));
        }
    }
}
