//! `docs/attacks.md`: the catalogue with its tests, for people.

use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

use super::sources::Test;
use super::{Rest, Row};

const COMMAND: &str = "STENTOR_WRITE_DOCS=1 cargo test --test attacks catalogue";

fn place() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/attacks.md")
}

/// Compares the document with what it should be, or writes it when asked to.
pub(super) fn check(text: &str) {
    if std::env::var_os("STENTOR_WRITE_DOCS").is_some() {
        return fs::write(place(), text).expect("written");
    }
    let written = fs::read_to_string(place()).unwrap_or_default();
    let lines = written.lines().chain([""]).zip(text.lines().chain([""]));
    let different = lines.enumerate().find(|(_, (old, new))| old != new);
    let told =
        different.map(|(n, (old, new))| format!("line {}: {old}\n  should be: {new}", n + 1));
    assert!(
        written == text,
        "docs/attacks.md is not what the tests are; write it again: {COMMAND}\n{}",
        told.unwrap_or_default()
    );
}

/// The document.
pub(super) fn write(sections: &[(&str, Vec<Row<'_>>)], tests: &[Test]) -> String {
    let mut text = String::new();
    head(&mut text, sections, tests);
    for (title, rows) in sections {
        let _ =
            write!(text, "\n## {title}\n\n| | attack | answer | held by |\n|---|---|---|---|\n");
        for row in rows {
            let Row { id, attack, answer, rest } = row;
            let by = held_by(id, rest, tests);
            let _ = writeln!(text, "| {id} | {attack} | {answer} | {by} |");
        }
    }
    text
}

fn head(text: &mut String, sections: &[(&str, Vec<Row<'_>>)], tests: &[Test]) {
    let rows = || sections.iter().flat_map(|(_, rows)| rows);
    let count = |kind: fn(&Rest<'_>) -> bool| rows().filter(|row| kind(&row.rest)).count();
    let (not, open) =
        (count(|rest| matches!(rest, Rest::Not(_))), count(|rest| matches!(rest, Rest::Open(_))));
    let every_way = tests.iter().filter(|test| test.ways() == "every way").count();
    let _ = write!(
        text,
        "# Attacks\n\n\
         What strangers do to servers, what must come of it here, and the tests that hold the server to it.\n\
         Generated from `tests/attacks`; `cargo test` fails when it is not what the tests are. To write it again:\n\n\
         \x20   {COMMAND}\n\n\
         {} rows: {} held by tests, {not} that do not apply yet or at all, {open} open. \
         {} tests are of these rows, {every_way} of them run in every way.\n\n\
         A row is *held* when `cargo test` runs its tests: a test that fails is a server that does not hold it. After each\n\
         attack of `tests/attacks` the same is asked of the real binary: it lives and never panicked; two members of a chat\n\
         lost nothing and waited for nothing; memory and descriptors are back where they were.\n\n\
         *every way*: whole, in two pieces cut at every byte (long ones at some), and byte by byte, each on a plain connection\n\
         and over TLS, with the same answer; the counters of refusals move by what was attempted and no others do. *as described*: once, on real sockets, because time or load is the attack;\n\
         *TLS* when it is done over TLS.\n",
        rows().count(),
        rows().count() - not - open,
        tests.len(),
    );
}

fn held_by(id: &str, rest: &Rest<'_>, tests: &[Test]) -> String {
    let own = tests.iter().filter(|test| test.is_of(id));
    let mut by: Vec<_> =
        own.map(|test| format!("`{}` `{}` ({})", test.file, test.name, test.ways())).collect();
    match rest {
        Rest::Nothing => {}
        Rest::Also(also) => {
            by.extend(also.iter().map(|(file, function)| format!("`{file}` `{function}`")));
        }
        Rest::Not(why) => by.push(format!("does not apply: {why}")),
        Rest::Open(why) => by.push(format!("**open**: {why}")),
    }
    by.join("<br>")
}
