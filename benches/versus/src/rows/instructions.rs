//! Rows 7 and 8: instructions in user space, counted by callgrind; the same number every time, or
//! nearly, however busy the machine is.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::contestant::cargo;
use crate::load::fan::Fan;
use crate::messenger::{Messenger, publication};
use crate::system::{Outcome, Running, SERVER};
use crate::talk::{Door, framed};
use crate::wire::Framing;

/// So few that neither one loop nor two run out of the 256 queues that an engine keeps: with 500, one
/// loop allocates and two do not, and two seem cheaper than one.
const SUBSCRIBERS: usize = 200;
/// Publications of the shorter run and of the longer one: the difference knows no start and no end.
const FEW: u64 = 100;
const MANY: u64 = 300;

/// Whether there is a valgrind.
pub(crate) fn possible() -> bool {
    let version = Command::new("valgrind").arg("--version").stdout(Stdio::null()).status();
    let found = version.is_ok_and(|status| status.success());
    if !found {
        println!("\nRows 7 and 8 are left out: valgrind is not installed.");
    }
    found
}

/// Row 7: two loops against one.
pub(crate) fn loops(dir: &Path, messenger: &Messenger) -> Outcome<()> {
    std::fs::create_dir_all(dir)?;
    let one = each_delivery(dir, messenger, 1)?;
    let two = each_delivery(dir, messenger, 2)?;
    let ratio = two / one;
    let verdict = match ratio {
        r if r <= 1.05 => "aim 1.05 reached",
        r if r <= 1.10 => "done 1.1 reached",
        _ => "over 1.1",
    };
    println!("\nInstructions per delivery, `publish` to {SUBSCRIBERS} over WebSocket:\n");
    println!("| row | one loop | two loops | ratio | |\n|---|---|---|---|---|");
    println!("| loops | {one:.0} | {two:.0} | {ratio:.3} | {verdict} |");
    Ok(())
}

fn each_delivery(dir: &Path, messenger: &Messenger, loops: usize) -> Outcome<f64> {
    let few = total(dir, messenger, loops, FEW)?;
    let many = total(dir, messenger, loops, MANY)?;
    Ok((many - few) / ((MANY - FEW) * SUBSCRIBERS as u64) as f64)
}

fn total(dir: &Path, messenger: &Messenger, loops: usize, times: u64) -> Outcome<f64> {
    let file = dir.join(format!("callgrind-{loops}-{times}"));
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--fair-sched=yes"]);
    command.arg(format!("--callgrind-out-file={}", file.display()));
    command.arg(crate::contestant::ours("stentor"));
    messenger.arguments(&mut command, loops, true);
    let server = Running::start_on(&mut command, &[SERVER])?;
    let (publisher, subscribers) = messenger.audience(&server, Door::WebSocket, SUBSCRIBERS)?;
    let message = framed(Door::WebSocket, publication().as_bytes());
    let mut load = Fan::new(publisher, subscribers, &message, 1, Framing::WebSocket)?;
    load.run_times(times)?;
    drop(load);
    server.end()?;
    let text = std::fs::read_to_string(&file)?;
    let line = text.lines().find_map(|line| line.strip_prefix("totals: "));
    Ok(line.ok_or("callgrind counted nothing")?.trim().parse()?)
}

/// Row 8: the crate's own check, which holds its number.
pub(crate) fn echo() -> Outcome<()> {
    println!("\nInstructions per echo of 64 B:\n");
    let status = cargo().args(["bench", "--locked", "--bench", "instructions"]).status()?;
    if status.success() { Ok(()) } else { Err("row 8 is not held".into()) }
}
