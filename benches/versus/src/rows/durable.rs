//! Row 6: chat messages of 64 senders, each waiting for its ack, which comes after the fsync;
//! against a bare loop that writes rows of the same kinds into the same file.
//!
//! The bare loop knows no members, no counters, no dedup: one insert into `messages` and one into
//! `log` for each, in transactions of the size that the server's commits had, on the same core,
//! with the server's settings of SQLite.
//!
//! Checkpoints are half of the cost, so both make them equally often. The server makes them at 1,000
//! pages when its queue has run empty, at 4,000 when it never does; which of the two it was is read
//! from the size its WAL has grown to, and the bare loop does the same.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use rusqlite::Connection;

use super::echo::WARM_UP;
use super::judged;
use crate::load::{Poll, Until, drain};
use crate::messenger::Messenger;
use crate::stats::Quartiles;
use crate::system::{self, Outcome, Running};
use crate::talk::{Door, framed};
use crate::wire::{Counter, Framing};

const SENDERS: usize = 64;
const CONTENT: &str = "sixty-four bytes of text, which is what a short message comes to.";

const SETTINGS: &str = "PRAGMA journal_mode = wal; PRAGMA synchronous = 2; PRAGMA fullfsync = 1; \
    PRAGMA checkpoint_fullfsync = 1; PRAGMA foreign_keys = 1; PRAGMA cell_size_check = 1; \
    PRAGMA mmap_size = 0; PRAGMA temp_store = 2; \
    PRAGMA journal_size_limit = 67108864; PRAGMA cache_size = -32768;";

/// What was written in a while, and how long each took.
struct Written {
    per_second: f64,
    p99_ns: f64,
    /// Writes that shared a commit.
    group: f64,
    /// Pages in the WAL at which it is copied into the database.
    checkpoint_pages: usize,
}

/// Prints the row.
pub(crate) fn run(dir: &Path, rounds: usize, span: Duration) -> Outcome<()> {
    let before = system::others_percent()?;
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        let dir = dir.join(format!("durable-{round}"));
        let messenger = Messenger::new(&dir, SENDERS)?;
        let written = through_server(&messenger, span)?;
        let group = written.group.round().max(1.0) as usize;
        system::pin(system::SERVER)?;
        let loop_alone = by_hand(&dir.join("stentor.db"), group, written.checkpoint_pages, span);
        system::pin_load()?;
        ours.push(written);
        bare.push(loop_alone?);
        std::fs::remove_dir_all(&dir)?;
    }
    let others = before.max(system::others_percent()?);
    let pairs = || ours.iter().zip(&bare);
    let throughput = Quartiles::of(pairs().map(|(a, b)| a.per_second / b.per_second).collect());
    let p99 = Quartiles::of(pairs().map(|(a, b)| a.p99_ns / b.p99_ns).collect());
    let middle = |all: &[Written], of: fn(&Written) -> f64| {
        Quartiles::of(all.iter().map(of).collect()).median
    };
    println!("\nDurable messages of {SENDERS} senders, acknowledged after the fsync:\n");
    println!("| row | who | a second | p99 | group | checkpoint at | ÷ bare (quartiles) | |");
    println!("|---|---|---|---|---|---|---|---|");
    let line = |who: &str, all: &[Written], ratio: String, verdict: &str| {
        println!(
            "| durable | {who} | {:.0} | {:.2} ms | {:.1} | {:.0} pages | {ratio} | {verdict} |",
            middle(all, |w| w.per_second),
            middle(all, |w| w.p99_ns) / 1e6,
            middle(all, |w| w.group),
            middle(all, |w| w.checkpoint_pages as f64),
        );
    };
    line("bare SQLite", &bare, "1; p99 of its commits".to_owned(), "");
    let done = throughput.median >= 0.6 && p99.median <= 2.5;
    let aim = throughput.median >= 0.8 && p99.median <= 1.5;
    let verdict = match (aim, done) {
        (true, _) => "aim 0.8 and 1.5 reached",
        (_, true) => "done 0.6 and 2.5 reached",
        _ => "below 0.6, or over 2.5",
    };
    line(
        "stentor",
        &ours,
        format!("{throughput}; p99 of the ack {p99}"),
        &judged(others, verdict.to_owned()),
    );
    Ok(())
}

struct Sender {
    stream: TcpStream,
    counter: Counter,
    message: Vec<u8>,
    sent: Instant,
}

fn through_server(messenger: &Messenger, span: Duration) -> Outcome<Written> {
    let server = Running::start(&mut messenger.command(1, false))?;
    let mut poll = Poll::new()?;
    let mut senders = Vec::with_capacity(SENDERS);
    for user in 0..SENDERS {
        let mut talk = messenger.enter(&server, Door::WebSocket, user)?;
        let room =
            format!("{{\"type\":\"create_room\",\"name\":\"r{user}\",\"visibility\":\"private\"}}");
        let chat = talk.ask(&room)?;
        let id = chat.split("\"id\":\"").nth(1).and_then(|rest| rest.split('"').next());
        let id = id.ok_or("a room without an id")?;
        let message =
            format!("{{\"type\":\"message\",\"chat_id\":\"{id}\",\"content\":\"{CONTENT}\"}}");
        let stream = talk.into_stream()?;
        poll.add(&stream, user, false)?;
        senders.push(Sender {
            stream,
            counter: Counter::new(Framing::WebSocket),
            message: framed(Door::WebSocket, message.as_bytes()),
            sent: Instant::now(),
        });
    }
    let mut times = Histogram::new(3)?;
    send(&mut senders, &mut poll, WARM_UP, &mut times)?;
    times.clear();
    let before = commits(&server)?;
    let start = Instant::now();
    let count = send(&mut senders, &mut poll, span, &mut times)?;
    let per_second = count as f64 / start.elapsed().as_secs_f64();
    let after = commits(&server)?;
    let checkpoint_pages = checkpoint_pages(&messenger.wal())?;
    drop(senders);
    server.end()?;
    let group = (after.0 - before.0) / (after.1 - before.1).max(1.0);
    let p99_ns = times.value_at_quantile(0.99) as f64;
    Ok(Written { per_second, p99_ns, group, checkpoint_pages })
}

/// At how many pages the server made its checkpoints: the file keeps the size it once had.
fn checkpoint_pages(wal: &Path) -> Outcome<usize> {
    const PAGE_BYTES: u64 = 4096 + 24;
    let pages = std::fs::metadata(wal)?.len() / PAGE_BYTES;
    // The batch that goes over the line is written whole.
    Ok(if pages > 2000 { 4000 } else { 1000 })
}

/// Every sender sends its next message when the last one is acknowledged.
fn send(
    senders: &mut [Sender],
    poll: &mut Poll,
    span: Duration,
    times: &mut Histogram<u64>,
) -> Outcome<u64> {
    let until = Until::after(span);
    let begin = |sender: &mut Sender| -> io::Result<()> {
        sender.sent = Instant::now();
        (&sender.stream).write_all(&sender.message)
    };
    for sender in senders.iter_mut() {
        begin(sender)?;
    }
    let (mut count, mut waiting) = (0, senders.len());
    let mut buffer = vec![0; 64 * 1024];
    while waiting > 0 {
        poll.wait()?;
        for place in poll.ready() {
            let sender = &mut senders[place];
            let (counter, mut answered, mut wrong) = (&mut sender.counter, 0, false);
            drain(&sender.stream, &mut buffer, |bytes| {
                answered += counter.take(bytes);
                wrong |= memchr::memmem::find(bytes, b"\"status\":\"error\"").is_some();
            })?;
            if wrong {
                return Err("a message was refused".into());
            }
            if answered == 0 {
                continue;
            }
            times.record(sender.sent.elapsed().as_nanos() as u64)?;
            count += answered;
            if until.goes_on() {
                begin(sender)?;
            } else {
                waiting -= 1;
            }
        }
    }
    Ok(count)
}

/// Writes and commits so far, from the server's own count.
fn commits(server: &Running) -> Outcome<(f64, f64)> {
    let mut stream = TcpStream::connect(server.address)?;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut page = String::new();
    stream.read_to_string(&mut page)?;
    let value = |name: &str| -> Outcome<f64> {
        let line = page.lines().find_map(|line| line.strip_prefix(name));
        Ok(line.ok_or_else(|| format!("no {name}"))?.trim().parse()?)
    };
    Ok((value("stentor_commit_writes_sum ")?, value("stentor_commit_writes_count ")?))
}

fn by_hand(path: &Path, group: usize, checkpoint_pages: usize, span: Duration) -> Outcome<Written> {
    let mut conn = Connection::open(path)?;
    conn.execute_batch(SETTINGS)?;
    conn.pragma_update(None, "wal_autocheckpoint", checkpoint_pages as i64)?;
    let seats: Vec<(i64, i64)> = conn
        .prepare("SELECT chat, user FROM members ORDER BY chat")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    let mut next: i64 =
        1 + conn.query_row("SELECT max(number) FROM log", [], |row| row.get::<_, i64>(0))?;
    let mut times = Histogram::<u64>::new(3)?;
    let (mut count, mut written, mut seat) = (0_u64, 0_u128, 0);
    let (mut begin, mut warm) = (Instant::now(), false);
    while begin.elapsed() < span {
        if !warm && begin.elapsed() >= WARM_UP {
            (begin, warm) = (Instant::now(), true);
            times.clear();
            count = 0;
        }
        let start = Instant::now();
        let transaction =
            conn.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        {
            let mut message = transaction.prepare_cached(
                "INSERT INTO messages (chat, seq, id, sender, content, created_at) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?;
            let mut log = transaction.prepare_cached(
                "INSERT INTO log (chat, number, kind, sender, at, subject) \
                 VALUES (?1, ?2, 1, ?3, ?4, ?2)",
            )?;
            for _ in 0..group {
                let (chat, user) = seats[seat];
                // Ids grow, as the server's do.
                let id = (u128::MAX / 2 + written).to_be_bytes();
                let at = 1_800_000_000_000_i64 + begin.elapsed().as_millis() as i64;
                message.execute((chat, next, id, user, CONTENT, at))?;
                log.execute((chat, next, user, at))?;
                count += 1;
                written += 1;
                seat = (seat + 1) % seats.len();
                next += i64::from(seat == 0);
            }
        }
        transaction.commit()?;
        times.record(start.elapsed().as_nanos() as u64)?;
    }
    let per_second = count as f64 / begin.elapsed().as_secs_f64();
    let p99_ns = times.value_at_quantile(0.99) as f64;
    Ok(Written { per_second, p99_ns, group: group as f64, checkpoint_pages })
}
