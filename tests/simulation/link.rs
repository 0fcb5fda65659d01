//! The network: bytes cut anywhere, each piece later than the one before it, ends and resets.
//!
//! Law: a stream keeps its order and loses nothing but what a reset cuts off (TCP). What a client
//! does not read fills its window, and then stays with the server.

use std::collections::VecDeque;
use std::time::Duration;

use stentor::base::id::{ConnectionId, LoopId};
use stentor::engine::{Input, Outputs};
use stentor::router::Router;

use crate::world::{Event, World};

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
    /// None once the server has forgotten it.
    pub(crate) connection: Option<ConnectionId>,
    up_at: Duration,
    down_at: Duration,
    /// The server does not read.
    pub(crate) paused: bool,
    waiting: VecDeque<Piece>,
    /// Bytes on their way to the client, or not read by it.
    unread: usize,
    /// The server has more to send than the window takes.
    wants: bool,
    stalled: VecDeque<Piece>,
    ended_up: bool,
    ended_down: bool,
}

impl Pipe {
    pub(crate) const fn new(client: usize, home: LoopId, now: Duration) -> Self {
        Self {
            client,
            home,
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
        }
    }
}

impl World {
    /// The client sends: pieces of any length, each a little later.
    pub(crate) fn send_up(&mut self, pipe: usize, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() && !self.pipes[pipe].ended_up {
            let longest = 1 + self.rng.below(1 + 2 * rest.len() as u64);
            let len = (1 + self.rng.below(longest) as usize).min(rest.len());
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

    fn fly_up(&mut self, pipe: usize, piece: Piece) {
        let delay = self.draw(self.plan.delays.network);
        let at = self.pipes[pipe].up_at.max(self.now.monotonic) + delay;
        self.pipes[pipe].up_at = at;
        self.schedule_at(at, Event::Up(pipe, piece));
    }

    /// A piece has come to the server.
    pub(crate) fn arrive_up(&mut self, pipe: usize, piece: Piece) {
        // What was read before the driver was told to pause is handed over all the same.
        let late = self.rng.below(4) == 0;
        let waits = !self.pipes[pipe].waiting.is_empty() || self.pipes[pipe].paused && !late;
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
                engine.input(now, Input::Received { connection, bytes: &mut bytes }, &mut out);
                if let Some(lent) = out.lent.take() {
                    engine.refused(connection, &bytes[lent]);
                    self.pipes[pipe].wants = true;
                    self.schedule(1, Event::Drain(pipe));
                }
            }
            Piece::End => {
                self.trace.note(now.monotonic, ("up end", pipe), b"");
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
            let most = queued.len().min(room) as u64;
            let len = if self.rng.below(2) == 0 { most } else { 1 + self.rng.below(most) } as usize;
            let Some(engine) = self.server.engine(home) else { return };
            engine.sent(now, connection, len, out);
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
        let delay = self.draw(self.plan.delays.network);
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
