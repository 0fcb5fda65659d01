//! Accepting connections, and surviving when that fails.
//!
//! An accept that fails for want of descriptors or memory spends the edge: mio would be silent until
//! yet another connection comes. So a listener stays ready until it is sure that nobody waits, and a
//! timer asks again, after 10 ms and up to 1 s. One descriptor is kept in reserve: with it one of
//! those waiting is taken and closed, which tells more than silence.

use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use mio::net::TcpListener;
use mio::net::UnixListener;
use mio::{Interest, Registry, Token};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use socket2::SockRef;

use super::connection::Stream;
use super::metrics::{AcceptError, Metrics};
use crate::handler::Peer;

/// How many connections the kernel may hold ready for us; it takes `somaxconn` if that is less.
const BACKLOG: i32 = 4096;
const RETRY_FIRST: Duration = Duration::from_millis(10);
const RETRY_LONGEST: Duration = Duration::from_secs(1);

/// A socket that listens.
#[derive(Debug)]
pub(crate) enum Listening {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Listening {
    /// Takes a bound listener. Its options are those of the connections to come: Linux hands them
    /// down, which spares four system calls for each.
    pub(crate) fn tcp(listener: std::net::TcpListener, dead: Duration) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        SockRef::from(&listener).listen(BACKLOG)?;
        if cfg!(target_os = "linux") {
            set_options(&SockRef::from(&listener), dead)?;
        }
        Ok(Self::Tcp(TcpListener::from_std(listener)))
    }

    pub(crate) fn unix(listener: std::os::unix::net::UnixListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        Ok(Self::Unix(UnixListener::from_std(listener)))
    }

    pub(crate) fn local_addr(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(listener) => listener.local_addr().ok(),
            Self::Unix(_) => None,
        }
    }

    fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        match self {
            Self::Tcp(listener) => registry.register(listener, token, Interest::READABLE),
            Self::Unix(listener) => registry.register(listener, token, Interest::READABLE),
        }
    }

    fn descriptor(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(listener) => listener.as_fd(),
            Self::Unix(listener) => listener.as_fd(),
        }
    }

    /// Whether accept would find somebody, or an error to tell of. Linux makes a descriptor, a file
    /// and an inode before it looks at the queue, so to learn from `accept` that nobody waits costs
    /// as much as a read and a write; to ask costs an eighth of that.
    fn waits(&self) -> bool {
        let mut asked = [PollFd::from_borrowed_fd(self.descriptor(), PollFlags::IN)];
        poll(&mut asked, Some(&Timespec::default())).map_or(true, |found| found > 0)
    }

    fn accept(&self, dead: Duration) -> io::Result<(Stream, Peer)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, address) = listener.accept()?;
                if cfg!(not(target_os = "linux")) {
                    set_options(&SockRef::from(&stream), dead)?;
                }
                Ok((Stream::Plain(stream), Peer::from(address)))
            }
            Self::Unix(listener) => {
                let (stream, _) = listener.accept()?;
                Ok((Stream::Unix(stream), Peer::LOCAL))
            }
        }
    }
}

fn set_options(socket: &SockRef<'_>, dead: Duration) -> io::Result<()> {
    socket.set_tcp_nodelay(true)?;
    // No keepalive: whoever is silent is spoken to (heartbeat) or has a deadline, and what is not
    // acknowledged in time ends the connection. A timer of the kernel's more would cost each
    // connection and find nothing.
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(dead))?;
    // A read would stop at urgent data, and a short read means to us that nothing is left.
    socket.set_out_of_band_inline(true)
}

/// What an error of accept asks for.
fn sort(error: &io::Error) -> AcceptError {
    const ENFILE: i32 = 23;
    const EMFILE: i32 = 24;
    const ENOBUFS: i32 =
        if cfg!(any(target_os = "linux", target_os = "android")) { 105 } else { 55 };
    match error.raw_os_error() {
        Some(ENFILE | EMFILE) => return AcceptError::Descriptors,
        Some(ENOBUFS) => return AcceptError::Memory,
        _ => {}
    }
    match error.kind() {
        io::ErrorKind::OutOfMemory => AcceptError::Memory,
        io::ErrorKind::ConnectionAborted | io::ErrorKind::Interrupted => AcceptError::Aborted,
        _ => AcceptError::Other,
    }
}

#[derive(Debug)]
struct Door {
    listening: Listening,
    /// Somebody may be waiting.
    ready: bool,
}

/// All listeners of a server.
#[derive(Debug)]
pub(crate) struct Acceptor {
    doors: Vec<Door>,
    accepts_max: usize,
    dead: Duration,
    reserve: Option<File>,
    /// The wait after the next failure.
    wait: Duration,
    retry_at: Option<Duration>,
}

impl Acceptor {
    pub(crate) fn new(
        listening: Vec<Listening>,
        registry: &Registry,
        first: Token,
        accepts_max: usize,
        dead: Duration,
    ) -> io::Result<Self> {
        let mut doors = Vec::new();
        for (at, mut listening) in listening.into_iter().enumerate() {
            listening.register(registry, Token(first.0 + at))?;
            doors.push(Door { listening, ready: false });
        }
        let reserve = Some(reserve()?);
        Ok(Self { doors, accepts_max, dead, reserve, wait: RETRY_FIRST, retry_at: None })
    }

    /// Somebody waits at the listener with this number.
    pub(super) fn edge(&mut self, at: usize) {
        if let Some(door) = self.doors.get_mut(at) {
            door.ready = true;
        }
    }

    /// Takes no more connections: the sockets are closed, so that clients try elsewhere.
    pub(super) fn close(&mut self) {
        self.doors.clear();
    }

    /// When accepting is to go on without an edge: at once, or after a failure later.
    pub(super) fn due(&self) -> Option<Duration> {
        let ready = self.doors.iter().any(|door| door.ready);
        ready.then(|| self.retry_at.unwrap_or(Duration::ZERO))
    }

    /// Accepts what waits, within the budget of each listener.
    pub(super) fn accept(
        &mut self,
        now: Duration,
        metrics: &Metrics,
        accepted: &mut Vec<(Stream, Peer)>,
    ) {
        if self.retry_at.is_some_and(|at| now < at) {
            return;
        }
        self.retry_at = None;
        for at in 0..self.doors.len() {
            for taken in 0..self.accepts_max {
                if !self.doors[at].ready || self.retry_at.is_some() {
                    break;
                }
                // Mostly one comes alone. In a storm to ask before each would be the dearer way.
                if taken == 1 && !self.doors[at].listening.waits() {
                    self.doors[at].ready = false;
                    break;
                }
                match self.doors[at].listening.accept(self.dead) {
                    Ok(arrival) => {
                        self.wait = RETRY_FIRST;
                        accepted.push(arrival);
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        self.doors[at].ready = false;
                    }
                    Err(error) => self.fail(at, now, &error, metrics),
                }
            }
        }
    }

    fn fail(&mut self, at: usize, now: Duration, error: &io::Error, metrics: &Metrics) {
        let kind = sort(error);
        metrics.accept_errors.add_at(kind, 1);
        if kind == AcceptError::Aborted {
            return;
        }
        if kind == AcceptError::Descriptors {
            // The descriptor goes to one of those waiting, who is closed, and comes back.
            drop(self.reserve.take());
            if self.doors[at].listening.accept(self.dead).is_ok() {
                metrics.dropped.add(1);
            }
            self.reserve = reserve().ok();
        }
        if self.wait == RETRY_FIRST {
            log::warn!("cannot accept connections, trying again: {error}");
        }
        self.retry_at = Some(now.saturating_add(self.wait));
        self.wait = (self.wait * 2).min(RETRY_LONGEST);
    }
}

fn reserve() -> io::Result<File> {
    File::open("/dev/null")
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use mio::{Events, Poll};

    use super::*;

    fn bench(accepts_max: usize) -> (Poll, Acceptor, SocketAddr) {
        let poll = Poll::new().unwrap();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let listening = Listening::tcp(listener, Duration::from_secs(90)).unwrap();
        let address = listening.local_addr().unwrap();
        let acceptor =
            Acceptor::new(vec![listening], poll.registry(), Token(7), accepts_max, Duration::MAX)
                .unwrap();
        (poll, acceptor, address)
    }

    #[test]
    fn errors_are_sorted_by_what_they_ask_for() {
        for (code, kind) in [
            (24, AcceptError::Descriptors),
            (23, AcceptError::Descriptors),
            (12, AcceptError::Memory),
            (if cfg!(target_os = "linux") { 105 } else { 55 }, AcceptError::Memory),
            (if cfg!(target_os = "linux") { 103 } else { 53 }, AcceptError::Aborted),
            (4, AcceptError::Aborted),
            (1, AcceptError::Other),
        ] {
            assert_eq!(sort(&io::Error::from_raw_os_error(code)), kind, "{code}");
        }
    }

    #[test]
    fn a_peer_may_be_dead_within_less_than_a_second() {
        for ms in [1, 700, 7000] {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            Listening::tcp(listener, Duration::from_millis(ms)).unwrap();
        }
    }

    #[test]
    fn a_budget_used_up_goes_on_without_an_edge_and_options_come_down() {
        let (mut poll, mut acceptor, address) = bench(2);
        let clients: Vec<_> = (0..3).map(|_| TcpStream::connect(address).unwrap()).collect();
        let mut events = Events::with_capacity(8);
        poll.poll(&mut events, Some(Duration::from_secs(10))).unwrap();
        assert_eq!(events.iter().next().map(mio::event::Event::token), Some(Token(7)));
        acceptor.edge(0);
        let (metrics, mut accepted) = (Metrics::default(), Vec::new());
        acceptor.accept(Duration::ZERO, &metrics, &mut accepted);
        assert_eq!((accepted.len(), acceptor.due()), (2, Some(Duration::ZERO)));
        acceptor.accept(Duration::ZERO, &metrics, &mut accepted);
        assert_eq!((accepted.len(), acceptor.due()), (3, None));
        let (Stream::Plain(stream), peer) = &accepted[0] else { panic!("no TCP stream") };
        let socket = SockRef::from(stream);
        assert!(socket.tcp_nodelay().unwrap());
        assert!(socket.out_of_band_inline().unwrap());
        #[cfg(target_os = "linux")]
        assert_eq!(socket.tcp_user_timeout().unwrap(), Some(Duration::from_secs(90)));
        assert_eq!(peer.address(), clients[0].local_addr().ok());
    }

    #[test]
    fn a_failure_waits_longer_each_time_and_a_success_forgets_it() {
        let (_poll, mut acceptor, address) = bench(8);
        let metrics = Metrics::default();
        let full = io::Error::from_raw_os_error(24);
        let client = TcpStream::connect(address).unwrap();
        acceptor.edge(0);
        let mut waits = Vec::new();
        for _ in 0..9 {
            acceptor.fail(0, Duration::ZERO, &full, &metrics);
            waits.push(acceptor.due().unwrap().as_millis());
        }
        assert_eq!(waits, [10, 20, 40, 80, 160, 320, 640, 1000, 1000]);
        assert_eq!(metrics.accept_errors.get_at(AcceptError::Descriptors), 9);
        assert_eq!(metrics.dropped.get_at(()), 1, "the reserve took the one who waited");
        assert!(acceptor.reserve.is_some());
        drop(client);

        let mut accepted = Vec::new();
        let _second = TcpStream::connect(address).unwrap();
        acceptor.accept(Duration::from_millis(999), &metrics, &mut accepted);
        assert!(accepted.is_empty(), "not before its time");
        acceptor.accept(Duration::from_secs(1), &metrics, &mut accepted);
        assert_eq!((accepted.len(), acceptor.wait), (1, RETRY_FIRST));
    }
}
