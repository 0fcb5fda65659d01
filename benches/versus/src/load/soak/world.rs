//! What those who stay connected have to hear, and whether they did.
//!
//! Law: each subscriber hears every publication of its channel, each member every message of its
//! room, each request its reply, all in order and once; anything else is an error at once, and what
//! never comes is still counted as in flight when nothing moves any more.

use std::collections::VecDeque;
use std::time::Duration;

use super::peer::{Came, STATUS};
use super::tally::{Flights, Kind, Next, Times};
use crate::system::Outcome;

/// Before the number of a publication.
pub(super) const PUBLISHED: &[u8] = b"\"payload\":{\"n\":";
const SEQ: &[u8] = b"\"seq\":";

/// Who somebody is.
pub(super) enum Role {
    /// Publishes to a channel; when the unanswered were due.
    Publisher(VecDeque<Duration>),
    Subscriber(usize, Next),
    /// Sends messages to a room.
    Sender(VecDeque<Duration>, Next),
    Member(usize, Next),
    Pinger(VecDeque<Duration>),
}

impl Role {
    /// Requests without a reply.
    pub(super) fn unanswered(&self) -> usize {
        match self {
            Self::Publisher(all) | Self::Pinger(all) | Self::Sender(all, _) => all.len(),
            Self::Subscriber(..) | Self::Member(..) => 0,
        }
    }
}

/// Everything that was sent and has to come.
pub(super) struct World {
    pub(super) channels: Vec<Flights>,
    pub(super) rooms: Vec<Flights>,
    pub(super) times: Times,
    /// Publications, messages, requests and visits that are not over.
    pub(super) outstanding: usize,
    /// Grows with each thing that came.
    pub(super) moved: u64,
}

impl World {
    /// Takes what came to somebody who stays.
    pub(super) fn hear(&mut self, role: &mut Role, came: &Came<'_>, now: Duration) -> Outcome<()> {
        let message = match came {
            Came::Open => return Ok(()),
            Came::Close(code) => return Err(format!("{role} was closed with {code}").into()),
            Came::End => return Err(format!("{role} was cut off").into()),
            Came::Message(message) => *message,
        };
        let (kind, due) = match role {
            Role::Subscriber(channel, next) => {
                let Some(number) = number_after(message, PUBLISHED) else { return other(message) };
                next.take(number)?;
                (
                    Kind::Delivery,
                    arrived(&mut self.channels[*channel], number, &mut self.outstanding)?,
                )
            }
            Role::Member(room, next) => {
                let Some(number) = number_after(message, SEQ) else { return other(message) };
                next.take(number)?;
                (Kind::Heard, arrived(&mut self.rooms[*room], number, &mut self.outstanding)?)
            }
            Role::Publisher(unanswered) | Role::Pinger(unanswered) => {
                let Some(due) = answered(message, unanswered)? else { return Ok(()) };
                self.outstanding -= 1;
                (Kind::Reply, due)
            }
            Role::Sender(unanswered, next) => {
                let Some(due) = answered(message, unanswered)? else { return Ok(()) };
                next.take(number_after(message, SEQ).ok_or("an ack without a seq")?)?;
                self.outstanding -= 1;
                (Kind::Ack, due)
            }
        };
        self.moved += 1;
        self.times.record(kind, due, now)
    }

    /// What has not come.
    pub(super) fn missing(&self) -> String {
        let sum = |all: &[Flights]| all.iter().map(Flights::left).sum::<usize>();
        let (channels, rooms) = (sum(&self.channels), sum(&self.rooms));
        format!(
            "lost, or the server is stuck: {} things are not over, {channels} deliveries of \
             publications and {rooms} of messages among them",
            self.outstanding
        )
    }
}

fn arrived(flights: &mut Flights, number: u64, outstanding: &mut usize) -> Outcome<Duration> {
    let before = flights.in_flight();
    let due = flights.arrive(number)?;
    *outstanding -= before - flights.in_flight();
    Ok(due)
}

/// When the request was due that this is the reply to, if it is one.
fn answered(message: &[u8], unanswered: &mut VecDeque<Duration>) -> Outcome<Option<Duration>> {
    if memchr::memmem::find(message, STATUS).is_none() || !is_ok(message) {
        return other(message).map(|()| None);
    }
    Ok(Some(unanswered.pop_front().ok_or("a reply to nothing")?))
}

/// What is neither a delivery nor a good reply: an event of no account, or bad news.
fn other(message: &[u8]) -> Outcome<()> {
    let bad = ["\"type\":\"gap\"", "\"type\":\"bye\"", "\"status\":\"error\""];
    if bad.iter().any(|bad| memchr::memmem::find(message, bad.as_bytes()).is_some()) {
        return Err(format!("somebody was told {}", String::from_utf8_lossy(message)).into());
    }
    Ok(())
}

/// Whether a reply is a good one.
pub(super) fn is_ok(message: &[u8]) -> bool {
    memchr::memmem::find(message, b"\"status\":\"ok\"").is_some()
}

/// The number that follows the first `mark`.
fn number_after(message: &[u8], mark: &[u8]) -> Option<u64> {
    let rest = &message[memchr::memmem::find(message, mark)? + mark.len()..];
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit());
    digits.fold(None, |number: Option<u64>, digit| {
        number.unwrap_or(0).checked_mul(10)?.checked_add(u64::from(digit - b'0'))
    })
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Publisher(_) => f.write_str("a publisher"),
            Self::Subscriber(channel, _) => write!(f, "a subscriber of channel {channel}"),
            Self::Sender(..) => f.write_str("a sender of messages"),
            Self::Member(room, _) => write!(f, "a member of room {room}"),
            Self::Pinger(_) => f.write_str("somebody who pings"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_subscriber_must_not_be_told_is_an_error() {
        let world = || World {
            channels: vec![Flights::new(1)],
            rooms: Vec::new(),
            times: Times::new().unwrap(),
            outstanding: 0,
            moved: 0,
        };
        let publication =
            |n: u64| format!("{{\"type\":\"publication\",\"payload\":{{\"n\":{n},\"a\":1}}}}");
        let tell = |messages: &[String]| {
            let (mut world, mut role) = (world(), Role::Subscriber(0, Next(1)));
            for _ in 0..2 {
                world.channels[0].send(Duration::ZERO).unwrap();
                world.outstanding += 1;
            }
            messages.iter().try_for_each(|message| {
                world.hear(&mut role, &Came::Message(message.as_bytes()), Duration::ZERO)
            })?;
            Ok::<_, Box<dyn std::error::Error>>((world.outstanding, world.times.messages()))
        };
        let event = "{\"type\":\"ping\"}".to_owned();
        assert_eq!(tell(&[publication(1), event, publication(2)]).unwrap(), (0, 2));
        assert_eq!(tell(&[publication(1)]).unwrap(), (1, 1), "the second is missing");
        assert!(tell(&[publication(2)]).is_err(), "the first is lost");
        assert!(tell(&[publication(1), publication(1)]).is_err(), "twice");
        assert!(
            tell(&["{\"type\":\"gap\",\"payload\":{\"from\":1,\"to\":1}}".to_owned()]).is_err()
        );
        assert!(tell(&["{\"type\":\"bye\"}".to_owned()]).is_err());
        let mut role = Role::Subscriber(0, Next(1));
        for end in [Came::Close(4101), Came::End] {
            assert!(world().hear(&mut role, &end, Duration::ZERO).is_err());
        }
    }

    #[test]
    fn numbers_are_read_where_they_stand() {
        assert_eq!(
            number_after(b"{\"payload\":{\"n\":1207,\"text\":\"9\"}}", PUBLISHED),
            Some(1207)
        );
        assert_eq!(number_after(b"{\"payload\":{\"n\":}}", PUBLISHED), None);
        assert_eq!(number_after(b"{\"seq\":18446744073709551616}", SEQ), None);
        assert_eq!(number_after(b"{}", SEQ), None);
    }
}
