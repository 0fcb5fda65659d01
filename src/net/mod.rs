//! Sockets, threads and clocks: the event loops that drive the engines.
//!
//! The only place that asks the system for anything. A turn of a loop is: poll, read, hand to the
//! engine, carry out what it asks for, write. Law: nothing here knows what the bytes mean, and
//! nothing here blocks but the poll. Limit: Unix. Loops share no memory but two flags, a count and their queues
//! (`stop.rs`, `waker.rs`, `front.rs`): everything else they tell each other.
//!
//! | file | what |
//! |---|---|
//! | `event_loop.rs` | one turn, from poll to flush |
//! | `turn.rs` | reading, giving inputs to the engine, carrying out its outputs |
//! | `flush.rs` | writing: one system call per connection and visit |
//! | `connection.rs` | a socket and what is known about its readiness |
//! | `ready_list.rs` | who is to be visited again without a new edge |
//! | `front.rs` | what loop 0 has alone: admission, load, drain |
//! | `descriptors.rs` | how many connections there is room for |
//! | `listener.rs` | accepting, and surviving when that fails |
//! | `mailbox.rs`, `waker.rs`, `stop.rs` | words between threads |
//! | `workers.rs` | threads for what blocks |
//! | `signals.rs` | SIGTERM, SIGINT and SIGHUP |
//! | `renewal.rs` | the certificate read again |
//! | `secure/` | connections that are encrypted here, whoever encrypts |
//! | `tls/` | who encrypts: rustls, certificates, their renewal (feature `tls`) |

mod admission;
mod clock;
mod connection;
mod descriptors;
mod event_loop;
mod flush;
mod front;
mod listener;
mod mailbox;
mod metrics;
mod ready_list;
mod renewal;
mod secure;
mod signals;
mod stop;
#[cfg(feature = "tls")]
mod tls;
mod turn;
mod waker;
mod workers;

use std::time::Duration;

use crate::base::id::LoopId;
use crate::handler::Close;

pub use admission::{Admission, Everyone, Verdict};
pub use clock::Clock;
pub use descriptors::capacity;
pub use mailbox::Mailbox;
pub use metrics::{AcceptError, Metrics};
pub use secure::{Broken, Metrics as TlsMetrics, Renewal};
#[cfg(feature = "tls")]
pub use tls::{ClientAuth, Tls, TlsError, TlsFiles};
pub use workers::{Batch, Batcher, Pool, Workers};

pub(crate) use descriptors::room;
pub(crate) use event_loop::{EventLoop, LISTENERS, Parts, SIGNALS, WAKER};
pub(crate) use front::{Control, Front};
pub(crate) use listener::{Acceptor, Listening};
pub(crate) use mailbox::{Inbox, Outlets, join};
pub(crate) use renewal::Renewer;
pub(crate) use secure::{Issuer, Secure};
pub(crate) use signals::Signals;
pub(crate) use stop::Stop;
pub(crate) use waker::LoopWaker;

/// Connections and the loops they go to.
type Arrivals = Vec<(LoopId, mailbox::Arrival)>;

/// The limits of the event loops.
#[derive(Clone, Debug)]
pub struct Config {
    /// Bytes of the read buffer, one per loop.
    pub read_buffer_bytes: usize,
    /// Bytes read from one connection in one turn while others wait.
    pub read_budget_bytes: usize,
    /// How long TLS handshakes may work in one turn, when that work has begun; the rest of them waits
    /// for the next turn, and open connections do not.
    pub handshake_budget: Duration,
    /// Readiness events taken in one turn.
    pub events_max: usize,
    /// Connections accepted from one listener in one turn.
    pub accepts_max: usize,
    /// Words and finished jobs taken in one turn, and words that wait for one loop before the
    /// sender keeps them.
    pub words_max: usize,
    /// Connections at once; never more than the descriptors allow.
    pub connections_max: usize,
    /// What a connection above that is told.
    pub full: Close,
    /// Refused connections that are being told so at once; more are dropped untold.
    pub refusals_max: usize,
    /// How long the kernel waits for the peer's kernel to acknowledge bytes (`TCP_USER_TIMEOUT`).
    pub dead: Duration,
    /// How long a drain asked for by a signal spreads the closing.
    pub drain_spread: Duration,
    /// How long a drain takes at most.
    pub drain_max: Duration,
    /// Whether the soft limit of descriptors is raised to the hard one.
    pub raise_descriptors: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            read_buffer_bytes: 256 * 1024,
            read_budget_bytes: 64 * 1024,
            handshake_budget: Duration::from_millis(1),
            events_max: 1024,
            accepts_max: 64,
            words_max: 4096,
            connections_max: 10_000,
            full: Close::new(1013, "too many connections"),
            refusals_max: 256,
            dead: Duration::from_secs(90),
            drain_spread: Duration::from_secs(10),
            drain_max: Duration::from_secs(30),
            raise_descriptors: true,
        }
    }
}
