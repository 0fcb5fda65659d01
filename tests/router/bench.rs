//! Loops whose work is done at once, on a clock that the scene moves; connections go round the loops.

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
use stentor::router::words::{Job, Word, commit, hash, look_up};
use stentor::store::Store;
use stentor::store::memory::MemoryStore;

use crate::parts::{self, Limits, Plain};

/// A client's end.
struct End {
    home: LoopId,
    id: ConnectionId,
    web: Option<Box<Connection>>,
    rest: Vec<u8>,
    heard: VecDeque<String>,
    /// It takes nothing of what is sent to it.
    stopped: bool,
}

/// The loops and their clients, by name.
pub(crate) struct Bench {
    engines: Vec<Engine<Router>>,
    homes: Homes,
    pub(crate) store: MemoryStore,
    pub(crate) now: Now,
    ends: BTreeMap<String, End>,
    jobs: Vec<Job>,
    /// From whom, to whom, what.
    words: VecDeque<(LoopId, LoopId, Word)>,
    /// Whether jobs are left undone for now.
    waits: bool,
    /// Whether words too are heard only when [`Bench::chance`] says so.
    held: bool,
}

const START: Duration = Duration::from_secs(1000);

fn at(monotonic: Duration) -> Now {
    Now { monotonic, unix_ms: 1_800_000_000_000 + (monotonic - START).as_millis() as u64 }
}

impl Bench {
    pub(crate) fn new(limits: &Limits, loops: u16) -> Self {
        let now = at(START);
        let homes = Homes::new(1, loops);
        let engine = |here: LoopId| {
            parts::engine(limits, homes, here, 1 + u64::from(here.0), parts::tokens())
        };
        let engines = homes.all().map(engine).collect();
        let (ends, jobs, words) = (BTreeMap::new(), Vec::new(), VecDeque::new());
        Self {
            engines,
            homes,
            store: MemoryStore::new(),
            now,
            ends,
            jobs,
            words,
            waits: false,
            held: false,
        }
    }

    fn accept(&mut self, name: &str, address: [u8; 4], web: Option<Box<Connection>>) {
        let peer = Peer::from(std::net::SocketAddr::from((address, 9)));
        let mut out = Outputs::default();
        let home = LoopId((self.ends.len() % self.engines.len()) as u16);
        let accepted = Accepted { peer, refused: None };
        let now = self.now;
        let id = self.engine(home).accept(now, accepted, &mut out);
        let end = End { home, id, web, rest: Vec::new(), heard: VecDeque::new(), stopped: false };
        assert!(self.ends.insert(name.to_owned(), end).is_none(), "{name} is there already");
        self.carry_out(home, out);
    }

    fn engine(&mut self, home: LoopId) -> &mut Engine<Router> {
        &mut self.engines[usize::from(home.0)]
    }

    /// Gives a loop something, and does what comes of it.
    fn input(&mut self, home: LoopId, input: Input<'_, Router>) {
        let (now, mut out) = (self.now, Outputs::default());
        self.engine(home).input(now, input, &mut out);
        assert!(out.lent.is_none(), "the router lends nothing");
        self.perform(home, out);
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
        let End { home, id, .. } = self.ends[name];
        self.input(home, Input::Received { connection: id, bytes: &mut bytes.to_vec() });
        self.settle();
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

    fn is_stopped(&self, home: LoopId, id: ConnectionId) -> bool {
        self.ends.values().any(|end| (end.home, end.id) == (home, id) && end.stopped)
    }

    /// The client takes nothing of what is sent to it.
    pub(crate) fn stop(&mut self, name: &str) {
        self.ends.get_mut(name).expect("a connection of the scene").stopped = true;
    }

    /// It takes all of it, again.
    pub(crate) fn read(&mut self, name: &str) {
        let end = self.ends.get_mut(name).expect("a connection of the scene");
        end.stopped = false;
        let mut out = Outputs::default();
        let home = end.home;
        out.list.push(Output::Transmit(end.id));
        self.carry_out(home, out);
    }

    /// The connection breaks.
    pub(crate) fn lose(&mut self, name: &str) {
        let End { home, id, .. } = self.ends[name];
        self.input(home, Input::Lost { connection: id });
        self.settle();
    }

    /// The client sends no more.
    pub(crate) fn finish(&mut self, name: &str) {
        let End { home, id, .. } = self.ends[name];
        self.input(home, Input::Finished { connection: id });
        self.settle();
    }

    /// Time passes, one deadline after the other.
    pub(crate) fn pass(&mut self, time: Duration) {
        let end = self.now.monotonic + time;
        while let Some((at, home)) = self.next_deadline().filter(|(at, _)| *at <= end) {
            self.advance(at.max(self.now.monotonic));
            self.input(home, Input::Time);
            self.settle();
        }
        self.advance(end);
    }

    fn next_deadline(&self) -> Option<(Duration, LoopId)> {
        let next =
            |(engine, home): (&Engine<Router>, LoopId)| Some((engine.next_deadline()?, home));
        self.engines.iter().zip(self.homes.all()).filter_map(next).min()
    }

    fn advance(&mut self, to: Duration) {
        self.now = at(to);
    }

    fn carry_out(&mut self, home: LoopId, out: Outputs<Router>) {
        self.perform(home, out);
        self.settle();
    }

    /// What a loop asks for, but for its words and jobs.
    fn perform(&mut self, home: LoopId, mut out: Outputs<Router>) {
        while !out.list.is_empty() {
            for output in std::mem::take(&mut out.list) {
                match output {
                    Output::Transmit(id) if self.is_stopped(home, id) => {}
                    Output::Transmit(id) => {
                        let queued = self.engine(home).queued(id);
                        let bytes: Vec<u8> = queued.flatten().copied().collect();
                        let now = self.now;
                        self.engine(home).sent(now, id, bytes.len(), &mut out);
                        self.receive(home, id, bytes, &mut out);
                    }
                    Output::Job(job) => self.jobs.push(job),
                    Output::Shutdown(id) => self.end(home, id, "(end)", &mut out),
                    Output::Close(id) => self.end(home, id, "(closed)", &mut out),
                    Output::Pause(_) | Output::Resume(_) => {}
                    Output::Peer { to, message } => self.words.push_back((home, to, message)),
                }
            }
        }
    }

    /// Words are heard and jobs are done until there are none.
    fn settle(&mut self) {
        while !self.held {
            if let Some((from, to, message)) = self.words.pop_front() {
                self.input(to, Input::Peer { from, message });
            } else if self.waits || self.jobs.is_empty() {
                return;
            } else {
                self.hear_work();
            }
        }
    }

    /// From now on loops hear each other, and jobs are done, one by one.
    pub(crate) fn hold(&mut self) {
        self.held = true;
    }

    /// One of the things that wait, whichever: a word (what one loop says to another keeps its order)
    /// or the jobs. Whether there was any.
    pub(crate) fn chance(&mut self, rng: &mut Rng) -> bool {
        let mut ways: Vec<(LoopId, LoopId)> =
            self.words.iter().map(|(from, to, _)| (*from, *to)).collect();
        ways.sort_unstable();
        ways.dedup();
        let all = ways.len() + usize::from(!self.jobs.is_empty());
        if all == 0 {
            return false;
        }
        let Some(way) = ways.get(rng.below(all as u64) as usize) else {
            self.hear_work();
            return true;
        };
        let at = self.words.iter().position(|(from, to, _)| (*from, *to) == *way);
        let (from, to, message) = self.words.remove(at.expect("it is there")).expect("it is");
        self.input(to, Input::Peer { from, message });
        true
    }

    fn hear_work(&mut self) {
        for done in self.work() {
            self.input(done.route(&self.homes), Input::Done(done));
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
        self.hear_work();
        self.settle();
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
        done.extend(commit(&mut self.store, self.now, writes, &self.homes));
        done
    }

    /// The server sends no more; a WebSocket says then how it ended.
    fn end(&mut self, home: LoopId, id: ConnectionId, what: &str, out: &mut Outputs<Router>) {
        let Some(end) = self.ends.values_mut().find(|end| (end.home, end.id) == (home, id)) else {
            return;
        };
        if let Some(web) = &mut end.web {
            web.end_of_stream();
            end.heard.extend(std::iter::from_fn(|| web.poll_event()).filter_map(shown));
            let now = self.now;
            self.engine(home).input(now, Input::Finished { connection: id }, out);
            return;
        }
        end.heard.push_back(what.to_owned());
    }

    fn receive(
        &mut self,
        home: LoopId,
        id: ConnectionId,
        mut bytes: Vec<u8>,
        out: &mut Outputs<Router>,
    ) {
        let Some(end) = self.ends.values_mut().find(|end| (end.home, end.id) == (home, id)) else {
            return;
        };
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
                    let now = self.now;
                    self.engine(home).input(now, input, out);
                }
            }
        }
    }

    /// The routers of the loops.
    pub(crate) fn routers(&self) -> impl Iterator<Item = &Router> {
        self.engines.iter().map(Engine::handler)
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
