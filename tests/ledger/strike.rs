//! What strikes a server in the middle of its traffic.
//!
//! Law: a strike returns once it has struck; whatever then still lives is killed by who called.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use stentor::base::rng::Rng;

use crate::campaign::Kind;
use crate::process::{Server, pause};
use crate::publisher::Pulse;
use crate::room::Disk;

/// Some time, shorter ones more often.
fn some(rng: &mut Rng, most_ms: u64) -> Duration {
    let most = rng.below(most_ms * 1000) + 1;
    Duration::from_micros(rng.below(most) + rng.below(most_ms * 500))
}

/// Any time; every second time one with so many acks behind it, however slow the machine is.
fn moment(pulse: &Pulse, rng: &mut Rng) {
    if rng.below(2) == 0 {
        return pause(some(rng, 80));
    }
    let (acks, begun) = (rng.below(150), Instant::now());
    while pulse.acks.load(Relaxed) < acks && begun.elapsed() < Duration::from_secs(2) {
        pause(Duration::from_micros(200));
    }
}

/// Does it; the server is killed behind it if it still lives.
pub(crate) fn strike(
    kind: Kind,
    server: &mut Server,
    pulse: &Pulse,
    rng: &mut Rng,
    disk: Option<&Disk>,
    died: &mut bool,
) -> Result<(), String> {
    match kind {
        Kind::Kill | Kind::Power | Kind::Migration | Kind::Start => moment(pulse, rng),
        Kind::Stop => {
            moment(pulse, rng);
            server.signal("STOP");
            pause(some(rng, 40));
            if rng.below(2) == 0 {
                server.signal("CONT");
                pause(some(rng, 30));
            }
        }
        Kind::Term => {
            moment(pulse, rng);
            server.signal("TERM");
            *died = server.dies_within(some(rng, 120)).is_some();
        }
        Kind::Checkpoint | Kind::Failpoint(_) => {
            *died = server.dies_within(Duration::from_millis(200)).is_some();
        }
        Kind::Fsync => return fatal(server, rng, died),
        Kind::Limit | Kind::Full => return fill(server, pulse, rng, disk),
    }
    Ok(())
}

/// What the server cannot mend has happened, or will: it goes down, and says so.
fn fatal(server: &mut Server, rng: &mut Rng, died: &mut bool) -> Result<(), String> {
    if rng.below(8) > 0 {
        // It lives for a second, to tell everybody; that need not be waited for each time.
        pause(some(rng, 80));
        return Ok(());
    }
    let status = server.dies_within(Duration::from_secs(10));
    let status = status.ok_or("a write or an fsync failed, and it goes on")?;
    *died = true;
    if status.success() {
        return Err("a write or an fsync failed, and it stopped as if nothing had been".to_owned());
    }
    Ok(())
}

/// The WAL may grow by some KiB and no more.
pub(crate) fn limit(
    server: &mut Server,
    pulse: &Pulse,
    rng: &mut Rng,
    data: &Path,
    died: &mut bool,
) -> Result<(), String> {
    moment(pulse, rng);
    let wal = std::fs::metadata(data.join("stentor.db-wal")).map_or(0, |wal| wal.len());
    server.limit_files(wal + rng.below(64 * 1024))?;
    fatal(server, rng, died)
}

/// What `/readyz` says; nothing when the server is gone.
fn readiness(address: &str) -> Option<u16> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    let request = "GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).ok()?;
    let mut said = String::new();
    stream.read_to_string(&mut said).ok()?;
    said.get(9..12)?.parse().ok()
}

/// A disk that gets full and has room again, unless death comes between.
fn fill(
    server: &mut Server,
    pulse: &Pulse,
    rng: &mut Rng,
    disk: Option<&Disk>,
) -> Result<(), String> {
    let Some(disk) = disk else { return Err("no disk to fill".to_owned()) };
    const LOOKS: u32 = 5000;
    let comes = |what: &dyn Fn() -> bool, told: &str, server: &mut Server| {
        for _ in 0..LOOKS {
            if what() {
                return Ok(());
            }
            if let Some(status) = server.dies_within(Duration::from_millis(2)) {
                return Err(format!("it ended with {status} before {told}"));
            }
        }
        Err(format!("not within {LOOKS} looks: {told}"))
    };
    pause(some(rng, 40));
    disk.fill(rng)?;
    comes(&|| pulse.full.load(Relaxed) > 0, "storage_full is told", server)?;
    let address = server.address.clone();
    comes(&|| readiness(&address) == Some(503), "a full disk is not ready", server)?;
    let dies = rng.below(4) == 0;
    pause(some(rng, 20));
    if !dies {
        disk.empty();
        let before = pulse.acks.load(Relaxed);
        comes(&|| pulse.acks.load(Relaxed) > before + 16, "acks with room", server)?;
        comes(&|| readiness(&address) == Some(200), "ready with room", server)?;
        pause(some(rng, 20));
    }
    server.kill();
    disk.empty();
    Ok(())
}
