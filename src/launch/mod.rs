//! The assembly: from a [`Config`] to the messaging server on its loops, with store and workers.
//!
//! Nothing is decided here that a layer could decide; this file only knows who needs whom. Law: what
//! it starts, [`Launched::run`] stops and joins: loops first, then the workers, which finish what is
//! queued, then the store. A store that cannot promise anything any more ends the server.

mod admission;
mod holder;
mod listeners;
mod staff;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::auth::Secrets;
use crate::auth::jwt::{Jwt, KeyError, OwnKey};
use crate::auth::key_file::random_bytes;
use crate::base::id::LoopId;
use crate::config::{self, Config};
use crate::guard::origin::{OriginError, Origins};
use crate::http::{Endpoints, Names, Storage};
use crate::hub::homes::Homes;
use crate::metrics::Registry;
use crate::net::{ClientAuth, Clock, Tls, TlsError, TlsFiles};
use crate::router::bus::Observer;
use crate::router::{self, Router};
use crate::server::{Handle, Server};
use crate::store::memory::MemoryStore;
use crate::store::sqlite::{OpenError, Options, SqliteStore};
use crate::store::{self, Store};

pub use listeners::{ListenError, bind};

/// Where data and key are kept unless said.
pub const DATA: &str = "stentor-data";

/// Why a server does not start, or ended.
#[derive(Debug)]
pub enum Error {
    /// The configuration contradicts itself.
    Config(config::Error),
    /// An allowed origin is none.
    Origin(OriginError),
    /// An address cannot be had.
    Listen(Box<ListenError>),
    /// The database cannot be opened.
    Open(OpenError),
    /// TLS cannot be spoken as configured.
    Tls(TlsError),
    /// The token key cannot be had.
    Key(io::Error),
    /// The token key cannot be used.
    KeyUse(KeyError),
    /// The store gives no reader.
    Reader(store::Error),
    /// The system refuses something, or a loop ended.
    Io(io::Error),
    /// The store failed while running: nothing was acknowledged after that.
    Store(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(error) => error.fmt(f),
            Self::Origin(error) => write!(f, "http.allowed_origins: {error}"),
            Self::Listen(error) => error.fmt(f),
            Self::Open(error) => error.fmt(f),
            Self::Tls(error) => error.fmt(f),
            Self::Key(error) => write!(f, "the token key: {error}"),
            Self::KeyUse(error) => write!(f, "the token key: {error}"),
            Self::Reader(error) => write!(f, "the database cannot be read: {error:?}"),
            Self::Io(error) => error.fmt(f),
            Self::Store(why) => write!(
                f,
                "the store failed ({why}); nothing was acknowledged after that. \
                 Look at the disk, then start again: what was acknowledged is there"
            ),
        }
    }
}

impl std::error::Error for Error {}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Where the data of a server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Data {
    /// In this directory.
    Disk {
        /// The directory.
        dir: PathBuf,
        /// Whether the database was made just now.
        new: bool,
    },
    /// In memory, the token key perhaps in this directory.
    Memory {
        /// The directory of the key.
        key: Option<PathBuf>,
    },
}

/// Whether TLS is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Secrecy {
    /// It is not.
    None,
    /// To whoever begins with it.
    Offered,
    /// And nothing else.
    Required,
}

impl Secrecy {
    const fn of(spoken: bool, required: bool) -> Self {
        match (spoken, required) {
            (false, _) => Self::None,
            (true, false) => Self::Offered,
            (true, true) => Self::Required,
        }
    }
}

/// What ends a server from within: the first failure counts.
#[derive(Debug, Default)]
struct Failure {
    why: OnceLock<String>,
    handle: OnceLock<Handle>,
}

impl Failure {
    /// Says why, and lets everybody go.
    fn declare(&self, why: &str) {
        if self.why.set(why.to_owned()).is_ok() {
            log::error!("the store failed, the server goes down: {why}");
            if let Some(handle) = self.handle.get() {
                handle.drain(Duration::from_secs(1));
            }
        }
    }
}

/// Randomness of the system, for refresh tokens.
#[derive(Debug)]
struct System;

impl Secrets for System {
    fn secret(&mut self) -> io::Result<[u8; 32]> {
        random_bytes()
    }
}

/// A server that is ready to run.
#[derive(Debug)]
pub struct Launched {
    server: Server<Router>,
    failure: Arc<Failure>,
    data: Data,
    secrecy: Secrecy,
    registry: Registry,
}

impl Launched {
    /// Where it listens, in the order asked for.
    #[must_use]
    pub fn local_addrs(&self) -> &[SocketAddr] {
        self.server.local_addrs()
    }

    /// What other threads can do with it.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.server.handle()
    }

    /// Where its data is.
    #[must_use]
    pub const fn data(&self) -> &Data {
        &self.data
    }

    /// Whether what is said to it can be read on the way.
    #[must_use]
    pub const fn secrecy(&self) -> Secrecy {
        self.secrecy
    }

    /// What it counts.
    #[must_use]
    pub const fn metrics(&self) -> &Registry {
        &self.registry
    }

    /// Runs until it is stopped or drained, by its handle or by SIGTERM and SIGINT.
    ///
    /// # Errors
    /// A loop cannot go on, or the store cannot promise anything any more.
    pub fn run(self) -> Result<(), Error> {
        let ran = self.server.run();
        if let Some(why) = self.failure.why.get() {
            return Err(Error::Store(why.clone()));
        }
        Ok(ran?)
    }
}

/// Puts a server together: binds the listeners, opens the store, starts the workers.
///
/// # Errors
/// Whatever is missing, in words for the person who starts it.
pub fn launch(config: Config) -> Result<Launched, Error> {
    launch_with(config, None)
}

/// The same, with somebody who is told of what happens on its loops.
///
/// # Errors
/// As [`launch`].
pub fn launch_observed(config: Config, observer: Arc<dyn Observer>) -> Result<Launched, Error> {
    launch_with(config, Some(observer))
}

fn launch_with(mut config: Config, observer: Option<Arc<dyn Observer>>) -> Result<Launched, Error> {
    config.finish().map_err(Error::Config)?;
    // First, so that nothing is made on the disk by a server that cannot start.
    let tls = tls(&config).map_err(Error::Tls)?;
    let listeners = bind(&config.listen).map_err(|error| Error::Listen(Box::new(error)))?;
    let (store, data) = open(&config)?;
    assemble(config, listeners, tls, (store, data), observer)
}

/// What TLS is spoken with, when it is configured.
///
/// # Errors
/// What is missing or wrong with the files.
pub fn tls(config: &Config) -> Result<Option<Tls>, TlsError> {
    let config::Tls { cert: Some(certificate), key: Some(key), client_ca, client_auth } =
        config.tls.clone()
    else {
        return Ok(None);
    };
    let client_auth = match client_auth {
        "optional" => ClientAuth::Optional,
        _ => ClientAuth::Required,
    };
    Tls::load(TlsFiles { certificate, key, client_ca, client_auth }).map(Some)
}

fn assemble(
    config: Config,
    listeners: Vec<TcpListener>,
    tls: Option<Tls>,
    (store, data): (Box<dyn Store>, Data),
    observer: Option<Arc<dyn Observer>>,
) -> Result<Launched, Error> {
    let loopback_only = loopback_only(&listeners)?;
    let origins = Origins::new(&config.allowed_origins, loopback_only).map_err(Error::Origin)?;
    let names = Names::new(&config.allowed_hosts, loopback_only);
    let key = match (&config.data, &data) {
        (None, Data::Memory { .. }) => OwnKey::random(),
        (dir, _) => OwnKey::load_or_create(dir.as_deref().unwrap_or(Path::new(DATA))),
    };
    let tokens = Jwt::new(&key.map_err(Error::Key)?, Vec::new()).map_err(Error::KeyUse)?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let loops = config.loops.unwrap_or(cores);
    let homes = Homes::new(seed()?, u16::try_from(loops).unwrap_or(u16::MAX));
    let (registry, clock) = (Registry::new(), Clock::start());
    let failure = Arc::new(Failure::default());
    let storage = Storage::default();
    let staff = staff::Staff {
        store,
        storage: storage.clone(),
        homes,
        clock,
        hashers: cores.saturating_sub(1).max(1),
        failure: failure.clone(),
        registry: registry.clone(),
    };
    let gate = admission::Gate::new(&config.guard, seed()?, &registry);
    let made = Makers {
        config: config.clone(),
        homes,
        tokens: Arc::new(tokens),
        origins: Arc::new(origins),
        registry: registry.clone(),
        names,
        storage,
        observer,
        seed: seed()?,
    };
    let required = config.engine.tls_required;
    let mut builder = Server::builder(move |here| made.router(here))
        .loops(loops)
        .config(config.net, config.engine)
        .workers(move |mailboxes| staff.employ(mailboxes))
        .admission(gate)
        .metrics(&registry)
        .clock(clock)
        .seed(seed()?)
        .handle_signals();
    for listener in listeners {
        builder = builder.listener(listener);
    }
    let secrecy = Secrecy::of(tls.is_some(), required);
    if let Some(tls) = tls {
        if let Some(warning) = tls.warning() {
            log::warn!("{warning}");
        }
        builder = builder.tls(tls);
    }
    let server = builder.build()?;
    // Nothing ran before, so nothing failed before there was a handle.
    let _ = failure.handle.set(server.handle());
    Ok(Launched { server, failure, data, secrecy, registry })
}

/// Whether nobody but this machine can come.
fn loopback_only(listeners: &[TcpListener]) -> io::Result<bool> {
    let addresses = listeners.iter().map(|listener| listener.local_addr());
    let addresses = addresses.collect::<io::Result<Vec<_>>>()?;
    Ok(addresses.iter().all(|address| address.ip().to_canonical().is_loopback()))
}

fn seed() -> io::Result<u64> {
    random_bytes().map(u64::from_le_bytes)
}

/// The store of a configuration, and where it is.
fn open(config: &Config) -> Result<(Box<dyn Store>, Data), Error> {
    if config.ephemeral {
        return Ok((Box::new(MemoryStore::new()), Data::Memory { key: config.data.clone() }));
    }
    let dir = config.data.clone().unwrap_or_else(|| PathBuf::from(DATA));
    let new = !dir.join("stentor.db").exists();
    let store = SqliteStore::open(&dir, Options::default()).map_err(Error::Open)?;
    Ok((Box::new(store), Data::Disk { dir, new }))
}

/// What the router of each loop is made from.
struct Makers {
    config: Config,
    homes: Homes,
    tokens: Arc<Jwt>,
    origins: Arc<Origins>,
    registry: Registry,
    names: Names,
    storage: Storage,
    observer: Option<Arc<dyn Observer>>,
    seed: u64,
}

impl Makers {
    fn router(&self, here: LoopId) -> Router {
        let parts = router::Parts {
            config: self.config.router.clone(),
            auth: self.config.auth.clone(),
            guard: self.config.guard.clone(),
            homes: self.homes,
            tokens: self.tokens.clone(),
            secrets: Box::new(System),
            origins: self.origins.clone(),
            endpoints: Box::new(
                Endpoints::new(&self.registry).of(self.names.clone(), self.storage.clone()),
            ),
            seed: self.seed ^ u64::from(here.0),
            observer: self.observer.clone(),
        };
        Router::new(parts, &self.registry)
    }
}
