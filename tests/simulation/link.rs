//! The network: bytes cut anywhere, each piece later than the one before it, ends and resets.
//!
//! Law: a stream keeps its order and loses nothing but what a reset cuts off (TCP). What a client
//! does not read fills its window, and then stays with the server.

use std::collections::VecDeque;
use std::time::Duration;

use stentor::base::id::{ConnectionId, LoopId};
use stentor::engine::{Input, Outputs};
use stentor::router::Router;

use crate::faults::Fault;
use crate::planted::Planted;
use crate::world::{Event, World};

/// How long a direction stands still at most.
const STALL_MAX: Duration = Duration::from_secs(20);
/// How late a piece is at most, in microseconds.
const DELAY_MAX: u64 = 400_000;
/// After this long the kernel gives up on a peer that acknowledges nothing.
const TCP_USER_TIMEOUT: Duration = Duration::from_secs(130);

/// A piece of a stream.
#[derive(Debug)]
pub(crate) enum Piece {
    Bytes(Vec<u8>),
    /// The sender sends no more.
    End,
    /// The stream broke.
    Reset,
}

/// One TCP connection; never used twice.
#[derive(Debug)]
pub(crate) struct Pipe {
    pub(crate) client: usize,
    pub(crate) home: LoopId,
    /// Which life of the server it came to.
    pub(crate) life: u64,
    /// None once the server has forgotten it.
    pub(crate) connection: Option<ConnectionId>,
    up_at: Duration,
    down_at: Duration,
    /// The server does not read.
    pub(crate) paused: bool,
    pub(crate) waiting: VecDeque<Piece>,
    /// Bytes on their way to the client, or not read by it.
    unread: usize,
    /// The server has more to send than the window takes.
    wants: bool,
    stalled: VecDeque<Piece>,
    ended_up: bool,
    ended_down: bool,
    /// The server has heard that the client sends no more.
    pub(crate) heard_end: bool,
    /// A byte of the client has reached the server.
    pub(crate) spoke: bool,
    /// A server that goes down has ended it before that: it has nothing to say to whom it does not
    /// know the language of.
    pub(crate) dismissed: bool,
    /// The server has taken it from its listener.
    pub(crate) accepted: bool,
    /// Nothing arrives any more, either way.
    vanished: bool,
    /// It broke, maybe with something under way.
    torn: bool,
}

impl Pipe {
    pub(crate) const fn new(client: usize, home: LoopId, now: Duration) -> Self {
        Self {
            client,
            home,
            life: 0,
            connection: None,
            up_at: now,
            down_at: now,
            paused: false,
            waiting: VecDeque::new(),
            unread: 0,
            wants: false,
            stalled: VecDeque::new(),
            ended_up: false,
            ended_down: false,
            heard_end: false,
            spoke: false,
            dismissed: false,
            accepted: false,
            vanished: false,
            torn: false,
        }
    }

    /// Whether all that the server's kernel took has come to the client.
    pub(crate) const fn was_read(&self) -> bool {
        !self.vanished && !self.torn && self.unread == 0
    }
}

impl World {
    /// The client sends: pieces of any length, each a little later.
    pub(crate) fn send_up(&mut self, pipe: usize, bytes: &[u8]) {
        let mut rest = bytes;
        if !bytes.is_empty() {
            self.weather(pipe);
        }
        while !rest.is_empty() && !self.pipes[pipe].ended_up {
            let mut len = rest.len();
            if self.strikes(Fault::Cut) {
                let longest = 1 + self.rng.below(1 + 2 * rest.len() as u64);
                len = (1 + self.rng.below(longest) as usize).min(len);
            }
            let (piece, after) = rest.split_at(len);
            rest = after;
            self.fly_up(pipe, Piece::Bytes(piece.to_vec()));
        }
    }

    /// The client sends no more, or breaks the stream.
    pub(crate) fn end_up(&mut self, pipe: usize, piece: Piece) {
        if !self.pipes[pipe].ended_up {
            self.fly_up(pipe, piece);
            self.pipes[pipe].ended_up = true;
        }
    }

    /// What the network does to a connection on which something is sent.
    fn weather(&mut self, pipe: usize) {
        let now = self.now.monotonic;
        let Pipe { up_at, down_at, .. } = self.pipes[pipe];
        if up_at.max(down_at) < now + STALL_MAX && self.strikes(Fault::Stall) {
            let still = now + Duration::from_micros(self.rng.below(STALL_MAX.as_micros() as u64));
            let up = self.rng.below(2) == 0;
            let end = if up { &mut self.pipes[pipe].up_at } else { &mut self.pipes[pipe].down_at };
            *end = still.max(*end);
        }
        if self.strikes(Fault::Reset) {
            self.pipes[pipe].torn = true;
            self.end_up(pipe, Piece::Reset);
            self.end_down(pipe, Piece::Reset);
        }
        if !self.pipes[pipe].vanished && self.strikes(Fault::Vanish) {
            self.pipes[pipe].vanished = true;
            // Each end finds out by itself, sooner or later.
            let client = Duration::from_micros(self.rng.below(30_000_000));
            self.schedule_at(now + client, Event::Down(pipe, Piece::Reset));
            self.schedule_at(now + TCP_USER_TIMEOUT, Event::Up(pipe, Piece::Reset));
        }
    }

    /// How long a piece is under way.
    fn flight(&mut self) -> Duration {
        let usual = self.draw(self.plan.delays.network);
        if self.strikes(Fault::Delay) { usual + self.draw(DELAY_MAX) } else { usual }
    }

    fn fly_up(&mut self, pipe: usize, piece: Piece) {
        if self.pipes[pipe].vanished {
            return;
        }
        let delay = self.flight();
        let at = self.pipes[pipe].up_at.max(self.now.monotonic) + delay;
        self.pipes[pipe].up_at = at;
        self.schedule_at(at, Event::Up(pipe, piece));
    }

    /// A piece has come to the server.
    pub(crate) fn arrive_up(&mut self, pipe: usize, piece: Piece) {
        // What was read before the driver was told to pause is handed over all the same.
        let late = self.rng.below(4) == 0;
        let stops = !self.pipes[pipe].accepted || self.pipes[pipe].paused && !late;
        let waits = !self.pipes[pipe].waiting.is_empty() || stops;
        if waits && !matches!(piece, Piece::Reset) {
            self.pipes[pipe].waiting.push_back(piece);
        } else {
            self.hand_over(pipe, piece);
        }
    }

    fn hand_over(&mut self, pipe: usize, piece: Piece) {
        let Pipe { home, connection: Some(connection), .. } = self.pipes[pipe] else { return };
        let now = self.now;
        let Some(engine) = self.server.engine(home) else { return };
        let mut out = Outputs::default();
        match piece {
            Piece::Bytes(mut bytes) => {
                self.trace.note(now.monotonic, ("up", pipe), &bytes);
                self.pipes[pipe].spoke = true;
                engine.input(now, Input::Received { connection, bytes: &mut bytes }, &mut out);
                if let Some(lent) = out.lent.take() {
                    engine.refused(connection, &bytes[lent]);
                    self.pipes[pipe].wants = true;
                    self.schedule(1, Event::Drain(pipe));
                }
            }
            Piece::End => {
                self.trace.note(now.monotonic, ("up end", pipe), b"");
                self.pipes[pipe].heard_end = true;
                engine.input(now, Input::Finished { connection }, &mut out);
            }
            Piece::Reset => {
                self.trace.note(now.monotonic, ("up reset", pipe), b"");
                engine.input(now, Input::Lost { connection }, &mut out);
                self.pipes[pipe].connection = None;
            }
        }
        self.carry_out(home, out);
    }

    /// The server reads again.
    pub(crate) fn resume(&mut self, pipe: usize) {
        if self.plan.planted == Some(Planted::NoResume) && self.rng.below(3) == 0 {
            return;
        }
        self.pipes[pipe].paused = false;
        while !self.pipes[pipe].paused
            && let Some(piece) = self.pipes[pipe].waiting.pop_front()
        {
            self.hand_over(pipe, piece);
        }
    }

    /// The kernel takes what the window allows, in pieces.
    pub(crate) fn pump(&mut self, pipe: usize, out: &mut Outputs<Router>) {
        loop {
            let Pipe { home, connection: Some(connection), .. } = self.pipes[pipe] else { return };
            let now = self.now;
            let room = self.plan.window.saturating_sub(self.pipes[pipe].unread);
            let Some(engine) = self.server.engine(home) else { return };
            let queued = engine.queued(connection).collect::<Vec<&[u8]>>().concat();
            if queued.is_empty() || room == 0 {
                self.pipes[pipe].wants = !queued.is_empty();
                return;
            }
            let mut len = queued.len().min(room);
            if self.strikes(Fault::Cut) {
                len = 1 + self.rng.below(len as u64) as usize;
            }
            self.weather(pipe);
            let Some(engine) = self.server.engine(home) else { return };
            engine.sent(now, connection, len, out);
            self.trace.note(now.monotonic, ("sent", pipe), &queued[..len]);
            self.pipes[pipe].unread += len;
            self.fly_down(pipe, Piece::Bytes(queued[..len].to_vec()));
        }
    }

    /// The server sends no more, or is gone.
    pub(crate) fn end_down(&mut self, pipe: usize, piece: Piece) {
        if !self.pipes[pipe].ended_down {
            self.fly_down(pipe, piece);
            self.pipes[pipe].ended_down = true;
        }
    }

    fn fly_down(&mut self, pipe: usize, piece: Piece) {
        if self.pipes[pipe].vanished {
            return;
        }
        let delay = self.flight();
        let at = self.pipes[pipe].down_at.max(self.now.monotonic) + delay;
        self.pipes[pipe].down_at = at;
        self.schedule_at(at, Event::Down(pipe, piece));
    }

    /// A piece has come to the client.
    pub(crate) fn arrive_down(&mut self, pipe: usize, piece: Piece) {
        let client = self.pipes[pipe].client;
        if self.clients[client].stalled {
            self.pipes[pipe].stalled.push_back(piece);
            return;
        }
        self.read(pipe, piece);
    }

    /// The client reads what waited for it.
    pub(crate) fn read_on(&mut self, pipe: usize) {
        while let Some(piece) = self.pipes[pipe].stalled.pop_front() {
            self.read(pipe, piece);
        }
    }

    fn read(&mut self, pipe: usize, piece: Piece) {
        if let Piece::Bytes(bytes) = &piece {
            self.trace.note(self.now.monotonic, ("down", pipe), bytes);
            self.pipes[pipe].unread -= bytes.len();
            if self.pipes[pipe].wants {
                self.pipes[pipe].wants = false;
                self.schedule(self.plan.delays.network, Event::Drain(pipe));
            }
        }
        let client = self.pipes[pipe].client;
        if self.clients[client].pipe == Some(pipe) {
            self.heard(client, piece);
        }
    }

    /// The server's side is writable again.
    pub(crate) fn drain(&mut self, pipe: usize) {
        let home = self.pipes[pipe].home;
        let mut out = Outputs::default();
        self.pump(pipe, &mut out);
        self.carry_out(home, out);
    }
}
