//! Others in the same rows: libraries with the feature `peers`, programs where they are installed.

#[cfg(feature = "peers")]
pub(crate) mod echo;

use std::path::{Path, PathBuf};

use crate::contestant::Contestant;
use crate::system::Outcome;
use crate::talk::Door;

/// Those that echo.
pub(crate) fn echoers() -> Outcome<Vec<Contestant>> {
    let mut all = Vec::new();
    if cfg!(feature = "peers") {
        let this = std::env::current_exe()?;
        for name in ["fastwebsockets", "tokio-tungstenite"] {
            all.push(Contestant::new(name, &this, &["peer", name], Door::WebSocket));
        }
    } else {
        println!("Built without `--features peers`: no fastwebsockets, no tokio-tungstenite.");
    }
    all.extend(bun("echo"));
    Ok(all)
}

/// Those that send what one says to everyone else.
pub(crate) fn broadcasters() -> Vec<Contestant> {
    let redis = ["--port", "PORT", "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"];
    let nats = ["-a", "127.0.0.1", "-p", "PORT"];
    let mut all = Vec::from_iter(bun("fan"));
    let programs = [("redis-server", &redis[..], Door::Redis), ("nats-server", &nats, Door::Nats)];
    for (name, arguments, door) in programs {
        all.extend(found(name).map(|program| Contestant::new(name, &program, arguments, door)));
    }
    all
}

fn bun(what: &str) -> Option<Contestant> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/src/peers/bun.js");
    Some(Contestant::new("bun", &found("bun")?, &[script, what], Door::WebSocket))
}

/// Where a program is, looked for as a shell would.
fn found(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|dir| dir.join(name)).find(|file| is_file(file));
    if found.is_none() {
        println!("{name} is not installed: left out.");
    }
    found
}

fn is_file(path: &Path) -> bool {
    path.metadata().is_ok_and(|metadata| metadata.is_file())
}
