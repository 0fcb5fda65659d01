//! The mixed load of the soak: publications to many, messages to the disk, requests, and visitors,
//! all from one thread, in a fixed order and at a pace.
//!
//! Law: what is begun is counted until it is over, and a run ends with nothing in flight. Times count
//! from when a thing was due, not from when it was sent: who stops makes all wait that were due
//! meanwhile (no coordinated omission).

mod clock;
mod peer;
mod tally;
mod visit;
mod world;

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::time::Duration;

pub(crate) use self::tally::{Kind, Times};

use self::clock::Clock;
use self::peer::{Peer, Way};
use self::tally::{Flights, Next};
use self::visit::{Enter, Visit};
use self::world::{Role, World};
use super::{PATIENCE, Poll};
use crate::messenger::Messenger;
use crate::system::{Outcome, Running};

/// The order of things: of so many 4 are publications, 8 messages, one is a visit, 51 are requests.
const ROUND: u64 = 64;
/// At full speed so many are not over.
const IN_FLIGHT: usize = 256;
/// More than that are not over: the server has stopped.
const OUTSTANDING_MAX: usize = 100_000;
/// Visitors at once.
const VISITS: usize = 256;
/// So often one enters with a password, whatever the pace: a hash costs as much as 10,000 requests.
const PASSWORD_EVERY: Duration = Duration::from_secs(1);
/// Before a look nobody comes or goes for so long, so that descriptors can be compared.
const QUIET: Duration = Duration::from_millis(20);
/// Bytes of text in a publication: of the first channel long enough to be compressed for everyone.
const TEXT_BYTES: [usize; 2] = [1400, 48];
/// Bytes of a message: long for a chat, so that the database's cache is full within a minute or two.
const CONTENT_BYTES: usize = 600;

/// Who is there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Crowd {
    pub(crate) channels: usize,
    /// Of each channel.
    pub(crate) subscribers: usize,
    pub(crate) rooms: usize,
    /// Of each room, beside the one who sends.
    pub(crate) members: usize,
    pub(crate) pingers: usize,
}

impl Crowd {
    /// Those who stay connected, and those who come and go.
    pub(crate) const fn users(&self) -> usize {
        let stay = self.channels * (1 + self.subscribers) + self.rooms * (1 + self.members);
        stay + self.pingers + VISITS
    }
}

/// How fast things are begun.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pace {
    /// The next when there are fewer than [`IN_FLIGHT`].
    Full,
    /// So many a second.
    PerSecond(f64),
}

/// What a run did.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ran {
    pub(crate) things: u64,
    pub(crate) took: Duration,
    /// For how long the bench itself was stopped by somebody else.
    pub(crate) paused: Duration,
}

/// The load.
pub(crate) struct Soak<'a> {
    server: &'a Running,
    messenger: &'a Messenger,
    crowd: Crowd,
    poll: Poll,
    /// Publishers, senders, those who ping, then those who only listen.
    peers: Vec<(Peer, Role)>,
    /// The ids of the rooms.
    rooms: Vec<String>,
    visits: Vec<Option<Visit>>,
    free: Vec<usize>,
    /// Visits that are due and not begun.
    waiting: VecDeque<Duration>,
    visited: u64,
    /// Who has an account, those whose making is not over, and whether one of the first came last.
    accounts: u64,
    registered: u64,
    returns: bool,
    next_password: Duration,
    world: World,
    slot: u64,
    buffer: Vec<u8>,
    text: String,
    content: String,
}

impl<'a> Soak<'a> {
    /// Brings everybody who stays.
    pub(crate) fn new(
        server: &'a Running,
        messenger: &'a Messenger,
        crowd: Crowd,
    ) -> Outcome<Self> {
        let flights = |many, receivers| (0..many).map(|_| Flights::new(receivers)).collect();
        let world = World {
            channels: flights(crowd.channels, crowd.subscribers),
            rooms: flights(crowd.rooms, crowd.members),
            times: Times::new()?,
            outstanding: 0,
            moved: 0,
        };
        let mut soak = Self {
            server,
            messenger,
            crowd,
            poll: Poll::new()?,
            peers: Vec::new(),
            rooms: Vec::new(),
            visits: (0..VISITS).map(|_| None).collect(),
            free: (0..VISITS).collect(),
            waiting: VecDeque::new(),
            visited: 0,
            accounts: 0,
            registered: 0,
            returns: false,
            next_password: Duration::ZERO,
            world,
            slot: 0,
            buffer: vec![0; 256 * 1024],
            text: String::new(),
            content: "words ".repeat(CONTENT_BYTES / 6),
        };
        soak.gather()?;
        Ok(soak)
    }

    fn gather(&mut self) -> Outcome<()> {
        let crowd = self.crowd;
        for _ in 0..crowd.channels {
            self.join(&[], Role::Publisher(VecDeque::new()))?;
        }
        for room in 0..crowd.rooms {
            let room = format!(
                "{{\"type\":\"create_room\",\"name\":\"r{room}\",\"visibility\":\"public\"}}"
            );
            let reply = self.join(&[room], Role::Sender(VecDeque::new(), Next(1)))?;
            let id = reply.split("\"id\":\"").nth(1).and_then(|rest| rest.split('"').next());
            self.rooms.push(id.ok_or("a room without an id")?.to_owned());
        }
        for _ in 0..crowd.pingers {
            self.join(&[], Role::Pinger(VecDeque::new()))?;
        }
        for place in 0..crowd.channels * crowd.subscribers {
            let channel = place % crowd.channels;
            let subscribe = format!("{{\"type\":\"subscribe\",\"channel\":\"{}\"}}", name(channel));
            self.join(&[subscribe], Role::Subscriber(channel, Next(1)))?;
        }
        for place in 0..crowd.rooms * crowd.members {
            let room = place % crowd.rooms;
            let join = format!("{{\"type\":\"join_room\",\"room_id\":\"{}\"}}", self.rooms[room]);
            self.join(&[join], Role::Member(room, Next(1)))?;
        }
        Ok(())
    }

    /// A user comes to stay; the last reply.
    fn join(&mut self, requests: &[String], role: Role) -> Outcome<String> {
        let user = self.peers.len();
        let mut peer = Peer::begin(self.server.address, Way::of(user))?;
        let mut reply = peer.ask(&self.messenger.auth(user))?;
        for request in requests {
            reply = peer.ask(request)?;
        }
        self.poll.add(&peer.stream, user, true)?;
        self.peers.push((peer, role));
        Ok(reply)
    }

    /// Those who stay.
    pub(crate) fn stay(&self) -> usize {
        self.peers.len()
    }

    /// How long things took since the last run began.
    pub(crate) const fn times(&self) -> &Times {
        &self.world.times
    }

    /// Accounts that were made.
    pub(crate) const fn accounts(&self) -> u64 {
        self.accounts
    }

    /// Goes on for `span`, then until everything is over; `look` is called each `every`, at a moment
    /// when no visitor is there.
    pub(crate) fn run(
        &mut self,
        pace: Pace,
        span: Duration,
        every: Duration,
        look: &mut dyn FnMut(Duration, &Times) -> Outcome<()>,
    ) -> Outcome<Ran> {
        self.world.times.clear();
        self.next_password = Duration::ZERO;
        let first = self.slot;
        let mut clock = Clock::start();
        let mut next_look = every / 2;
        let (mut quiet_since, mut moved_at, mut moved) = (None, Duration::ZERO, self.world.moved);
        loop {
            let now = clock.now();
            if now < span {
                self.begin_due(pace, first, now)?;
            } else if self.world.outstanding == 0 {
                let things = self.slot - first;
                return Ok(Ran { things, took: now, paused: clock.paused() });
            } else {
                self.visits.iter_mut().flatten().try_for_each(Visit::hurry)?;
            }
            let looks = now >= next_look && now < span;
            if !looks {
                self.open_visits(now)?;
            } else if self.free.len() < VISITS {
                quiet_since = None;
            } else if now - *quiet_since.get_or_insert(now) >= QUIET {
                look(now, &self.world.times)?;
                next_look += every;
                quiet_since = None;
                // They did not come because we looked, which is not the server's doing.
                self.waiting.iter_mut().for_each(|due| *due = now);
            }
            if self.world.moved > moved || self.world.outstanding == 0 {
                (moved, moved_at) = (self.world.moved, now);
            } else if now - moved_at > PATIENCE {
                return Err(self.missing().into());
            }
            self.poll.wait_for(self.rest(pace, first, now))?;
            self.take_all(&mut clock)?;
        }
    }

    /// What is not over.
    fn missing(&self) -> String {
        let mut text = self.world.missing();
        for (_, role) in self.peers.iter().filter(|(_, role)| role.unanswered() > 0) {
            let _ = write!(text, "; {role} has {} unanswered", role.unanswered());
        }
        for visit in self.visits.iter().flatten().take(10) {
            let _ = write!(text, "; {visit}");
        }
        text
    }

    /// How long there is nothing to begin.
    fn rest(&self, pace: Pace, first: u64, now: Duration) -> Duration {
        const MOST: Duration = Duration::from_millis(5);
        match pace {
            Pace::Full => MOST,
            Pace::PerSecond(rate) => due(rate, self.slot - first).saturating_sub(now).min(MOST),
        }
    }

    fn begin_due(&mut self, pace: Pace, first: u64, now: Duration) -> Outcome<()> {
        match pace {
            Pace::Full => {
                while self.world.outstanding < IN_FLIGHT {
                    self.begin(now)?;
                }
            }
            Pace::PerSecond(rate) => loop {
                let due = due(rate, self.slot - first);
                if due > now {
                    break;
                }
                self.world.times.record(Kind::Late, due, now)?;
                self.begin(due)?;
            },
        }
        Ok(())
    }

    /// Begins what comes next.
    fn begin(&mut self, due: Duration) -> Outcome<()> {
        if self.world.outstanding >= OUTSTANDING_MAX {
            return Err(self.missing().into());
        }
        let (slot, crowd) = (self.slot, self.crowd);
        self.slot += 1;
        self.world.outstanding += 1;
        match slot % ROUND {
            at if at % 16 == 0 => self.publish((slot / 16) as usize % crowd.channels, due),
            at if at % 8 == 4 => self.message((slot / 8) as usize % crowd.rooms, due),
            31 => {
                self.waiting.push_back(due);
                Ok(())
            }
            _ => {
                let pinger = crowd.channels + crowd.rooms + slot as usize % crowd.pingers;
                self.request(pinger, "{\"type\":\"ping\",\"request_id\":7}", due)
            }
        }
    }

    fn publish(&mut self, channel: usize, due: Duration) -> Outcome<()> {
        let number = self.world.channels[channel].send(due)?;
        // The publication is over when all have it, its reply is one thing more.
        self.world.outstanding += 1;
        let bytes = TEXT_BYTES[channel.min(1)];
        let mut text = std::mem::take(&mut self.text);
        text.clear();
        write!(
            text,
            "{{\"type\":\"publish\",\"channel\":\"{}\",\"payload\":{{\"n\":{number},\"text\":\"",
            name(channel)
        )?;
        let length = text.len() + bytes;
        while text.len() < length {
            write!(text, "word {} ", text.len() as u64 * number)?;
        }
        text.push_str("\"}}");
        self.request(channel, &text, due)?;
        self.text = text;
        Ok(())
    }

    fn message(&mut self, room: usize, due: Duration) -> Outcome<()> {
        self.world.rooms[room].send(due)?;
        self.world.outstanding += 1;
        let id = &self.rooms[room];
        let text = format!(
            "{{\"type\":\"message\",\"chat_id\":\"{id}\",\"content\":\"{}\"}}",
            self.content
        );
        self.request(self.crowd.channels + room, &text, due)
    }

    fn request(&mut self, place: usize, text: &str, due: Duration) -> Outcome<()> {
        let (peer, role) = &mut self.peers[place];
        match role {
            Role::Publisher(unanswered)
            | Role::Pinger(unanswered)
            | Role::Sender(unanswered, _) => {
                unanswered.push_back(due);
            }
            Role::Subscriber(..) | Role::Member(..) => return Err("they only listen".into()),
        }
        Ok(peer.send(text)?)
    }

    /// Lets in as many visitors as there is room for.
    fn open_visits(&mut self, now: Duration) -> Outcome<()> {
        while let (Some(&place), false) = (self.free.last(), self.waiting.is_empty()) {
            let Some(due) = self.waiting.pop_front() else { break };
            self.free.pop();
            let number = self.visited;
            self.visited += 1;
            let enter = self.enter(place, now);
            let channel = name(number as usize % self.crowd.channels);
            let visit = Visit::begin(self.server.address, number, enter, channel, due)?;
            self.poll.add(&visit.peer.stream, self.peers.len() + place, true)?;
            self.visits[place] = Some(visit);
        }
        Ok(())
    }

    fn enter(&mut self, place: usize, now: Duration) -> Enter {
        if now < self.next_password {
            return Enter::Token(self.messenger.auth(self.peers.len() + place));
        }
        self.next_password = now + PASSWORD_EVERY;
        // A new account, and the next time one that is there.
        self.returns = !self.returns && self.accounts > 0;
        if self.returns {
            return Enter::Login(self.accounts);
        }
        self.registered += 1;
        Enter::Register(self.registered)
    }

    fn take_all(&mut self, clock: &mut Clock) -> Outcome<()> {
        for place in self.poll.ready() {
            let now = clock.now();
            if let Some((peer, role)) = self.peers.get_mut(place) {
                let world = &mut self.world;
                peer.receive(&mut self.buffer, |peer, came| {
                    world
                        .hear(role, &came, now)
                        .map_err(|error| format!("{error} (over {peer})").into())
                })?;
                continue;
            }
            let place = place - self.peers.len();
            let Some(visit) = &mut self.visits[place] else { continue };
            if visit.go_on(&mut self.buffer)? {
                self.world.times.record(Kind::Visit, visit.due, now)?;
                self.world.outstanding -= 1;
                self.world.moved += 1;
                self.accounts = self.accounts.max(visit.account());
                self.visits[place] = None;
                self.free.push(place);
            }
        }
        Ok(())
    }
}

/// When the thing of this number is due.
fn due(per_second: f64, number: u64) -> Duration {
    Duration::from_secs_f64(number as f64 / per_second)
}

fn name(channel: usize) -> String {
    format!("public:soak-{channel}")
}
