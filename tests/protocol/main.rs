//! `docs/protocol.md` and `docs/asyncapi.yaml` from the catalogue, and the catalogue against what the
//! server says.
//!
//! `STENTOR_WRITE_DOCS=1 cargo test --test protocol` writes them. Law: they are what the rows say, and
//! each reply and event of the scenes of `tests/router` holds what its row says, no more and no less.
//! Limit: names of members, not types.
#![cfg(feature = "toml")]

mod asyncapi;
mod document;
mod heard;
mod shape;
mod yaml;

use std::fs;
use std::path::Path;

const COMMAND: &str = "STENTOR_WRITE_DOCS=1 cargo test --test protocol";

/// Compares a document with what it should be, or writes it when asked to.
fn check(name: &str, text: &str) {
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    if std::env::var_os("STENTOR_WRITE_DOCS").is_some() {
        return fs::write(place, text).expect("written");
    }
    let written = fs::read_to_string(place).unwrap_or_default();
    let different = difference(&written, text);
    assert!(different.is_none(), "{name} is not what the catalogue says: {COMMAND}\n{different:?}");
}

/// The first line that is not as it should be.
fn difference(written: &str, text: &str) -> Option<(usize, String, String)> {
    if written == text {
        return None;
    }
    let lines = written.lines().chain([""]).zip(text.lines().chain([""]));
    let at = lines.enumerate().find(|(_, (old, new))| old != new);
    let (number, (old, new)) = at.unwrap_or((0, ("", "another end")));
    Some((number + 1, old.to_owned(), new.to_owned()))
}

#[test]
fn the_documents_are_what_the_catalogue_says() {
    check("docs/protocol.md", &document::write());
    check("docs/asyncapi.yaml", &asyncapi::write());
}

#[test]
fn a_document_that_says_otherwise_is_noticed() {
    let text = document::write();
    assert_eq!(difference(&text, &text), None);
    let old =
        text.replacen("| `limits.message_bytes` | 65536 |", "| `limits.message_bytes` | 1 |", 1);
    let (_, written, should) = difference(&old, &text).expect("it is noticed");
    assert!(written.contains("| 1 |") && should.contains("| 65536 |"));
    assert!(difference(&format!("{text}\nmore\n"), &text).is_some());
}
