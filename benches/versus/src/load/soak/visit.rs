//! Those who come and go: connect, enter, subscribe, hear one publication, leave.
//!
//! Law: every step waits for its answer, and a refusal is an error. By turns a visitor speaks each
//! way, goes with a goodbye or without, and enters with a token, a new account or an old one.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use super::peer::{Came, Peer, STATUS, Way};
use super::world::{PUBLISHED, is_ok};
use crate::system::Outcome;

/// How somebody enters.
#[derive(Clone, Debug)]
pub(super) enum Enter {
    /// The request that does it, token included.
    Token(String),
    Register(u64),
    Login(u64),
}

/// What a visitor waits for.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Step {
    Opening,
    Entering,
    Subscribing,
    Hearing,
    Unsubscribing,
    LoggingOut,
    Closing,
    Gone,
}

pub(super) struct Visit {
    pub(super) peer: Peer,
    pub(super) due: Duration,
    course: Course,
}

impl std::fmt::Display for Visit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} over {}", self.course, self.peer)
    }
}

/// Where a visit is, and where it goes.
struct Course {
    step: Step,
    enter: Enter,
    channel: String,
    /// With a goodbye.
    polite: bool,
    /// Nothing is published any more.
    hurried: bool,
}

impl Visit {
    pub(super) fn begin(
        address: SocketAddr,
        number: u64,
        enter: Enter,
        channel: String,
        due: Duration,
    ) -> io::Result<Self> {
        let peer = Peer::begin(address, Way::of(number as usize))?;
        let polite = !number.is_multiple_of(3);
        let course = Course { step: Step::Opening, enter, channel, polite, hurried: false };
        Ok(Self { peer, due, course })
    }

    /// Goes on with what came; whether the visit is over.
    pub(super) fn go_on(&mut self, buffer: &mut [u8]) -> Outcome<bool> {
        let course = &mut self.course;
        self.peer.receive(buffer, |peer, came| course.hear(peer, &came))?;
        Ok(course.step == Step::Gone)
    }

    /// The number of the account that was made, where one was.
    pub(super) const fn account(&self) -> u64 {
        match self.course.enter {
            Enter::Register(number) => number,
            _ => 0,
        }
    }

    /// Does not wait for a publication.
    pub(super) fn hurry(&mut self) -> io::Result<()> {
        self.course.hurried = true;
        if self.course.step == Step::Hearing {
            self.course.unsubscribe(&mut self.peer)
        } else {
            Ok(())
        }
    }
}

impl Course {
    fn hear(&mut self, peer: &mut Peer, came: &Came<'_>) -> Outcome<()> {
        let message = match came {
            Came::Open => {
                let request = self.entrance();
                self.step = Step::Entering;
                return Ok(peer.send(&request)?);
            }
            Came::End if self.step == Step::Closing => {
                self.step = Step::Gone;
                return Ok(());
            }
            Came::Close(_) if matches!(self.step, Step::Closing | Step::Gone) => return Ok(()),
            Came::Close(code) => return Err(format!("{self} was closed with {code}").into()),
            Came::End if self.step == Step::Gone => return Ok(()),
            Came::End => return Err(format!("{self} was cut off").into()),
            Came::Message(message) => *message,
        };
        let reply = memchr::memmem::find(message, STATUS).is_some();
        if reply && !is_ok(message) {
            return Err(format!("{self} was answered {}", String::from_utf8_lossy(message)).into());
        }
        match self.step {
            Step::Entering if reply => {
                self.step = Step::Subscribing;
                peer.send(&format!("{{\"type\":\"subscribe\",\"channel\":\"{}\"}}", self.channel))?;
            }
            Step::Subscribing if reply && self.hurried => self.unsubscribe(peer)?,
            Step::Subscribing if reply => self.step = Step::Hearing,
            Step::Hearing if memchr::memmem::find(message, PUBLISHED).is_some() => {
                self.unsubscribe(peer)?;
            }
            Step::Unsubscribing if reply && !matches!(self.enter, Enter::Token(_)) => {
                self.step = Step::LoggingOut;
                peer.send("{\"type\":\"logout\"}")?;
            }
            Step::Unsubscribing | Step::LoggingOut if reply => {
                self.step = if self.polite { Step::Closing } else { Step::Gone };
                if self.polite {
                    peer.leave()?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn unsubscribe(&mut self, peer: &mut Peer) -> io::Result<()> {
        self.step = Step::Unsubscribing;
        peer.send(&format!("{{\"type\":\"unsubscribe\",\"channel\":\"{}\"}}", self.channel))
    }

    fn entrance(&self) -> String {
        let account = |verb, number| {
            format!(
                "{{\"type\":\"{verb}\",\"username\":\"soak-{number}\",\
                 \"password\":\"a long word {number}\"}}"
            )
        };
        match &self.enter {
            Enter::Token(request) => request.clone(),
            Enter::Register(number) => account("register", number),
            Enter::Login(number) => account("login", number),
        }
    }
}

impl std::fmt::Display for Course {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let enter = match self.enter {
            Enter::Token(_) => "token",
            Enter::Register(_) => "new account",
            Enter::Login(_) => "account",
        };
        write!(f, "a visitor with a {enter}, {:?}", self.step)
    }
}
