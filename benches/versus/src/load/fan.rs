//! One publisher and many subscribers: so many messages at once, the next when all have come.

use std::io::{self, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::{Poll, Until, drain};
use crate::wire::{Counter, Framing};

/// The load of the fan-out rows.
pub(crate) struct Fan {
    publisher: TcpStream,
    subscribers: Vec<(TcpStream, Counter)>,
    poll: Poll,
    /// As many copies of the message as are in flight.
    messages: Vec<u8>,
    in_flight: u64,
    buffer: Vec<u8>,
    /// Bytes that came to subscribers.
    pub(crate) received_bytes: u64,
}

impl Fan {
    /// `message` is what the publisher sends, framed; `delivery` is how what comes is counted.
    pub(crate) fn new(
        publisher: TcpStream,
        subscribers: Vec<TcpStream>,
        message: &[u8],
        in_flight: usize,
        delivery: Framing,
    ) -> io::Result<Self> {
        let poll = Poll::new()?;
        for (place, stream) in subscribers.iter().enumerate() {
            poll.add(stream, place, false)?;
        }
        // What the publisher is answered is read and not counted.
        poll.add(&publisher, subscribers.len(), false)?;
        let counter = Counter::new(delivery);
        let subscribers = subscribers.into_iter().map(|stream| (stream, counter.clone())).collect();
        Ok(Self {
            publisher,
            subscribers,
            poll,
            messages: message.repeat(in_flight),
            in_flight: in_flight as u64,
            buffer: vec![0; 256 * 1024],
            received_bytes: 0,
        })
    }

    /// Publishes for so long; returns how many deliveries came.
    pub(crate) fn run(&mut self, span: Duration) -> io::Result<u64> {
        let until = Until::after(span);
        let mut count = 0;
        while until.goes_on() {
            count += self.publish()?;
        }
        Ok(count)
    }

    /// The same for a number of rounds.
    pub(crate) fn run_times(&mut self, times: u64) -> io::Result<u64> {
        (0..times).map(|_| self.publish()).sum()
    }

    fn publish(&mut self) -> io::Result<u64> {
        self.publisher.write_all(&self.messages)?;
        let all = self.in_flight * self.subscribers.len() as u64;
        let mut come = 0;
        while come < all {
            self.poll.wait()?;
            for place in self.poll.ready() {
                let mut bytes_read = 0;
                if let Some((stream, counter)) = self.subscribers.get_mut(place) {
                    drain(stream, &mut self.buffer, |bytes| {
                        come += counter.take(bytes);
                        bytes_read += bytes.len() as u64;
                    })?;
                } else {
                    drain(&self.publisher, &mut self.buffer, |_| {})?;
                }
                self.received_bytes += bytes_read;
            }
        }
        if come > all {
            let why = format!("{come} deliveries came where {all} were due");
            return Err(io::Error::new(io::ErrorKind::InvalidData, why));
        }
        Ok(all)
    }
}
