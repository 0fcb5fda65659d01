//! The soak: the full server for minutes at half of what it can do, and whether it holds more at the
//! end than at the beginning.
//!
//! Calibration, warm-up, then the minutes. The load is `load/soak/`; the database is on the disk. The
//! warm-up lasts until the database is larger than SQLite's cache, which by then is full, and memory
//! has come to rest: what the store keeps in memory is bounded by that cache and counted.

pub(crate) mod samples;

use std::path::Path;
use std::time::Duration;

use self::samples::{Sample, growth, mib, window};
use crate::load::soak::{Crowd, Pace, Ran, Soak, Times};
use crate::messenger::Messenger;
use crate::system::{Outcome, Running, cpu_ns};

/// A look each ten seconds; at shorter soaks, six in what stands for a minute.
const LOOKS_A_WINDOW: u32 = 6;
/// Larger than the database's cache (`cache_size`, 32 MiB) with its log.
const CACHE_FULL_BYTES: u64 = 48 << 20;
/// One loop would do on one core; two have messages cross from one to the other, as with users.
const LOOPS: usize = 2;

/// What is to be done.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) crowd: Crowd,
    pub(crate) minutes: f64,
    /// At full speed, after as long to warm up.
    calibration: Duration,
    /// At least and at most, at half load.
    warm_up: (Duration, Duration),
    database_bytes: u64,
    /// Of full speed.
    share: f64,
}

impl Plan {
    /// The soak.
    pub(crate) const fn of(minutes: f64) -> Self {
        Self {
            crowd: Crowd { channels: 4, subscribers: 100, rooms: 16, members: 3, pingers: 64 },
            minutes,
            calibration: Duration::from_secs(4),
            // Pools, page caches and the allocator's arenas take three minutes to fill to their bounds.
            warm_up: (Duration::from_secs(180), Duration::from_secs(360)),
            database_bytes: CACHE_FULL_BYTES,
            share: 0.5,
        }
    }

    fn span(&self) -> Duration {
        Duration::from_secs_f64(self.minutes * 60.0)
    }

    /// A minute; of a shorter soak than three a third.
    fn window(&self) -> Duration {
        Duration::from_secs(60).min(self.span() / 3)
    }
}

/// What it came to.
pub(crate) struct Report {
    first: Sample,
    last: Sample,
    messages: u64,
    grown: Vec<String>,
}

impl Report {
    fn line(&self, minutes: f64) -> String {
        let Self { first, last, messages, grown } = self;
        let verdict = if grown.is_empty() {
            "flat".to_owned()
        } else {
            format!("not flat: {}", grown.join("; "))
        };
        format!(
            "soak: {minutes} min, {messages} messages, none lost, memory {} → {} MiB, descriptors {} → {}: {verdict}",
            mib(first.pss_bytes as f64),
            mib(last.pss_bytes as f64),
            first.descriptors,
            last.descriptors,
        )
    }
}

/// Runs it and prints the tables and the verdict; what is not flat is an error.
pub(crate) fn run(dir: &Path, minutes: f64) -> Outcome<()> {
    let dir = dir.join("soak");
    let report = soak(&dir, &Plan::of(minutes));
    let _ = std::fs::remove_dir_all(&dir);
    let report = report?;
    let line = report.line(minutes);
    if report.grown.is_empty() {
        println!("\n{line}");
        return Ok(());
    }
    Err(line.into())
}

fn soak(dir: &Path, plan: &Plan) -> Outcome<Report> {
    let messenger = Messenger::new(dir, plan.crowd.users())?;
    let mut command = messenger.command(LOOPS, false);
    let server = Running::start(command.args(["--set", "websocket.deflate=dedicated"]))?;
    let mut load = Soak::new(&server, &messenger, plan.crowd)?;
    println!("\nSoak: {} users stay, others come and go.\n", load.stay());
    let rate = calibrate(&server, &mut load, plan)?;
    warm_up(&server, &messenger, &mut load, plan, rate)?;

    let mut watch = Watch::new(&server, &messenger)?;
    let pace = Pace::PerSecond(rate);
    let ran = load.run(pace, plan.span(), plan.window() / LOOKS_A_WINDOW, &mut |at, times| {
        watch.look(at, times)
    })?;
    let samples = watch.samples;
    let windows = minutes(&samples, plan);
    print_minutes(&windows, plan);
    print_times(load.times(), &ran);
    let (Some(first), Some(last)) = (windows.first(), windows.last()) else {
        return Err("too short for a look".into());
    };
    let messages = load.times().messages();
    let made = load.accounts();
    drop(load);
    server.end()?;
    let grown = growth(first, last);
    println!(
        "\nGrows rightly: the database, from {} to {} MiB, {made} accounts in it. Memory {} MiB an hour.",
        mib(first.database_bytes as f64),
        mib(last.database_bytes as f64),
        mib((last.pss_bytes as f64 - first.pss_bytes as f64) * 3600.0
            / (last.at - first.at).as_secs_f64().max(1.0)),
    );
    Ok(Report { first: *first, last: *last, messages, grown })
}

/// The medians of each minute that is whole.
fn minutes(samples: &[Sample], plan: &Plan) -> Vec<Sample> {
    let each = plan.window();
    let starts = (0_u32..).map(|n| each * n).take_while(|&from| from + each <= plan.span());
    let mut windows: Vec<Sample> =
        starts.filter_map(|from| window(samples, from, from + each)).collect();
    // The last minute is the last one, also of two minutes and a half.
    if let (Some(last), Some(end)) =
        (window(samples, plan.span() - each, plan.span()), windows.last_mut())
    {
        *end = last;
    }
    windows
}

/// The rate of half load.
fn calibrate(server: &Running, load: &mut Soak<'_>, plan: &Plan) -> Outcome<f64> {
    let nothing = &mut |_: Duration, _: &Times| Ok(());
    load.run(Pace::Full, plan.calibration, Duration::MAX, nothing)?;
    let before = (server.cpu_ns_about()?, cpu_ns(std::process::id())?);
    let ran = load.run(Pace::Full, plan.calibration, Duration::MAX, nothing)?;
    let took = ran.took.as_nanos() as f64;
    let full = ran.things as f64 * 1e9 / took;
    let percent = |now: u64, before: u64| 100.0 * now.saturating_sub(before) as f64 / took;
    println!(
        "Full speed: {full:.0} things a second begun and over, {:.0} deliveries, acks and replies; \
         CPU of server / load {:.0} % / {:.0} %.",
        load.times().messages() as f64 * 1e9 / took,
        percent(server.cpu_ns_about()?, before.0),
        percent(cpu_ns(std::process::id())?, before.1),
    );
    let rate = full * plan.share;
    println!("Half load: {rate:.0} things a second.");
    Ok(rate)
}

/// At half load until the database's cache is full.
fn warm_up(
    server: &Running,
    messenger: &Messenger,
    load: &mut Soak<'_>,
    plan: &Plan,
    rate: f64,
) -> Outcome<()> {
    let (least, most) = plan.warm_up;
    let mut spent = Duration::ZERO;
    let nothing = &mut |_: Duration, _: &Times| Ok(());
    loop {
        spent += load.run(Pace::PerSecond(rate), least, Duration::MAX, nothing)?.took;
        let database = size(&messenger.database())?;
        if database >= plan.database_bytes || spent >= most {
            let memory = mib(server.memory_bytes()? as f64);
            let database = mib(database as f64);
            println!(
                "Warm-up: {:.0} s at that rate; memory {memory} MiB, database {database} MiB.",
                spent.as_secs_f64()
            );
            return Ok(());
        }
    }
}

/// Looks at a server.
struct Watch<'a> {
    server: &'a Running,
    messenger: &'a Messenger,
    samples: Vec<Sample>,
    /// When the last look was, and the CPU time of server and load by then.
    last: (Duration, u64, u64),
}

impl<'a> Watch<'a> {
    fn new(server: &'a Running, messenger: &'a Messenger) -> Outcome<Self> {
        let last = (Duration::ZERO, server.cpu_ns_about()?, cpu_ns(std::process::id())?);
        Ok(Self { server, messenger, samples: Vec::new(), last })
    }

    fn look(&mut self, at: Duration, times: &Times) -> Outcome<()> {
        let (pss_bytes, rss_bytes) = self.server.memory()?;
        let (descriptors, threads) = self.server.descriptors_and_threads()?;
        let now = (at, self.server.cpu_ns_about()?, cpu_ns(std::process::id())?);
        let wall = (now.0 - self.last.0).as_nanos().max(1) as f64;
        self.samples.push(Sample {
            at,
            pss_bytes,
            rss_bytes,
            descriptors,
            threads,
            database_bytes: size(&self.messenger.database())?,
            wal_bytes: size(&self.messenger.wal())?,
            server_percent: 100.0 * now.1.saturating_sub(self.last.1) as f64 / wall,
            load_percent: 100.0 * now.2.saturating_sub(self.last.2) as f64 / wall,
            messages: times.messages(),
        });
        self.last = now;
        Ok(())
    }
}

fn size(file: &Path) -> Outcome<u64> {
    let size = std::fs::metadata(file).map(|metadata| metadata.len());
    size.map_err(|error| format!("{}: {error}", file.display()).into())
}

fn print_minutes(windows: &[Sample], plan: &Plan) {
    let each = plan.window().as_secs_f64();
    println!("\nEach {each:.0} s, medians of {LOOKS_A_WINDOW} looks (MiB; CPU of one core):\n");
    println!(
        "| from | memory (PSS) | RSS | descriptors | threads | database | its log | CPU of server / load | messages so far |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for sample in windows {
        println!(
            "| {:.0} s | {} | {} | {} | {} | {} | {} | {:.0} % / {:.0} % | {} |",
            sample.at.as_secs_f64(),
            mib(sample.pss_bytes as f64),
            mib(sample.rss_bytes as f64),
            sample.descriptors,
            sample.threads,
            mib(sample.database_bytes as f64),
            mib(sample.wal_bytes as f64),
            sample.server_percent,
            sample.load_percent,
            sample.messages,
        );
    }
}

fn print_times(times: &Times, ran: &Ran) {
    println!("\nFrom when each was due, ms:\n");
    println!("| what | how many | p50 | p99 | p99.9 | most |\n|---|---|---|---|---|---|");
    for (name, times) in &times.all {
        let ms = |part: f64| times.value_at_quantile(part) as f64 / 1e6;
        println!(
            "| {name} | {} | {:.3} | {:.3} | {:.3} | {:.3} |",
            times.len(),
            ms(0.5),
            ms(0.99),
            ms(0.999),
            times.max() as f64 / 1e6
        );
    }
    if ran.paused > Duration::ZERO {
        let paused = ran.paused.as_secs_f64();
        println!("\nThe bench itself was stopped for {paused:.0} s by somebody else: not counted.");
    }
}

#[cfg(test)]
mod tests;
