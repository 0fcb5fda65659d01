//! Stentor and others against programs that only move bytes: one command, one table.
//!
//! `../README.md` says how to read it. Limit: Linux, two cores, nobody else on them.

mod arguments;
mod contestant;
mod load;
mod messenger;
mod null;
mod rows;
mod stats;
mod system;
mod talk;
mod wire;

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
    build()?;
    system::pin_load()?;
    let (rounds, span) = (arguments.rounds, arguments.span);
    let echoers = vec![Contestant::new(
        "stentor",
        &ours("echo"),
        &["--port", "0", "--loops", "1"],
        Door::WebSocket,
    )];
    let broadcasters =
        vec![Contestant::new("stentor", &ours("broadcast"), &["--port", "0"], Door::WebSocket)];
    let null_echo = Contestant::null(&["echo"])?;
    let null_fan = rows::fan::null(&broadcasters[0])?;
    rows::print_head();
    for row in rows::echo::rows(&null_echo, &echoers, span) {
        if arguments.wants("1", row.name) {
            row.run(rounds)?;
        }
    }
    for row in rows::fan::rows(&null_fan, &broadcasters, span) {
        if arguments.wants("2", row.name) {
            row.run(rounds)?;
        }
    }
    let key = arguments.dir.join("key");
    std::fs::create_dir_all(&key)?;
    let messenger = Messenger::new(&key, rows::memory::FIRST + rows::memory::CONNECTIONS)?;
    rows::publish::run(&messenger, |name| arguments.wants("3", name), rounds, span)?;
    if arguments.wants("5", "connect") {
        rows::connect::row(&null_echo, &echoers, span).run(rounds)?;
    }
    if arguments.wants("4", "memory") {
        rows::memory::run(&echoers, &messenger)?;
    }
    if arguments.wants("6", "durable") {
        rows::durable::run(&arguments.dir, rounds, span * 2)?;
    }
    let instructions = [("7", "loops"), ("8", "instructions")];
    let [loops, echo] = instructions.map(|(number, name)| arguments.wants(number, name));
    if (loops || echo) && rows::instructions::possible() {
        if loops {
            rows::instructions::loops(&arguments.dir, &messenger)?;
        }
        if echo {
            rows::instructions::echo()?;
        }
    }
    if arguments.wants("latency", "latency") {
        rows::latency::run(&null_echo, &echoers, span * 4)?;
    }
    Ok(())
}

/// Builds what is measured, as it is released.
fn build() -> Outcome<()> {
    let wanted = ["build", "--release", "--locked", "--bin", "stentor", "--examples"];
    let built = cargo().args(wanted).status()?;
    if built.success() { Ok(()) } else { Err("what is to be measured cannot be built".into()) }
}
