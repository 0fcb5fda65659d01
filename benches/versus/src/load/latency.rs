//! Echoes at a fixed rate, timed from when each was due and not from when it was sent: a server
//! that stops makes all wait that were due meanwhile (no coordinated omission).

use std::collections::VecDeque;
use std::io::{self, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use super::{PATIENCE, Poll, drain};
use crate::wire::{Counter, Framing};

struct Timed {
    stream: TcpStream,
    counter: Counter,
    /// When those in flight were due, in order.
    due: VecDeque<Duration>,
}

/// Sends `per_second` messages for `span`, taking turns; the times are nanoseconds.
pub(crate) fn run(
    streams: Vec<TcpStream>,
    message: &[u8],
    answer: Framing,
    per_second: f64,
    span: Duration,
) -> io::Result<Histogram<u64>> {
    let mut poll = Poll::new()?;
    let mut all = Vec::with_capacity(streams.len());
    for (place, stream) in streams.into_iter().enumerate() {
        poll.add(&stream, place, false)?;
        all.push(Timed { stream, counter: Counter::new(answer), due: VecDeque::new() });
    }
    let mut times = Histogram::new(3).map_err(io::Error::other)?;
    let mut buffer = vec![0; 64 * 1024];
    let total = (per_second * span.as_secs_f64()) as u64;
    let (mut sent, mut come) = (0_u64, 0_u64);
    let start = Instant::now();
    let connections = all.len() as u64;
    while come < total {
        while sent < total {
            let due = Duration::from_secs_f64(sent as f64 / per_second);
            if due > start.elapsed() {
                break;
            }
            let timed = &mut all[(sent % connections) as usize];
            // A socket that takes no 64 bytes has thousands in flight.
            (&timed.stream).write_all(message)?;
            timed.due.push_back(due);
            sent += 1;
        }
        if start.elapsed() > span * 2 + PATIENCE {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "the rate is too high for it"));
        }
        // Never asleep: a wake-up would be timed as well.
        poll.wait_for(Duration::ZERO)?;
        for place in poll.ready() {
            let timed = &mut all[place];
            let (counter, mut answered) = (&mut timed.counter, 0);
            drain(&timed.stream, &mut buffer, |bytes| answered += counter.take(bytes))?;
            let now = start.elapsed();
            for due in timed.due.drain(..answered as usize) {
                times.record((now - due).as_nanos() as u64).map_err(io::Error::other)?;
            }
            come += answered;
        }
    }
    Ok(times)
}
