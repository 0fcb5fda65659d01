//! The third door of the library: a [`Server`] that runs a [`Handler`] of yours on our loops.
//!
//! Law: what a server started, it stops and joins before `run` returns. `examples/echo.rs` is a
//! whole one.

use std::any::TypeId;
use std::convert::Infallible;
use std::hash::BuildHasher;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, unbounded};
use mio::Poll;

use crate::base::id::LoopId;
use crate::base::rng::Rng;
use crate::engine::{self, Engine};
use crate::handler::Handler;
use crate::metrics::Registry;
use crate::net::{
    self, Acceptor, Admission, Clock, Control, EventLoop, Everyone, Front, Issuer, LISTENERS,
    Listening, LoopWaker, Mailbox, Parts, Renewer, SIGNALS, Secure, Signals, Stop, WAKER, Workers,
};

pub use crate::net::capacity;

type Employ<H> = Box<dyn FnOnce(Vec<Mailbox<H>>) -> io::Result<Arc<dyn Workers<H>>>>;

/// Puts a [`Server`] together.
pub struct Builder<H: Handler> {
    handlers: Box<dyn FnMut(LoopId) -> H>,
    tcp: Vec<TcpListener>,
    unix: Vec<UnixListener>,
    loops: usize,
    net: net::Config,
    engine: engine::Config,
    workers: Option<Employ<H>>,
    admission: Box<dyn Admission>,
    metrics: Registry,
    clock: Clock,
    seed: Option<u64>,
    signals: bool,
    issuer: Option<Arc<dyn Issuer>>,
}

impl<H: Handler + 'static> Builder<H> {
    /// Accepts connections from `listener`, which is bound already. Any number of them.
    #[must_use]
    pub fn listener(mut self, listener: TcpListener) -> Self {
        self.tcp.push(listener);
        self
    }

    /// Accepts connections from a Unix socket. Any number of them.
    #[must_use]
    pub fn unix_listener(mut self, listener: UnixListener) -> Self {
        self.unix.push(listener);
        self
    }

    /// How many loops there are, each a thread; as many as cores unless said. 1 to 4,096.
    #[must_use]
    pub const fn loops(mut self, loops: usize) -> Self {
        self.loops = loops;
        self
    }

    /// The limits of the loops and of the engines.
    #[must_use]
    pub fn config(mut self, net: net::Config, engine: engine::Config) -> Self {
        self.net = net;
        self.engine = engine;
        self
    }

    /// Who does the jobs; `employ` is given the mailbox of each loop, in their order. Needed unless
    /// the handler's `Job` is [`Infallible`].
    #[must_use]
    pub fn workers(
        mut self,
        employ: impl FnOnce(Vec<Mailbox<H>>) -> io::Result<Arc<dyn Workers<H>>> + 'static,
    ) -> Self {
        self.workers = Some(Box::new(employ));
        self
    }

    /// Who may come in; everyone unless said.
    #[must_use]
    pub fn admission(mut self, admission: impl Admission + 'static) -> Self {
        self.admission = Box::new(admission);
        self
    }

    /// Where the loops count.
    #[must_use]
    pub fn metrics(mut self, registry: &Registry) -> Self {
        self.metrics = registry.clone();
        self
    }

    /// The clock, when workers are to have the same.
    #[must_use]
    pub const fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Where the randomness of the engines comes from; from the system unless said.
    #[must_use]
    pub const fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Speaks TLS to whoever begins with it, on every TCP listener; others are served as they are.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn tls(mut self, tls: net::Tls) -> Self {
        self.issuer = Some(Arc::new(tls));
        self
    }

    /// SIGTERM and SIGINT drain, a second one stops at once; where TLS is spoken, SIGHUP reads the
    /// certificate again. The process ignores them afterwards.
    #[must_use]
    pub const fn handle_signals(mut self) -> Self {
        self.signals = true;
        self
    }

    /// Builds the server; nothing runs yet, but connections are already let wait.
    ///
    /// # Errors
    /// A number of loops out of bounds, no workers for a handler with jobs, or what the system says.
    pub fn build(mut self) -> io::Result<Server<H>> {
        if !(1..=4096).contains(&self.loops) {
            return Err(invalid("a server has 1 to 4096 loops"));
        }
        if self.workers.is_none() && TypeId::of::<H::Job>() != TypeId::of::<Infallible>() {
            return Err(invalid("a handler with jobs needs workers"));
        }
        self.net.connections_max = net::room(&self.net);
        let polls = (0..self.loops).map(|_| Poll::new()).collect::<io::Result<Vec<_>>>()?;
        let wakers = polls
            .iter()
            .map(|poll| LoopWaker::new(poll.registry(), WAKER).map(Arc::new))
            .collect::<io::Result<Vec<_>>>()?;
        let seats = net::join::<H>(&wakers, self.net.words_max);
        let stop = Arc::new(Stop::new(wakers.clone()));
        let count = Arc::new(AtomicUsize::new(0));
        let (control, controls) = unbounded();
        let handle = Handle { control, waker: wakers[0].clone(), stop: stop.clone(), count };
        let mailboxes = seats.iter().map(|(_, _, mailbox)| mailbox.clone()).collect();
        let workers = self.workers.take().map(|employ| employ(mailboxes)).transpose()?;
        let (front, addresses) = self.front(polls[0].registry(), controls, &handle)?;
        let mut front = Some(front);
        let mut rng = Rng::new(self.seed.unwrap_or_else(system_seed));
        let mut loops = Vec::new();
        for (at, (poll, (inbox, outlets, _))) in polls.into_iter().zip(seats).enumerate() {
            let here = LoopId(at as u16);
            let handler = (self.handlers)(here);
            loops.push(EventLoop::new(Parts {
                here,
                poll,
                engine: Engine::new(
                    self.engine.for_one_of(self.loops),
                    here,
                    rng.next_u64(),
                    handler,
                    &self.metrics,
                ),
                inbox,
                outlets,
                workers: workers.clone(),
                stop: stop.clone(),
                front: front.take(),
                secure: Secure::new(self.issuer.clone(), self.metrics.block()),
                clock: self.clock,
                metrics: self.metrics.block(),
                config: self.net.clone(),
            }));
        }
        Ok(Server { loops, handle, addresses })
    }

    /// What loop 0 has alone, and where it listens.
    fn front(
        &mut self,
        registry: &mio::Registry,
        controls: Receiver<Control>,
        handle: &Handle,
    ) -> io::Result<(Front, Vec<SocketAddr>)> {
        let dead = self.net.dead;
        let tcp = self.tcp.drain(..).map(|listener| Listening::tcp(listener, dead));
        let all = tcp.chain(self.unix.drain(..).map(Listening::unix));
        let listening = all.collect::<io::Result<Vec<_>>>()?;
        let addresses = listening.iter().filter_map(Listening::local_addr).collect();
        let acceptor = Acceptor::new(listening, registry, LISTENERS, self.net.accepts_max, dead)?;
        let admission = std::mem::replace(&mut self.admission, Box::new(Everyone));
        let mut front = Front::new(
            acceptor,
            admission,
            controls,
            handle.count.clone(),
            self.loops,
            self.net.clone(),
        );
        if self.signals {
            front.watch(Signals::install(registry, SIGNALS, self.issuer.is_some())?);
        }
        if let Some(issuer) = &self.issuer {
            let (control, waker) = (handle.control.clone(), handle.waker.clone());
            let metrics = self.metrics.block();
            front.renew_by(Renewer::new(issuer.clone(), control, waker, metrics));
        }
        Ok((front, addresses))
    }
}

impl<H: Handler> std::fmt::Debug for Builder<H> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Builder").field("loops", &self.loops).finish_non_exhaustive()
    }
}

fn invalid(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, why)
}

/// The standard library seeds its hash maps from the system.
#[expect(clippy::disallowed_types, reason = "wanted for its randomness, not for a map")]
fn system_seed() -> u64 {
    std::hash::RandomState::new().hash_one(0)
}

/// Loops that run a handler each.
pub struct Server<H: Handler> {
    loops: Vec<EventLoop<H>>,
    handle: Handle,
    addresses: Vec<SocketAddr>,
}

impl<H: Handler + 'static> Server<H> {
    /// A server whose loops each run a handler made by `handlers`.
    pub fn builder(handlers: impl FnMut(LoopId) -> H + 'static) -> Builder<H> {
        Builder {
            handlers: Box::new(handlers),
            tcp: Vec::new(),
            unix: Vec::new(),
            loops: std::thread::available_parallelism().map_or(1, usize::from),
            net: net::Config::default(),
            engine: engine::Config::default(),
            workers: None,
            admission: Box::new(Everyone),
            metrics: Registry::new(),
            clock: Clock::start(),
            seed: None,
            signals: false,
            issuer: None,
        }
    }

    /// Runs until it is stopped or drained: loop 0 on this thread, the others on threads of their
    /// own, which are joined before this returns.
    ///
    /// # Errors
    /// A loop that cannot go on ends all of them with its error.
    #[expect(clippy::disallowed_methods, reason = "the threads of the loops are made here")]
    pub fn run(mut self) -> io::Result<()> {
        let handle = &self.handle;
        std::thread::scope(|scope| {
            let mut threads = Vec::new();
            let (first, others) = self.loops.split_at_mut(1);
            for (at, event_loop) in others.iter_mut().enumerate() {
                let ending = Ending(handle);
                let run = move || {
                    let _ending = ending;
                    event_loop.run()
                };
                let name = format!("loop-{}", at + 1);
                threads.push(std::thread::Builder::new().name(name).spawn_scoped(scope, run));
            }
            let _ending = Ending(handle);
            let started = threads.iter().all(Result::is_ok);
            let mut result = if started { first[0].run() } else { Ok(()) };
            handle.stop();
            for thread in threads {
                let ended = thread.and_then(|thread| {
                    thread.join().unwrap_or_else(|_| Err(io::Error::other("a loop panicked")))
                });
                result = result.and(ended);
            }
            result
        })
    }

    /// Exactly one turn of the only loop, which waits at most `timeout` for something to happen; for
    /// programs that have a loop of their own. Returns whether there are to be more.
    ///
    /// # Errors
    /// There are several loops, or the loop cannot go on.
    pub fn turn(&mut self, timeout: Option<Duration>) -> io::Result<bool> {
        match self.loops.as_mut_slice() {
            [only] => only.turn(timeout),
            _ => Err(invalid("only a server with one loop can be turned by hand")),
        }
    }

    /// What other threads can do with the server.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Where it listens, in the order of the listeners; Unix sockets are not told.
    #[must_use]
    pub fn local_addrs(&self) -> &[SocketAddr] {
        &self.addresses
    }
}

impl<H: Handler> std::fmt::Debug for Server<H> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("loops", &self.loops).finish_non_exhaustive()
    }
}

/// Ends the other loops when one ends, in whatever way.
struct Ending<'a>(&'a Handle);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// What other threads can do with a server.
#[derive(Clone, Debug)]
pub struct Handle {
    control: Sender<Control>,
    waker: Arc<LoopWaker>,
    stop: Arc<Stop>,
    count: Arc<AtomicUsize>,
}

impl Handle {
    /// Accepts no more, closes every connection, spread over `over`, and then stops: when nobody is
    /// left, or after [`net::Config::drain_max`]. Only the first call counts.
    pub fn drain(&self, over: Duration) {
        if self.control.send(Control::Drain(over)).is_ok() {
            self.waker.wake();
        }
    }

    /// Reads certificate and key again, for new connections; those that are open stay. If something
    /// is wrong with the new ones, that is in the log, and the old ones stay in use.
    pub fn renew_certificate(&self) {
        if self.control.send(Control::Renew).is_ok() {
            self.waker.wake();
        }
    }

    /// Stops at once; connections are cut.
    pub fn stop(&self) {
        self.stop.pull();
    }

    /// How many connections there are, those being refused not counted.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }
}
