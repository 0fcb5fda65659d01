//! Row 4: what an idle WebSocket connection keeps in user memory: the server's proportional set
//! size after many came, less before, divided.

use crate::contestant::Contestant;
use crate::messenger::Messenger;
use crate::system::{Outcome, Running};
use crate::talk::{Door, Talk};

/// As many as the descriptors of a bench with a limit of 20,000 allow.
pub(crate) const CONNECTIONS: usize = 15_000;
/// Come before it counts: they bring what every server has once.
pub(crate) const FIRST: usize = 100;

/// Prints a line for each server.
pub(crate) fn run(echoers: &[Contestant], messenger: &Messenger) -> Outcome<()> {
    println!("\nUser memory of an idle connection ({CONNECTIONS} of them):\n");
    println!("| row | who | bytes each | |\n|---|---|---|---|");
    for (at, who) in echoers.iter().enumerate() {
        let server = who.start()?;
        let each = grow(&server, |_| Ok(who.connect(&server, 1)?.remove(0)))?;
        print("memory-echo", &who.name, each, (at == 0).then_some((400.0, 300.0)));
    }
    let server = messenger.start()?;
    let enter = |user| messenger.enter(&server, Door::WebSocket, user).and_then(Talk::into_stream);
    let each = grow(&server, enter)?;
    print("memory-server", "stentor, full", each, Some((1536.0, 1024.0)));
    Ok(())
}

fn print(row: &str, who: &str, each: f64, lines: Option<(f64, f64)>) {
    let verdict = match lines {
        Some((_, aim)) if each <= aim => format!("aim {aim} reached"),
        Some((done, _)) if each <= done => format!("done {done} reached"),
        Some((done, _)) => format!("over {done}"),
        None => String::new(),
    };
    println!("| {row} | {who} | {each:.0} | {verdict} |");
}

fn grow(server: &Running, connect: impl Fn(usize) -> Outcome<std::net::TcpStream>) -> Outcome<f64> {
    let mut streams = Vec::with_capacity(FIRST + CONNECTIONS);
    for user in 0..FIRST {
        streams.push(connect(user)?);
    }
    let before = server.memory_bytes()?;
    for user in FIRST..FIRST + CONNECTIONS {
        streams.push(connect(user)?);
    }
    let after = server.memory_bytes()?;
    Ok(after.saturating_sub(before) as f64 / CONNECTIONS as f64)
}
