//! Load: one thread on core 1, prepared bytes out, counted bytes in.
//!
//! Law: a load ends with nothing in flight, so that what the server did and what it cost belong
//! together.

pub(crate) mod connect;
pub(crate) mod echo;
pub(crate) mod fan;
pub(crate) mod latency;
pub(crate) mod soak;

use std::io::{self, Read};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType};

/// A server that says nothing for so long is stuck.
const PATIENCE: Duration = Duration::from_secs(20);

/// Readiness of many sockets.
pub(crate) struct Poll {
    epoll: OwnedFd,
    events: Vec<Event>,
}

impl Poll {
    pub(crate) fn new() -> io::Result<Self> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        Ok(Self { epoll, events: Vec::with_capacity(1024) })
    }

    /// Watches a socket, by edges.
    pub(crate) fn add(&self, socket: impl AsFd, place: usize, write: bool) -> io::Result<()> {
        let mut wanted = EventFlags::IN | EventFlags::ET;
        if write {
            wanted |= EventFlags::OUT;
        }
        Ok(epoll::add(&self.epoll, socket, EventData::new_u64(place as u64), wanted)?)
    }

    /// Waits, at most as long as patience lasts; who is ready is in [`Poll::ready`].
    pub(crate) fn wait(&mut self) -> io::Result<()> {
        self.wait_for(PATIENCE)?;
        if self.events.is_empty() {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "the server is stuck"));
        }
        Ok(())
    }

    /// Waits for `timeout` at most.
    pub(crate) fn wait_for(&mut self, timeout: Duration) -> io::Result<()> {
        self.events.clear();
        let timeout = time(timeout);
        retried(|| epoll::wait(&self.epoll, spare_capacity(&mut self.events), Some(&timeout)))?;
        Ok(())
    }

    pub(crate) fn ready(&self) -> impl Iterator<Item = usize> + use<> {
        let places: Vec<usize> =
            self.events.iter().map(|event| event.data.u64() as usize).collect();
        places.into_iter()
    }
}

/// Calls again what a signal interrupted: a process that is stopped and goes on (SIGCONT), or that is
/// looked at by a profiler, sees EINTR from calls that wait, whatever its handlers (signal(7)).
pub(crate) fn retried<T>(mut call: impl FnMut() -> rustix::io::Result<T>) -> rustix::io::Result<T> {
    loop {
        match call() {
            Err(Errno::INTR) => {}
            done => return done,
        }
    }
}

/// A time as the kernel has it.
pub(crate) fn time(span: Duration) -> Timespec {
    Timespec { tv_sec: span.as_secs() as i64, tv_nsec: i64::from(span.subsec_nanos()) }
}

/// A socket that connects, or is going to.
pub(crate) fn connect_now(address: SocketAddr) -> io::Result<OwnedFd> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = rustix::net::socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?;
    match rustix::net::connect(&socket, &address) {
        // An interrupted one goes on by itself.
        Ok(()) | Err(Errno::INPROGRESS | Errno::INTR) => Ok(socket),
        Err(error) => Err(error.into()),
    }
}

/// Reads what there is and gives it to `take`; a short read means drained.
pub(crate) fn drain(
    mut stream: &TcpStream,
    buffer: &mut [u8],
    mut take: impl FnMut(&[u8]),
) -> io::Result<()> {
    loop {
        match stream.read(buffer) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(taken) => {
                take(&buffer[..taken]);
                if taken < buffer.len() {
                    return Ok(());
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Whether it is still time.
pub(crate) struct Until(Instant);

impl Until {
    pub(crate) fn after(span: Duration) -> Self {
        Self(Instant::now() + span)
    }

    pub(crate) fn goes_on(&self) -> bool {
        Instant::now() < self.0
    }
}
