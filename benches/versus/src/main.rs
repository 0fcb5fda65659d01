//! Stentor and others against programs that only move bytes: one command, one table.
//!
//! `../README.md` says how to read it. Limit: Linux, two cores, nobody else on them.
#![allow(clippy::disallowed_methods, reason = "load needs sockets and clocks of its own")]

mod arguments;
mod contestant;
mod load;
mod messenger;
mod null;
mod peers;
mod rows;
mod stats;
mod system;
mod talk;
mod wire;

use std::path::Path;
use std::process::ExitCode;

use arguments::Arguments;
use contestant::{Contestant, cargo, ours};
use messenger::Messenger;
use system::Outcome;
use talk::Door;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match words.split_first() {
        Some((word, rest)) if word == "null" => null::run(rest),
        #[cfg(feature = "peers")]
        Some((word, rest)) if word == "peer" => peers::echo::run(rest),
        _ => bench(&words),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn bench(words: &[String]) -> Outcome<()> {
    if words.iter().any(|word| word == "--help") {
        println!("{}", arguments::USAGE);
        return Ok(());
    }
    let arguments = Arguments::parse(words)?;
    // The soak needs no examples.
    build(if arguments.soaks() {
        &["--bin", "stentor"]
    } else {
        &["--bin", "stentor", "--examples"]
    })?;
    system::pin_load()?;
    let key = arguments.dir.join("key");
    std::fs::create_dir_all(&key)?;
    let outcome = if arguments.soaks() {
        rows::soak::run(&arguments.dir, arguments.minutes)
    } else {
        Bench::new(&arguments, &key).and_then(|bench| {
            bench.ratios()?;
            bench.others()
        })
    };
    // Only what was made here; a directory that was given may hold more.
    for name in ["key", "callgrind"] {
        let _ = std::fs::remove_dir_all(arguments.dir.join(name));
    }
    let _ = std::fs::remove_dir(&arguments.dir);
    outcome
}

/// Who is measured, and how.
struct Bench<'a> {
    arguments: &'a Arguments,
    echoers: Vec<Contestant>,
    broadcasters: Vec<Contestant>,
    messenger: Messenger,
    null_echo: Contestant,
    null_fan: Contestant,
}

impl<'a> Bench<'a> {
    fn new(arguments: &'a Arguments, key: &Path) -> Outcome<Self> {
        let one_loop = ["--port", "0", "--loops", "1"];
        let mut echoers =
            vec![Contestant::new("stentor", &ours("echo"), &one_loop, Door::WebSocket)];
        let mut broadcasters =
            vec![Contestant::new("stentor", &ours("broadcast"), &one_loop, Door::WebSocket)];
        let null_fan = rows::fan::null(&broadcasters[0])?;
        echoers.extend(peers::echoers()?);
        broadcasters.extend(peers::broadcasters());
        Ok(Self {
            arguments,
            echoers,
            broadcasters,
            messenger: Messenger::new(key, rows::memory::FIRST + rows::memory::CONNECTIONS)?,
            null_echo: Contestant::null(&["echo"])?,
            null_fan,
        })
    }

    /// The rows that are null's CPU time divided by theirs.
    fn ratios(&self) -> Outcome<()> {
        let (rounds, span) = (self.arguments.rounds, self.arguments.span);
        rows::print_head();
        for row in rows::echo::rows(&self.null_echo, &self.echoers, span) {
            if self.arguments.wants("1", row.name) {
                row.run(rounds)?;
            }
        }
        for row in rows::fan::rows(&self.null_fan, &self.broadcasters, span) {
            if self.arguments.wants("2", row.name) {
                row.run(rounds)?;
            }
        }
        let wants = |name: &str| self.arguments.wants("3", name);
        rows::publish::run(&self.messenger, wants, rounds, span)?;
        if self.arguments.wants("5", "connect") {
            rows::connect::row(&self.null_echo, &self.echoers, span).run(rounds)?;
        }
        Ok(())
    }

    /// The rows that are something else.
    fn others(&self) -> Outcome<()> {
        let (arguments, dir) = (self.arguments, &self.arguments.dir);
        if arguments.wants("4", "memory") {
            rows::memory::run(&self.echoers, &self.messenger)?;
        }
        if arguments.wants("6", "durable") {
            rows::durable::run(dir, arguments.rounds, arguments.span * 2)?;
        }
        let (loops, echo) = (arguments.wants("7", "loops"), arguments.wants("8", "instructions"));
        if (loops || echo) && rows::instructions::possible() {
            if loops {
                rows::instructions::loops(&dir.join("callgrind"), &self.messenger)?;
            }
            if echo {
                rows::instructions::echo()?;
            }
        }
        if arguments.wants("latency", "latency") {
            rows::latency::run(&self.null_echo, &self.echoers, arguments.span * 4)?;
        }
        Ok(())
    }
}

/// Builds what is measured, as it is released.
fn build(what: &[&str]) -> Outcome<()> {
    let built = cargo().args(["build", "--release", "--locked"]).args(what).status()?;
    if built.success() { Ok(()) } else { Err("what is to be measured cannot be built".into()) }
}
