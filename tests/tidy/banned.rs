//! What may not be called, and where: the pure rows get time, bytes and chance as arguments, so that
//! a simulator can give them. `clippy.toml` says the same of paths; this check also sees types.

use crate::source::{Source, line_of, places};
use crate::{clean, finds, passes, source};

/// Who deals with the operating system.
const SHELL: &[&str] =
    &["src/net/", "src/client/", "src/cli/", "src/launch", "src/server.rs", "src/main.rs"];

/// The drivers, which deal with files.
const DRIVERS: &[&str] =
    &["src/store/sqlite/", "src/auth/key_file.rs", "src/config", "src/base/failpoint/armed.rs"];

/// Words, where they are allowed, and what to do instead.
type Ban = (&'static [&'static str], &'static [&'static [&'static str]], &'static str);

const IN_SOURCES: &[Ban] = &[
    (&["Instant::now", "SystemTime::now"], &[SHELL], "take a `Now` as an argument"),
    (
        &["thread::spawn", "thread::Builder", "thread::scope", "thread::sleep"],
        &[SHELL],
        "ask for a `Job` or a deadline",
    ),
    (
        &["TcpStream", "TcpListener", "UdpSocket", "UnixStream", "UnixListener"],
        &[SHELL],
        "take and give bytes",
    ),
    (&["std::fs", "std::process"], &[SHELL, DRIVERS], "ask the store, by a `Job`"),
    (&["std::env"], &[SHELL, DRIVERS], "take it from a `Config`"),
    (
        &["HashMap::new", "HashSet::new", "HashMap::with_capacity", "RandomState"],
        &[SHELL, DRIVERS],
        "use the seeded maps of `base/hash.rs`: same seed, same trace",
    ),
    (&["RefCell", "thread_local!", "static mut"], &[], "let one owner have it, and pass it down"),
];

/// Words that no file may hold, and what to do instead.
const ANYWHERE: &[(&[&str], &str)] = &[
    (&["todo!", "unimplemented!"], "write it, or leave it out and say so in the README"),
    (&["dbg!"], "take it out"),
    (&["#[ignore"], "let the test run, or delete it"),
    (&["thread::sleep"], "wait for what happens, with a deadline"),
];

/// Calls of the operating system outside the shell and the drivers.
pub(crate) fn impure(sources: &[Source]) -> Vec<String> {
    let mut findings = Vec::new();
    for source in sources {
        for (words, allowed, instead) in IN_SOURCES {
            let mut allowed = allowed.iter().flat_map(|places| places.iter());
            if allowed.any(|place| source.path.starts_with(place)) {
                continue;
            }
            told(source, &source.shipped, words, instead, &mut findings);
        }
    }
    findings
}

/// What no file may hold, tests included.
pub(crate) fn leftovers(sources: &[Source]) -> Vec<String> {
    let mut findings = Vec::new();
    for source in sources {
        for (words, instead) in ANYWHERE {
            // The shell may sleep where the system gives nothing to wait for.
            let shell = SHELL.iter().any(|place| source.path.starts_with(place));
            if !(shell && words.contains(&"thread::sleep")) {
                told(source, &source.code, words, instead, &mut findings);
            }
        }
    }
    findings
}

fn told(source: &Source, code: &str, words: &[&str], instead: &str, findings: &mut Vec<String>) {
    for word in words {
        for at in places(code, word) {
            let line = line_of(code, at);
            findings.push(format!("{}:{line}: no `{word}` here: {instead}", source.path));
        }
    }
}

#[test]
fn pure_rows_are_pure() {
    clean(&impure(&source::all()));
}

#[test]
fn nothing_is_left_over() {
    clean(&leftovers(&source::all()));
}

#[test]
fn planted_calls_are_found() {
    for (text, words) in [
        ("let a = Instant::now();", "`Now`"),
        ("let a = std::time::SystemTime::now();", "`Now`"),
        ("std::thread::spawn(|| {});", "`Job`"),
        ("thread::Builder::new();", "`Job`"),
        ("fn a(b: TcpStream) {}", "bytes"),
        ("use std::fs;", "store"),
        ("let a: HashMap<u8, u8> = HashMap::new();", "seed"),
        ("struct A(RefCell<u8>);", "one owner"),
    ] {
        let text = format!("//! A.\n{text}\n");
        finds(impure, &[("src/engine/a.rs", &text)], "src/engine/a.rs:2", words);
        let in_test = format!("#[cfg(test)]\nmod tests {{\n{text}}}\n");
        passes(impure, &[("src/engine/a.rs", &in_test), ("tests/a.rs", &text)]);
    }
    passes(impure, &[("src/net/a.rs", "Instant::now();"), ("src/store/sqlite/a.rs", "std::fs")]);
    passes(impure, &[("src/engine/a.rs", "// Instant::now\nlet a = \"Instant::now\";")]);
}

#[test]
fn planted_leftovers_are_found() {
    for (text, words) in [
        ("fn a() { todo!() }", "leave it out"),
        ("fn a() { unimplemented!() }", "leave it out"),
        ("fn a() { dbg!(1); }", "take it out"),
        ("#[ignore = \"slow\"]", "let the test run"),
        ("fn a() { std::thread::sleep(b); }", "deadline"),
    ] {
        finds(leftovers, &[("tests/a.rs", text)], "tests/a.rs:1", words);
    }
    passes(leftovers, &[("tests/a.rs", "fn not_todo() { log!(\"todo!\") }")]);
}
