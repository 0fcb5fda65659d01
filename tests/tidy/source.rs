//! The sources of the project, with comments and literals blanked so that words in them do not count.
//!
//! Limit: this is a scanner, not a parser. It knows comments, literals, brackets and `#[cfg(test)]`.

use std::fs;
use std::path::{Path, PathBuf};

/// The folders whose sources are held to the rules.
pub(crate) const FOLDERS: [&str; 5] = ["src", "tests", "benches", "examples", "fuzz/fuzz_targets"];

/// A file of Rust.
pub(crate) struct Source {
    /// From the project's folder, with `/`.
    pub path: String,
    /// As it is.
    pub text: String,
    /// The same lines and columns, comments and literals blanked.
    pub code: String,
    /// `code` with what is only compiled for tests blanked as well; empty for a file of tests.
    pub shipped: String,
}

/// The project's folder.
pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every source of the project, sorted by path.
pub(crate) fn all() -> Vec<Source> {
    let mut files = Vec::new();
    for folder in FOLDERS {
        collect(&root().join(folder), &mut files);
    }
    files.sort();
    let files: Vec<_> = files
        .iter()
        .map(|file| {
            let path = file.strip_prefix(root()).expect("inside").to_str().expect("UTF-8");
            (path.replace('\\', "/"), fs::read_to_string(file).expect("readable"))
        })
        .collect();
    assert!(
        files.len() > 100,
        "only {} sources were found: is this the right folder?",
        files.len()
    );
    read(files)
}

/// Sources that exist only in a test of this test.
pub(crate) fn planted(files: &[(&str, &str)]) -> Vec<Source> {
    read(files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect())
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            // A manifest of its own makes a project of its own.
            if !path.join("Cargo.toml").exists() && !path.ends_with("target") {
                collect(&path, files);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

fn read(files: Vec<(String, String)>) -> Vec<Source> {
    let mut sources: Vec<Source> = files
        .into_iter()
        .map(|(path, text)| {
            let code = blank(&text);
            let shipped = without_tests(&code);
            Source { path, text, code, shipped }
        })
        .collect();
    let of_tests: Vec<String> = sources.iter().flat_map(test_modules).collect();
    for source in &mut sources {
        let only_test = |prefix: &String| {
            source.path == format!("{prefix}.rs") || source.path.starts_with(&format!("{prefix}/"))
        };
        if !source.path.starts_with("src/") || of_tests.iter().any(only_test) {
            source.shipped = String::new();
        }
    }
    sources
}

/// The modules that `source` declares for tests only, as paths without `.rs`.
fn test_modules(source: &Source) -> Vec<String> {
    let folder = match source.path.strip_suffix("/mod.rs") {
        Some(folder) => folder,
        None if source.path.ends_with("src/lib.rs") => "src",
        None => source.path.trim_end_matches(".rs"),
    };
    let declared = source.code.split("#[cfg(test)]").skip(1).filter_map(|after| {
        let after = after.trim_start().trim_start_matches("pub(crate) ").trim_start_matches("pub ");
        let name = after.strip_prefix("mod ")?;
        let (name, _) = name.split_once(';')?;
        name.chars().all(|c| c.is_alphanumeric() || c == '_').then_some(name)
    });
    declared.map(|name| format!("{folder}/{name}")).collect()
}

/// The line of a place in a text, from 1.
pub(crate) fn line_of(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

/// Whether a word may go on with this byte.
pub(crate) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// The word at the beginning of `text`.
pub(crate) fn word(text: &str) -> &str {
    let end = text.bytes().position(|byte| !is_word(byte)).unwrap_or(text.len());
    &text[..end]
}

/// Where `needle` begins in `code` as words of its own: not within a longer one.
pub(crate) fn places<'a>(code: &'a str, needle: &'a str) -> impl Iterator<Item = usize> + 'a {
    code.match_indices(needle).map(|(at, _)| at).filter(move |at| {
        let before = at.checked_sub(1).map(|before| code.as_bytes()[before]);
        let after = code.as_bytes().get(at + needle.len());
        let first = needle.as_bytes()[0];
        let last = needle.as_bytes()[needle.len() - 1];
        let within = is_word(first) && before.is_some_and(is_word)
            || is_word(last) && after.is_some_and(|after| is_word(*after));
        !within
    })
}

/// Where the item that begins at `from` ends: behind its `;` or its closing brace.
pub(crate) fn item_end(code: &str, from: usize) -> usize {
    let (mut depth, mut braces) = (0_usize, 0_usize);
    for (at, byte) in code.bytes().enumerate().skip(from) {
        match byte {
            b'(' | b'[' => depth += 1,
            b')' | b']' => depth = depth.saturating_sub(1),
            b'{' => braces += 1,
            b'}' if braces <= 1 => return at + 1,
            b'}' => braces -= 1,
            b';' if depth == 0 && braces == 0 => return at + 1,
            _ => {}
        }
    }
    code.len()
}

/// `code` with every item under `#[cfg(test)]` blanked.
fn without_tests(code: &str) -> String {
    let mut shipped = code.as_bytes().to_vec();
    for attribute in ["#[cfg(test)]", "#[cfg(all(test,"] {
        for (at, _) in code.match_indices(attribute) {
            let behind = at + code[at..].find(']').map_or(0, |end| end + 1);
            for byte in &mut shipped[at..item_end(code, behind)] {
                if *byte != b'\n' {
                    *byte = b' ';
                }
            }
        }
    }
    String::from_utf8(shipped).expect("ASCII blanks")
}

/// `text` with comments and literals replaced by blanks; lines and columns (in bytes) stay.
pub(crate) fn blank(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = literal_end(bytes, at);
        for byte in &mut out[at..end] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        at = end.max(at + 1);
        // A raw string's `r` belongs to it only at the beginning of a word.
        while at < bytes.len() && is_word(bytes[at - 1]) && is_word(bytes[at]) {
            at += 1;
        }
    }
    String::from_utf8(out).expect("whole literals were blanked")
}

/// Where the comment or literal at `at` ends; `at` when there is none.
fn literal_end(bytes: &[u8], at: usize) -> usize {
    let rest = &bytes[at..];
    let find = |what: &[u8], from: usize| {
        let found = rest[from..].windows(what.len()).position(|window| window == what);
        found.map_or(bytes.len(), |found| at + from + found + what.len())
    };
    match rest {
        [b'/', b'/', ..] => find(b"\n", 0) - usize::from(rest.contains(&b'\n')),
        [b'/', b'*', ..] => find(b"*/", 2),
        [b'"', ..] => quoted_end(bytes, at + 1, b'"'),
        [b'b' | b'c', b'"', ..] => quoted_end(bytes, at + 2, b'"'),
        [b'b', b'\'', ..] => quoted_end(bytes, at + 2, b'\''),
        [b'r', b'"' | b'#', ..] | [b'b' | b'c', b'r', b'"' | b'#', ..] => {
            let open = rest.iter().position(|byte| *byte == b'#' || *byte == b'"').unwrap_or(0);
            let hashes = rest[open..].iter().take_while(|byte| **byte == b'#').count();
            if rest.get(open + hashes) != Some(&b'"') {
                return at; // r#word
            }
            let close = [&b"\""[..], &vec![b'#'; hashes]].concat();
            find(&close, open + hashes + 1)
        }
        // A character, not a lifetime: closed after one, or escaped.
        [b'\'', b'\\', ..] => quoted_end(bytes, at + 1, b'\''),
        [b'\'', first, ..] => {
            let length = match first {
                ..0x80 => 1,
                0x80..0xe0 => 2,
                0xe0..0xf0 => 3,
                _ => 4,
            };
            if rest.get(1 + length) == Some(&b'\'') { at + length + 2 } else { at }
        }
        _ => at,
    }
}

fn quoted_end(bytes: &[u8], mut at: usize, quote: u8) -> usize {
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            byte if byte == quote => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

#[test]
fn comments_and_literals_are_blanked() {
    for (text, code) in [
        ("a // b\nc", "a     \nc"),
        ("a /* b\n */ c", "a     \n    c"),
        ("a(\"b\\\"c\") d", "a(      ) d"),
        ("a(r#\"b\"c\"#) d", "a(        ) d"),
        ("r#type", "r#type"),
        ("'a' 'b: '\\'' c", "    'b:      c"),
        ("b'{' c", "     c"),
        ("for \"é\" x", "for      x"),
        ("// no end", "         "),
        ("br\"x\" y", "      y"),
    ] {
        assert_eq!(blank(text), code, "{text}");
    }
}

#[test]
fn tests_are_not_shipped() {
    let code = "fn a() {}\n#[cfg(test)]\nmod tests { fn b() { let _ = [0; 3]; } }\nfn c() {}";
    let sources = planted(&[
        ("src/x.rs", code),
        ("src/y/mod.rs", "#[cfg(test)]\nmod harness;\n"),
        ("src/y/harness.rs", "fn d() {}"),
        ("tests/z.rs", "fn e() {}"),
    ]);
    let shipped: Vec<&str> = sources.iter().map(|source| source.shipped.trim()).collect();
    assert!(shipped[0].starts_with("fn a() {}") && shipped[0].ends_with("fn c() {}"));
    assert!(!shipped[0].contains("fn b"));
    assert_eq!(shipped[1..], ["", "", ""]);
}
