//! The rules of the house that the compiler does not know, checked over every file of the project.
//!
//! | file | what it holds |
//! |---|---|
//! | `rows.rs` | who may name whom, inside and outside the crate |
//! | `shape.rs` | headers, lengths of files and functions, names of files |
//! | `banned.rs` | clocks, threads, sockets and files where they do not belong; leftovers |
//! | `documents.rs` | the documents against the code |
//! | `source.rs` | how sources are found and read |
//!
//! Law: a finding says where it is and what to do. Each check is also run on a small planted source
//! that breaks its rule, and must find it.

mod banned;
mod documents;
mod rows;
mod shape;
mod source;

use source::Source;

/// Fails with all findings, one per line.
fn clean(findings: &[String]) {
    assert!(
        findings.is_empty(),
        "{} things to put in order:\n{}\n",
        findings.len(),
        findings.join("\n")
    );
}

/// Runs `check` on planted sources and wants exactly one finding, at `place`, that holds `words`.
fn finds(check: fn(&[Source]) -> Vec<String>, planted: &[(&str, &str)], place: &str, words: &str) {
    let sources = source::planted(planted);
    let findings = check(&sources);
    assert_eq!(findings.len(), 1, "planted {planted:?}, found {findings:?}");
    assert!(findings[0].starts_with(&format!("{place}: ")), "{findings:?} is not at {place}");
    assert!(findings[0].contains(words), "{findings:?} does not say {words:?}");
}

/// Runs `check` on planted sources and wants no finding.
fn passes(check: fn(&[Source]) -> Vec<String>, planted: &[(&str, &str)]) {
    assert_eq!(check(&source::planted(planted)), Vec::<String>::new());
}
