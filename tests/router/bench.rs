//! One loop whose work is done at once, on a clock that the scene moves.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use stentor::base::id::{ConnectionId, LoopId};
use stentor::base::now::Now;
use stentor::base::rng::Rng;
use stentor::engine::{Accepted, Engine, Input, Output, Outputs};
use stentor::handler::Peer;
use stentor::hub::homes::Homes;
use stentor::protocol::websocket::handshake::client::{Error, Request};
use stentor::protocol::websocket::{Config, Connection, ConnectionEvent, Failure};
use stentor::router::Router;
use stentor::router::words::{Job, commit, hash, look_up};
use stentor::store::Store;
use stentor::store::memory::MemoryStore;

use crate::parts::{self, Limits, Plain};

/// A client's end.
struct End {
    id: ConnectionId,
    web: Option<Box<Connection>>,
    rest: Vec<u8>,
    heard: VecDeque<String>,
}

/// The loop and its clients, by name.
pub(crate) struct Bench {
    engine: Engine<Router>,
    pub(crate) store: MemoryStore,
    pub(crate) now: Now,
    ends: BTreeMap<String, End>,
    jobs: Vec<Job>,
    /// Whether jobs are left undone for now.
    waits: bool,
}

const START: Duration = Duration::from_secs(1000);

fn at(monotonic: Duration) -> Now {
    Now { monotonic, unix_ms: 1_800_000_000_000 + (monotonic - START).as_millis() as u64 }
}

impl Bench {
    pub(crate) fn new(limits: &Limits) -> Self {
        let now = at(START);
        let engine = parts::engine(limits, Homes::new(1, 1), LoopId(0), 1, parts::tokens());
        let (ends, jobs) = (BTreeMap::new(), Vec::new());
        Self { engine, store: MemoryStore::new(), now, ends, jobs, waits: false }
    }

    fn accept(&mut self, name: &str, address: [u8; 4], web: Option<Box<Connection>>) {
        let peer = Peer::from(std::net::SocketAddr::from((address, 9)));
        let mut out = Outputs::default();
        let id = self.engine.accept(self.now, Accepted { peer, refused: None }, &mut out);
        let end = End { id, web, rest: Vec::new(), heard: VecDeque::new() };
        assert!(self.ends.insert(name.to_owned(), end).is_none(), "{name} is there already");
        self.carry_out(out);
    }

    /// A connection that speaks lines: an empty one says so.
    pub(crate) fn lines(&mut self, name: &str, address: [u8; 4]) {
        self.accept(name, address, None);
        self.send(name, b"\n");
    }

    /// A WebSocket; the handshake is part of it.
    pub(crate) fn web(&mut self, name: &str, request: &Request<'_>) {
        let rng = Rng::new(name.len() as u64);
        let web = Connection::client(Config::default(), request, rng, self.now.monotonic);
        self.accept(name, [192, 0, 2, 1], Some(Box::new(web.expect("a request that can be sent"))));
        self.flush(name);
    }

    /// Raw bytes on a connection.
    pub(crate) fn send(&mut self, name: &str, bytes: &[u8]) {
        let connection = self.ends[name].id;
        let mut bytes = bytes.to_vec();
        let mut out = Outputs::default();
        self.engine.input(self.now, Input::Received { connection, bytes: &mut bytes }, &mut out);
        assert!(out.lent.is_none(), "the router lends nothing");
        self.carry_out(out);
    }

    /// A text message, or a binary one, or a line.
    pub(crate) fn say(&mut self, name: &str, message: &[u8], binary: bool) {
        let end = self.ends.get_mut(name).expect("a connection of the scene");
        match &mut end.web {
            None => self.send(name, &[message, b"\n"].concat()),
            Some(web) if binary => web.send_binary(message).expect("it is open"),
            Some(web) => {
                let text = std::str::from_utf8(message).expect("a scene is text");
                web.send_text(text).expect("it is open");
            }
        }
        self.flush(name);
    }

    fn flush(&mut self, name: &str) {
        let bytes = match &mut self.ends.get_mut(name).expect("a connection of the scene").web {
            Some(web) => web.take_output(),
            None => return,
        };
        if !bytes.is_empty() {
            self.send(name, &bytes);
        }
    }

    /// The client sends no more.
    pub(crate) fn finish(&mut self, name: &str) {
        let mut out = Outputs::default();
        self.engine.input(self.now, Input::Finished { connection: self.ends[name].id }, &mut out);
        self.carry_out(out);
    }

    /// Time passes, one deadline after the other.
    pub(crate) fn pass(&mut self, time: Duration) {
        let end = self.now.monotonic + time;
        while let Some(at) = self.engine.next_deadline().filter(|at| *at <= end) {
            self.advance(at.max(self.now.monotonic));
            let mut out = Outputs::default();
            self.engine.input(self.now, Input::Time, &mut out);
            self.carry_out(out);
        }
        self.advance(end);
    }

    fn advance(&mut self, to: Duration) {
        self.now = at(to);
    }

    fn carry_out(&mut self, mut out: Outputs<Router>) {
        loop {
            for output in std::mem::take(&mut out.list) {
                match output {
                    Output::Transmit(id) => {
                        let bytes: Vec<u8> = self.engine.queued(id).flatten().copied().collect();
                        self.engine.sent(self.now, id, bytes.len(), &mut out);
                        self.receive(id, bytes, &mut out);
                    }
                    Output::Job(job) => self.jobs.push(job),
                    Output::Shutdown(id) => self.end(id, "(end)", &mut out),
                    Output::Close(id) => self.end(id, "(closed)", &mut out),
                    Output::Pause(_) | Output::Resume(_) => {}
                    Output::Peer { .. } => panic!("there is one loop"),
                }
            }
            if (self.waits || self.jobs.is_empty()) && out.list.is_empty() {
                return;
            }
            if self.waits {
                continue;
            }
            for done in self.work() {
                self.engine.input(self.now, Input::Done(done), &mut out);
            }
        }
    }

    /// Leaves jobs undone from now on, or does what there is, and then all that comes of it.
    pub(crate) fn wait(&mut self, waits: bool) {
        self.waits = waits;
        if !waits {
            self.work_once();
        }
    }

    /// Does the jobs there are, but not what comes of them if they are to wait.
    pub(crate) fn work_once(&mut self) {
        let mut out = Outputs::default();
        for done in self.work() {
            self.engine.input(self.now, Input::Done(done), &mut out);
        }
        self.carry_out(out);
    }

    /// All work there is; writes in one batch, like a writer who was busy.
    fn work(&mut self) -> Vec<stentor::router::Done> {
        let (mut writes, mut done) = (Vec::new(), Vec::new());
        for job in std::mem::take(&mut self.jobs) {
            match job {
                Job::Write { .. } => writes.push(job),
                Job::Read { call, read } => {
                    let mut reader = self.store.reader().expect("memory can be read");
                    done.push(look_up(&mut *reader, call, &read));
                }
                Job::Password { call, task } => done.push(hash(&mut Plain, &[0; 16], call, task)),
            }
        }
        done.extend(commit(&mut self.store, self.now, writes, &Homes::new(1, 1)));
        done
    }

    /// The server sends no more; a WebSocket says then how it ended.
    fn end(&mut self, connection: ConnectionId, what: &str, out: &mut Outputs<Router>) {
        let Some(end) = self.ends.values_mut().find(|end| end.id == connection) else { return };
        if let Some(web) = &mut end.web {
            web.end_of_stream();
            end.heard.extend(std::iter::from_fn(|| web.poll_event()).filter_map(shown));
            self.engine.input(self.now, Input::Finished { connection }, out);
            return;
        }
        end.heard.push_back(what.to_owned());
    }

    fn receive(&mut self, id: ConnectionId, mut bytes: Vec<u8>, out: &mut Outputs<Router>) {
        let Some(end) = self.ends.values_mut().find(|end| end.id == id) else { return };
        match &mut end.web {
            None => {
                end.rest.extend_from_slice(&bytes);
                while let Some(at) = end.rest.iter().position(|byte| *byte == b'\n') {
                    let line: Vec<u8> = end.rest.drain(..=at).collect();
                    end.heard.push_back(String::from_utf8_lossy(&line[..at]).into_owned());
                }
            }
            Some(web) => {
                web.advance(self.now.monotonic);
                web.receive(&mut bytes);
                let events = std::iter::from_fn(|| web.poll_event());
                end.heard.extend(events.filter_map(shown));
                let mut answer = web.take_output();
                if !answer.is_empty() {
                    let input = Input::Received { connection: id, bytes: &mut answer };
                    self.engine.input(self.now, input, out);
                }
            }
        }
    }

    /// What was heard since, by name.
    pub(crate) fn heard(&mut self) -> Vec<(String, String)> {
        let mut all = Vec::new();
        for (name, end) in &mut self.ends {
            all.extend(end.heard.drain(..).map(|text| (name.clone(), text)));
        }
        all
    }
}

fn shown(event: ConnectionEvent) -> Option<String> {
    Some(match event {
        ConnectionEvent::Text(text) => text,
        ConnectionEvent::Binary(bytes) => match crate::binary::told(&bytes) {
            Ok(said) => format!("(protobuf) {said}"),
            Err(why) => format!("(binary, {why}) {bytes:?}"),
        },
        ConnectionEvent::Opened { subprotocol, .. } => {
            format!("(open {})", subprotocol.as_deref().unwrap_or("-"))
        }
        ConnectionEvent::Closed {
            failure: Some(Failure::Handshake(Error::Status(status))),
            ..
        } => {
            format!("(refused {status})")
        }
        ConnectionEvent::Closed { code, reason, .. } => format!("(close {} {reason})", code.0),
        ConnectionEvent::Requested(_) | ConnectionEvent::Ping(_) | ConnectionEvent::Pong(_) => {
            return None;
        }
    })
}
