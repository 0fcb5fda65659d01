//! Who may name whom: a module names only lower rows, and siblings on a row do not know each other.
//!
//! rustc allows any two modules of a crate to know each other, and large crates end in knots. To add
//! a module, give it a row here; to add an edge, first say in `ARCHITECTURE.md` why.

use crate::source::{Source, line_of, places, word};
use crate::{clean, finds, passes, source};

/// The rows, lowest first, and what stands on each.
const ROWS: &[(&str, u8)] = &[
    ("base", 0),
    ("metrics", 0),
    ("protocol", 1),
    ("message", 2),
    ("codec", 3),
    ("auth", 4),
    ("guard", 4),
    ("hub", 4),
    ("store", 4),
    ("broker", 4),
    ("handler", 5),
    ("router", 6),
    ("http", 6),
    ("engine", 7),
    ("net", 8),
    ("config", 9),
    ("server", 9),
    ("launch", 9),
    ("client", 9),
    ("lib", 10),
    ("main", 10),
    ("cli", 10),
];

/// Modules that may name less than all lower rows, with what they may.
const NARROW: &[(&str, &[&str])] = &[
    // The shell of sockets and threads: it carries bytes to an engine and jobs to workers, and
    // reads the first bytes only to tell TLS from the rest.
    ("net", &["base", "metrics", "protocol::sniff", "store", "handler", "engine"]),
];

/// Neighbours on a row that may be named nevertheless, with the reason.
const NEIGHBOURS: &[(&str, &str, &str)] = &[
    ("metrics", "base", "its labels and blocks are of base's kinds"),
    ("launch", "config", "it makes a server of a configuration"),
    ("launch", "server", "it makes a server of a configuration"),
];

/// Crates with one owner: who else wants them asks the owner.
const OWNERS: &[(&str, &[&str])] = &[
    ("mio", &["src/net/", "src/server.rs"]),
    ("socket2", &["src/net/"]),
    ("signal_hook", &["src/net/"]),
    ("rlimit", &["src/net/", "src/server.rs", "src/launch/", "src/cli/"]),
    ("crossbeam_channel", &["src/net/", "src/server.rs"]),
    ("rustls", &["src/net/"]),
    ("rusqlite", &["src/store/sqlite/"]),
    ("jsonwebtoken", &["src/auth/jwt.rs"]),
    ("argon2", &["src/auth/password.rs"]),
    ("httparse", &["src/protocol/"]),
    ("zlib_rs", &["src/protocol/websocket/deflate/"]),
    ("prost", &["src/message/", "src/codec/"]),
    ("prometheus_client", &["src/metrics/"]),
    ("foldhash", &["src/base/"]),
    ("siphasher", &["src/base/"]),
    ("clap", &["src/cli/", "src/main.rs"]),
    ("toml", &["src/config", "src/cli/"]),
    ("env_logger", &["src/cli/", "src/launch"]),
];

/// The top module that a file belongs to.
fn module(path: &str) -> Option<&str> {
    let rest = path.strip_prefix("src/")?;
    Some(word(rest.split('/').next().unwrap_or(rest)))
}

fn row(module: &str) -> Option<u8> {
    ROWS.iter().find(|(name, _)| *name == module).map(|(_, row)| *row)
}

/// Why `from` may not name `to` (a module and perhaps one below it); `None` when it may.
fn refusal(from: &str, to: &str, below: &str) -> Option<String> {
    if from == to {
        return None;
    }
    let (Some(mine), Some(theirs)) = (row(from), row(to)) else {
        return None; // A module without a row is told once, by `rows`.
    };
    if let Some((_, allowed)) = NARROW.iter().find(|(name, _)| *name == from) {
        let path = format!("{to}::{below}");
        let allowed = allowed.iter().any(|one| *one == to || *one == path);
        return (!allowed).then(|| {
            format!("`{from}` may not name `{to}`: let it come as bytes, a job or an input")
        });
    }
    if NEIGHBOURS.iter().any(|(a, b, _)| (*a, *b) == (from, to)) || theirs < mine {
        return None;
    }
    Some(if theirs == mine {
        format!("`{from}` and `{to}` stand on one row: let a higher one bring them together")
    } else {
        format!(
            "`{from}` (R{mine}) may not name `{to}` (R{theirs}): move the thing down, or ask up by a trait"
        )
    })
}

/// The modules named at a place behind `crate::`: one, or those of a list.
fn targets(code: &str, at: usize) -> Vec<(usize, &str, &str)> {
    let second = |at: usize, first: &str| {
        let rest = code[at + first.len()..].strip_prefix("::").unwrap_or("");
        word(rest.trim_start_matches('{'))
    };
    if !code[at..].starts_with('{') {
        let first = word(&code[at..]);
        return vec![(at, first, second(at, first))];
    }
    let (mut depth, mut found, mut fresh) = (0, Vec::new(), true);
    for (offset, byte) in code[at..].bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' if depth == 1 => break,
            b'}' => depth -= 1,
            b',' if depth == 1 => fresh = true,
            _ if depth == 1 && fresh && byte.is_ascii_lowercase() => {
                let first = word(&code[at + offset..]);
                found.push((at + offset, first, second(at + offset, first)));
                fresh = false;
            }
            _ => {}
        }
    }
    found
}

/// Every path through the crate's root goes down.
pub(crate) fn rows(sources: &[Source]) -> Vec<String> {
    let mut findings = Vec::new();
    for source in sources {
        let Some(from) = module(&source.path) else { continue };
        if row(from).is_none() {
            let todo = format!("`{from}` has no row: give it one in tests/tidy/rows.rs");
            findings.push(format!("{}:1: {todo}", source.path));
            continue;
        }
        let code = &source.shipped;
        for (at, to, below) in
            places(code, "crate::").flat_map(|at| targets(code, at + "crate::".len()))
        {
            if let Some(why) = refusal(from, to, below) {
                findings.push(format!("{}:{}: {why}", source.path, line_of(code, at)));
            }
        }
        // `super` must not lead round this check.
        let depth = source.path.trim_end_matches("/mod.rs").matches('/').count();
        let way_out = "super::".repeat(depth);
        for at in places(code, &way_out) {
            let inside = code[..at].matches("mod ").count() > 0 && depth == 1;
            if !code[..at].ends_with("super::") && !inside {
                let why = "this leads to the crate's root: say `crate::`";
                findings.push(format!("{}:{}: {why}", source.path, line_of(code, at)));
            }
        }
    }
    findings
}

/// A crate with an owner is named by its owner only.
pub(crate) fn owners(sources: &[Source]) -> Vec<String> {
    let mut findings = Vec::new();
    for source in sources {
        for (name, owners) in OWNERS {
            if owners.iter().any(|owner| source.path.starts_with(owner)) {
                continue;
            }
            let code = &source.shipped;
            for at in places(code, &format!("{name}::")) {
                if !code[..at].ends_with("::") {
                    let line = line_of(code, at);
                    let whose = owners.join(", ");
                    let path = &source.path;
                    findings.push(format!("{path}:{line}: `{name}` belongs to {whose}: ask there"));
                }
            }
        }
    }
    findings
}

#[test]
fn paths_go_down() {
    clean(&rows(&source::all()));
}

#[test]
fn crates_have_one_owner() {
    clean(&owners(&source::all()));
}

#[test]
fn every_narrow_module_and_neighbour_has_a_row() {
    let named = NARROW.iter().map(|(name, _)| *name);
    for name in named.chain(NEIGHBOURS.iter().flat_map(|(a, b, _)| [*a, *b])) {
        assert!(row(name).is_some(), "{name}");
    }
}

#[test]
fn planted_paths_are_found() {
    let rows_of = [
        ("src/protocol/x.rs", "fn a() {}\nuse crate::hub::Hub;", "src/protocol/x.rs:2", "(R4)"),
        ("src/hub/x.rs", "use crate::{base::now::Now, auth};", "src/hub/x.rs:1", "one row"),
        ("src/hub/x.rs", "type A = crate::guard::B;", "src/hub/x.rs:1", "one row"),
        ("src/net/x.rs", "use crate::protocol::websocket;", "src/net/x.rs:1", "as bytes"),
        ("src/net/x.rs", "use crate::{\n engine,\n message::A};", "src/net/x.rs:3", "as bytes"),
        ("src/guard/x.rs", "use super::super::auth::Auth;", "src/guard/x.rs:1", "`crate::`"),
        ("src/guard/mod.rs", "use super::auth::Auth;", "src/guard/mod.rs:1", "`crate::`"),
        ("src/new/mod.rs", "", "src/new/mod.rs:1", "give it one"),
        ("src/http/x.rs", "use crate::router::Router;", "src/http/x.rs:1", "one row"),
    ];
    for (path, text, place, words) in rows_of {
        finds(rows, &[(path, text)], place, words);
    }
    passes(
        rows,
        &[
            ("src/net/x.rs", "use crate::{engine::Engine, protocol::sniff::sniff};"),
            ("src/hub/x.rs", "use super::channels;\nuse crate::message::{client, fault};"),
            ("src/hub/y.rs", "// use crate::router;\nconst A: &str = \"crate::router\";"),
            ("src/base/z.rs", "#[cfg(test)]\nmod tests {\n use crate::engine::Engine;\n}"),
        ],
    );
}

#[test]
fn planted_crates_are_found() {
    finds(owners, &[("src/engine/x.rs", "\nuse mio::Token;")], "src/engine/x.rs:2", "src/net/");
    finds(owners, &[("src/hub/x.rs", "type A = rusqlite::B;")], "src/hub/x.rs:1", "sqlite");
    passes(owners, &[("src/net/x.rs", "use mio::Token;"), ("src/a/b.rs", "use crate::toml::A;")]);
}
