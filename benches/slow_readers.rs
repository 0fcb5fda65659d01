//! Whether readers that never read are felt by those that do: two servers of one loop, one channel
//! each, the same readers; one of them has besides as many that never read as `STALLED` says. Events go
//! to the one and to the other in turn, so what else the machine does falls on both. Told is the
//! time from the publication until the last reader has it, p50 and p99.
//!
//! `cargo bench --bench slow_readers` fails when p99 with the stalled ones is above 1.5 of that without
//! in each of three tries, and when a server that wastes ten microseconds on each of them is not
//! noticed. Limit: one process, Unix sockets; the numbers are of this machine and its load.

use std::convert::Infallible;
use std::error::Error;
use std::io::{self, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use stentor::base::id::ConnectionId;
use stentor::handler::{Class, Context, Gap, Handler, Message, Tag};
use stentor::protocol::frame::{Draft, OwnFrame};
use stentor::protocol::websocket::Opcode;
use stentor::server::{Handle, Server};
use stentor::{base::now::Now, engine, net};

/// Who never reads.
const STALLED: usize = 1000;
/// Who does.
const READERS: usize = 500;
const EVENTS: usize = 400;
/// What an event carries, beside its number.
const FILLER: usize = 1000;

/// `join` makes a reader, anything else is published to all of them.
struct Feed {
    all: Vec<ConnectionId>,
    offset: u64,
    class: Class,
    /// What is wasted on each receiver with every event.
    waste: Duration,
}

impl Handler for Feed {
    type Job = Infallible;
    type Done = Infallible;
    type Peer = Infallible;
    type Timer = Infallible;

    fn message(&mut self, cx: &mut Context<'_, Self>, from: ConnectionId, message: Message<'_>) {
        if message.bytes == b"join" {
            self.all.push(from);
            return;
        }
        self.offset += 1;
        let until = Instant::now() + self.waste * self.all.len() as u32;
        while Instant::now() < until {}
        let mut draft = cx.draft();
        draft.payload().extend_from_slice(message.bytes);
        let tag = Tag { channel: 1, offset: self.offset, class: self.class };
        cx.broadcast(&self.all, None, draft.finish(Opcode::Text), tag);
    }

    fn gap(&mut self, _: Now, gap: &Gap, mut draft: Draft) -> Option<OwnFrame> {
        draft.payload().extend_from_slice(format!("gap {} {}", gap.from, gap.to).as_bytes());
        Some(draft.finish(Opcode::Text))
    }
}

/// A server with its readers.
struct Stage {
    path: PathBuf,
    handle: Handle,
    thread: Option<std::thread::JoinHandle<io::Result<()>>>,
    publisher: UnixStream,
    readers: Vec<UnixStream>,
    stalled: Vec<UnixStream>,
}

impl Stage {
    fn new(name: &str, class: Class, stalled: usize, waste: Duration) -> io::Result<Self> {
        let path = std::env::temp_dir().join(format!("stentor-slow-{name}-{}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        let listener = UnixListener::bind(&path)?;
        let feed = move |_| Feed { all: Vec::new(), offset: 0, class, waste };
        let config = engine::Config { outbox_bytes: 64 * 1024, ..engine::Config::default() };
        let server = Server::builder(feed)
            .unix_listener(listener)
            .loops(1)
            .config(net::Config::default(), config)
            .build()?;
        let handle = server.handle();
        let thread = Some(std::thread::spawn(move || server.run()));
        let joined = |count: usize| -> io::Result<Vec<UnixStream>> {
            (0..count)
                .map(|_| {
                    let mut stream = UnixStream::connect(&path)?;
                    stream.write_all(b"join\n")?;
                    Ok(stream)
                })
                .collect()
        };
        // Those that never read come first with every event.
        let (stalled, readers) = (joined(stalled)?, joined(READERS)?);
        let publisher = UnixStream::connect(&path)?;
        Ok(Self { path, handle, thread, publisher, readers, stalled })
    }

    /// How long an event takes to the last reader.
    fn event(&mut self, buffer: &mut [u8]) -> io::Result<Duration> {
        let line = [&vec![b'x'; FILLER][..], b"\n"].concat();
        let begun = Instant::now();
        self.publisher.write_all(&line)?;
        for reader in &mut self.readers {
            reader.read_exact(&mut buffer[..line.len()])?;
        }
        Ok(begun.elapsed())
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.handle.stop();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        let _ = std::fs::remove_file(&self.path);
    }
}

fn quantile(times: &mut [Duration], part: f64) -> Duration {
    times.sort_unstable();
    times[((times.len() - 1) as f64 * part) as usize]
}

/// p99 with stalled readers in terms of that without.
fn ratio(class: Class, waste: Duration) -> Result<f64, Box<dyn Error>> {
    let mut alone = Stage::new("alone", class, 0, Duration::ZERO)?;
    let mut beside = Stage::new("beside", class, STALLED, waste)?;
    let mut buffer = vec![0; FILLER + 1];
    // What the kernel keeps for those that do not read is full after this, and their queues are.
    for _ in 0..350 {
        beside.event(&mut buffer)?;
        alone.event(&mut buffer)?;
    }
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for _ in 0..EVENTS {
        without.push(alone.event(&mut buffer)?);
        with.push(beside.event(&mut buffer)?);
    }
    let there = beside.stalled.len();
    let [p50, p99] = [0.5, 0.99].map(|part| quantile(&mut without, part));
    let [slow50, slow99] = [0.5, 0.99].map(|part| quantile(&mut with, part));
    let ratio = slow99.as_secs_f64() / p99.as_secs_f64();
    writeln!(
        io::stdout(),
        "slow_readers: {class:?}, {READERS} readers: p50 {p50:?}, p99 {p99:?}; beside {there} that \
         never read: p50 {slow50:?}, p99 {slow99:?}: {ratio:.2}"
    )?;
    Ok(ratio)
}

fn main() -> Result<(), Box<dyn Error>> {
    if std::env::args().any(|word| word == "--test") {
        // The other benches try themselves once; this one takes thousands of sockets to do that.
        return Ok(());
    }
    for class in [Class::DropOldest, Class::DropNewest, Class::Latest, Class::Kick] {
        let mut tries = 1;
        while ratio(class, Duration::ZERO)? > 1.5 {
            tries += 1;
            if tries > 3 {
                return Err(format!("{class:?}: those that never read are felt").into());
            }
        }
    }
    if ratio(Class::DropOldest, Duration::from_micros(10))? <= 1.5 {
        return Err("a server that wastes its time on them is not noticed".into());
    }
    Ok(())
}
