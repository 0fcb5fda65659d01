//! Connections that send what comes back, each with a number of messages in flight.

use std::io::{self, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::{Poll, Until, drain};
use crate::wire::{Counter, Framing};

/// One connection.
struct Echoer {
    stream: TcpStream,
    counter: Counter,
    /// Bytes that are to be sent, in whole messages less what the kernel took.
    unsent: usize,
    /// Messages sent or to be sent and not answered.
    in_flight: u64,
}

/// The load of the echo rows.
pub(crate) struct Echoers {
    all: Vec<Echoer>,
    poll: Poll,
    /// As many copies of the message as are in flight.
    messages: Vec<u8>,
    message_bytes: usize,
    in_flight: usize,
    buffer: Vec<u8>,
}

impl Echoers {
    /// `message` is what a client sends, framed; `answer` is how what comes back is counted.
    pub(crate) fn new(
        streams: Vec<TcpStream>,
        message: &[u8],
        in_flight: usize,
        answer: Framing,
    ) -> io::Result<Self> {
        let poll = Poll::new()?;
        let mut all = Vec::with_capacity(streams.len());
        for (place, stream) in streams.into_iter().enumerate() {
            poll.add(&stream, place, true)?;
            all.push(Echoer { stream, counter: Counter::new(answer), unsent: 0, in_flight: 0 });
        }
        Ok(Self {
            all,
            poll,
            messages: message.repeat(in_flight),
            message_bytes: message.len(),
            in_flight,
            buffer: vec![0; 256 * 1024],
        })
    }

    /// Echoes for so long, then waits for what is in flight; returns how many came back.
    pub(crate) fn run(&mut self, span: Duration) -> io::Result<u64> {
        let until = Until::after(span);
        for place in 0..self.all.len() {
            self.begin(place, self.in_flight)?;
        }
        let (mut count, mut waited_for) = (0, self.all.len() * self.in_flight);
        while waited_for > 0 {
            self.poll.wait()?;
            let goes_on = until.goes_on();
            for place in self.poll.ready() {
                let answered = self.visit(place)?;
                count += answered as u64;
                if goes_on {
                    self.begin(place, answered)?;
                } else {
                    waited_for -= answered;
                }
            }
        }
        Ok(count)
    }

    /// Reads, and goes on with a write that the kernel did not take whole.
    fn visit(&mut self, place: usize) -> io::Result<usize> {
        let echoer = &mut self.all[place];
        let (counter, mut answered) = (&mut echoer.counter, 0);
        drain(&echoer.stream, &mut self.buffer, |bytes| answered += counter.take(bytes))?;
        echoer.in_flight = echoer.in_flight.checked_sub(answered).ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidData, "more came back than was sent")
        })?;
        if echoer.unsent > 0 {
            self.send(place)?;
        }
        Ok(answered as usize)
    }

    fn begin(&mut self, place: usize, messages: usize) -> io::Result<()> {
        if messages == 0 {
            return Ok(());
        }
        self.all[place].in_flight += messages as u64;
        self.all[place].unsent += messages * self.message_bytes;
        self.send(place)
    }

    fn send(&mut self, place: usize) -> io::Result<()> {
        let echoer = &mut self.all[place];
        while echoer.unsent > 0 {
            // What is left ends with a whole message, so it is the end of the copies.
            let from = self.messages.len() - echoer.unsent;
            match (&echoer.stream).write(&self.messages[from..]) {
                Ok(taken) => echoer.unsent -= taken,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
