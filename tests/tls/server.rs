//! A server with a certificate on a thread of its own, and a handler that echoes and tells.

use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustls::RootCertStore;
use stentor::base::id::{ConnectionId, LoopId};
use stentor::handler::{Accept, Close, Context, Handler, Message, Opening, Segment, Tag, Upgrade};
use stentor::metrics::Registry;
use stentor::protocol::http::{Request, Response};
use stentor::protocol::websocket::Opcode;
use stentor::server::{Builder, Handle, Server};
use stentor::{engine, net};

use crate::certificates::{Authority, Folder};
use crate::client::Client;

/// Nothing here takes this long unless it is broken.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Echoes. `privacy` tells whether the connection is encrypted, `flood N` sends N KiB.
#[derive(Default)]
pub(crate) struct Echo {
    encrypted: Vec<ConnectionId>,
}

impl Handler for Echo {
    type Job = Infallible;
    type Done = Infallible;
    type Peer = Infallible;
    type Timer = Infallible;

    fn open(&mut self, _: &mut Context<'_, Self>, id: ConnectionId, opening: &Opening) {
        if opening.encrypted {
            self.encrypted.push(id);
        }
    }

    fn upgrade(
        &mut self,
        _: &mut Context<'_, Self>,
        _: ConnectionId,
        _: &Upgrade<'_>,
    ) -> Result<Accept, Response> {
        Ok(Accept::default())
    }

    fn request(&mut self, cx: &mut Context<'_, Self>, id: ConnectionId, _: &Request<'_>) {
        cx.respond(id, Response::new(200).text("it works\n"));
    }

    fn message(&mut self, cx: &mut Context<'_, Self>, from: ConnectionId, message: Message<'_>) {
        match message.bytes {
            b"privacy" => {
                let encrypted = self.encrypted.contains(&from);
                reply(cx, from, if encrypted { b"encrypted" } else { b"plain" });
            }
            b"end" => cx.close(from, Close::new(4000, "asked for")),
            bytes => match bytes.strip_prefix(b"flood ") {
                Some(kib) => {
                    let kib: usize = std::str::from_utf8(kib).unwrap().parse().unwrap();
                    (0..kib).for_each(|at| reply(cx, from, &[b'a' + (at % 26) as u8; 1023]));
                }
                None => cx.send(from, Segment::Lent(0..bytes.len()), Tag::REPLY),
            },
        }
    }

    fn closed(&mut self, _: &mut Context<'_, Self>, id: ConnectionId) {
        self.encrypted.retain(|one| *one != id);
    }
}

fn reply(cx: &mut Context<'_, Echo>, to: ConnectionId, bytes: &[u8]) {
    let mut draft = cx.draft();
    draft.payload().extend_from_slice(bytes);
    cx.send(to, Segment::Own(draft.finish(Opcode::Text)), Tag::REPLY);
}

/// What engines need so that no deadline does what the loop has forgotten to.
pub(crate) fn roomy() -> engine::Config {
    engine::Config {
        message_bytes: 16 << 20,
        outbox_bytes: 64 << 20,
        outbox_soft_bytes: 1 << 20,
        outbox_soft_ms: 600_000,
        close_timeout_ms: 600_000,
        tls_timeout_ms: 600_000,
        ..engine::Config::default()
    }
}

/// A server with a certificate, not yet built.
pub(crate) fn builder(tls: net::Tls, engine: engine::Config) -> Builder<Echo> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let net = net::Config { raise_descriptors: false, ..net::Config::default() };
    Server::builder(|_: LoopId| Echo::default())
        .listener(listener)
        .loops(1)
        .config(net, engine)
        .tls(tls)
}

/// A server that runs; stopped when dropped.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) handle: Handle,
    pub(crate) authority: Authority,
    pub(crate) folder: Folder,
    registry: Registry,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl Running {
    /// With everything as usual.
    pub(crate) fn start(name: &str) -> Self {
        Self::with(name, roomy(), |_, _| {}, |builder| builder)
    }

    pub(crate) fn with(
        name: &str,
        engine: engine::Config,
        files: impl FnOnce(&Folder, &mut net::TlsFiles),
        more: impl FnOnce(Builder<Echo>) -> Builder<Echo>,
    ) -> Self {
        let (authority, folder) = (Authority::new(), Folder::new(name));
        let mut wanted = folder.files(&authority.issue(2090));
        files(&folder, &mut wanted);
        let registry = Registry::new();
        let builder = builder(net::Tls::load(wanted).unwrap(), engine).metrics(&registry);
        let server = more(builder).build().unwrap();
        let (address, handle) = (server.local_addrs()[0], server.handle());
        let thread = Some(std::thread::spawn(move || server.run()));
        Self { address, handle, authority, folder, registry, thread }
    }

    pub(crate) fn roots(&self) -> Arc<RootCertStore> {
        self.authority.roots()
    }

    /// A client that has shaken hands.
    pub(crate) fn client(&self) -> Client {
        Client::to(self.address, crate::client::usual(self.roots()))
    }

    /// What a metric says; its labels are part of the name.
    pub(crate) fn metric(&self, name: &str) -> u64 {
        let text = self.registry.render();
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        let value = line.unwrap_or_else(|| panic!("no {name} in {text}"));
        value.parse::<f64>().unwrap() as u64
    }

    pub(crate) fn failed(&self, reason: &str) -> u64 {
        self.metric(&format!("stentor_tls_handshakes_failed_total{{reason=\"{reason}\"}}"))
    }

    /// Waits until it ends of itself.
    pub(crate) fn ended(mut self) {
        let thread = self.thread.take().unwrap();
        until(|| thread.is_finished());
        thread.join().unwrap().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.handle.stop();
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap().unwrap();
        }
    }
}

/// Waits for `condition`, at most so long as patience lasts.
pub(crate) fn until(mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "never came true");
        std::thread::yield_now();
    }
}
