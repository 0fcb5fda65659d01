//! What is in flight, and how long it took.
//!
//! Law: numbers come to each receiver one after the other, none missing and none twice; a message is
//! in flight until its last receiver has it. Times count from when a message was due.

use std::collections::VecDeque;
use std::time::Duration;

use hdrhistogram::Histogram;

use crate::system::Outcome;

/// More in flight means that the server has stopped.
const IN_FLIGHT_MAX: usize = 100_000;

/// The numbered messages of one channel or room, from when they are due until all have them.
pub(crate) struct Flights {
    /// The number of the first in flight.
    first: u64,
    /// When it was due, and how many wait for it.
    due: VecDeque<(Duration, usize)>,
    receivers: usize,
}

impl Flights {
    /// Numbers begin with 1.
    pub(crate) fn new(receivers: usize) -> Self {
        Self { first: 1, due: VecDeque::new(), receivers }
    }

    /// The number of the next message.
    pub(crate) fn send(&mut self, due: Duration) -> Outcome<u64> {
        if self.due.len() >= IN_FLIGHT_MAX {
            return Err(
                format!("{IN_FLIGHT_MAX} messages are in flight: the server is stuck").into()
            );
        }
        self.due.push_back((due, self.receivers));
        Ok(self.first + self.due.len() as u64 - 1)
    }

    /// A receiver has it; when it was due.
    pub(crate) fn arrive(&mut self, number: u64) -> Outcome<Duration> {
        let place = number.checked_sub(self.first).map(|place| place as usize);
        let entry = place.and_then(|place| self.due.get_mut(place));
        let Some((due, left)) = entry.filter(|(_, left)| *left > 0) else {
            return Err(format!("number {number} came, which is not in flight").into());
        };
        *left -= 1;
        let due = *due;
        while self.due.front().is_some_and(|(_, left)| *left == 0) {
            self.due.pop_front();
            self.first += 1;
        }
        Ok(due)
    }

    /// Deliveries that have still to come.
    pub(crate) fn left(&self) -> usize {
        self.due.iter().map(|(_, left)| left).sum()
    }

    /// Messages that somebody has still to get.
    pub(crate) fn in_flight(&self) -> usize {
        self.due.len()
    }
}

/// A receiver's place in a channel or room.
#[derive(Debug)]
pub(crate) struct Next(pub(crate) u64);

impl Next {
    /// Whether this is the one that is due to it.
    pub(crate) fn take(&mut self, number: u64) -> Outcome<()> {
        if number != self.0 {
            return Err(format!("lost: number {number} came where {} was due", self.0).into());
        }
        self.0 += 1;
        Ok(())
    }
}

/// How long things took, nanoseconds from when they were due.
pub(crate) struct Times {
    pub(crate) all: [(&'static str, Histogram<u64>); 6],
}

/// Places in [`Times`].
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// A publication at a subscriber.
    Delivery,
    /// The ack of a message, which is on the disk.
    Ack,
    /// A message at a member of its room.
    Heard,
    /// The reply to `ping`.
    Reply,
    /// From connecting to leaving.
    Visit,
    /// How late the load itself was.
    Late,
}

impl Times {
    pub(crate) fn new() -> Outcome<Self> {
        let histogram = || Histogram::new(3);
        Ok(Self {
            all: [
                ("publication, to each subscriber", histogram()?),
                ("message, to its ack", histogram()?),
                ("message, to each member", histogram()?),
                ("ping, to its reply", histogram()?),
                ("visit, whole", histogram()?),
                ("(the load itself was late by)", histogram()?),
            ],
        })
    }

    pub(crate) fn record(&mut self, kind: Kind, due: Duration, now: Duration) -> Outcome<()> {
        let took = now.saturating_sub(due).as_nanos() as u64;
        Ok(self.all[kind as usize].1.record(took)?)
    }

    pub(crate) fn clear(&mut self) {
        self.all.iter_mut().for_each(|(_, times)| times.clear());
    }

    /// How many of a kind there were.
    pub(crate) fn count(&self, kind: Kind) -> u64 {
        self.all[kind as usize].1.len()
    }

    /// All that came: deliveries, acks, replies.
    pub(crate) fn messages(&self) -> u64 {
        let kinds = [Kind::Delivery, Kind::Ack, Kind::Heard, Kind::Reply];
        kinds.iter().map(|&kind| self.count(kind)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lost_twice_or_out_of_order_is_seen() {
        let mut flights = Flights::new(2);
        let due = Duration::from_millis;
        assert_eq!((flights.send(due(1)).unwrap(), flights.send(due(2)).unwrap()), (1, 2));
        let (mut one, mut other) = (Next(1), Next(1));
        one.take(1).unwrap();
        assert_eq!(flights.arrive(1).unwrap(), due(1));
        // The other gets the second first: the first is lost, and stays in flight.
        assert!(other.take(2).unwrap_err().to_string().contains("number 2 came where 1 was due"));
        assert_eq!(flights.left(), 3);
        flights.arrive(1).unwrap();
        assert!(flights.arrive(1).is_err(), "a third for two receivers");
        assert!(flights.arrive(3).is_err(), "never sent");
        assert_eq!(flights.left(), 2);
        flights.arrive(2).unwrap();
        flights.arrive(2).unwrap();
        assert!(flights.in_flight() == 0 && flights.arrive(2).is_err());
        assert_eq!(flights.send(due(3)).unwrap(), 3);
    }
}
