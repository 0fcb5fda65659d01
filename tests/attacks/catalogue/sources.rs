//! The tests of this folder as they are written: their names, and the ways in which they run.
//!
//! Limit: functions are known by `fn` at the beginning of a line and a brace that closes there, as
//! rustfmt leaves them; a call is the name with a parenthesis.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A file of this folder.
pub(super) struct Source {
    /// Below `tests/attacks/`.
    pub(super) file: String,
    pub(super) text: String,
}

/// A test of a row, or of several.
#[derive(Debug)]
pub(super) struct Test {
    pub(super) file: String,
    pub(super) name: String,
    /// As in the catalogue: `HT-01`.
    pub(super) ids: Vec<String>,
    every_way: bool,
    tls: bool,
}

impl Test {
    pub(super) fn is_of(&self, id: &str) -> bool {
        self.ids.iter().any(|one| one == id)
    }

    /// How it runs, in the words of the document.
    pub(super) const fn ways(&self) -> &'static str {
        match (self.every_way, self.tls) {
            (true, _) => "every way",
            (false, true) => "as described, TLS",
            (false, false) => "as described",
        }
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every file of this folder, by name.
pub(super) fn here() -> Vec<Source> {
    let folder = root().join("tests/attacks");
    let mut sources = Vec::new();
    gather(&folder, &folder, &mut sources);
    sources.sort_by(|a: &Source, b| a.file.cmp(&b.file));
    sources
}

fn gather(folder: &Path, root: &Path, sources: &mut Vec<Source>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            gather(&path, root, sources);
        } else if path.extension().is_some_and(|end| end == "rs") {
            let file = path.strip_prefix(root).expect("below").display().to_string();
            sources.push(Source { file, text: fs::read_to_string(&path).expect("text") });
        }
    }
}

/// Whether a file of the repository has this function.
pub(super) fn exists(file: &str, function: &str) -> bool {
    let text = fs::read_to_string(root().join(file)).unwrap_or_default();
    text.contains(&format!("fn {function}("))
}

/// A function and what is in it.
struct Function<'a> {
    file: &'a str,
    name: &'a str,
    is_test: bool,
    body: &'a str,
}

fn functions(source: &Source) -> Vec<Function<'_>> {
    let mut functions = Vec::new();
    let (mut at, text) = (0, source.text.as_str());
    let mut is_test = false;
    for line in text.split_inclusive('\n') {
        let bare = line.strip_prefix("pub(crate) ").or(line.strip_prefix("pub(super) "));
        if line.trim_end() == "#[test]" {
            is_test = true;
        } else if let Some(rest) = bare.unwrap_or(line).strip_prefix("fn ") {
            let name = rest.split(['(', '<']).next().unwrap_or(rest);
            let body = text[at..].split("\n}\n").next().unwrap_or_default();
            // Its own name is no call of it.
            let body = body.split_once('(').map_or("", |(_, body)| body);
            functions.push(Function { file: &source.file, name, is_test, body });
            is_test = false;
        }
        at += line.len();
    }
    functions
}

/// The tests that are of a row, in the order of the files.
pub(super) fn tests(sources: &[Source]) -> Vec<Test> {
    let functions: Vec<_> = sources.iter().flat_map(functions).collect();
    let besieging = calling(&functions, &["endures"]);
    let secret = calling(&functions, &["start_secure", "start_secret"]);
    let tests = functions.iter().filter(|function| function.is_test);
    let tests = tests.filter_map(|test| {
        let ids = ids(test.name);
        (!ids.is_empty()).then(|| Test {
            file: test.file.to_owned(),
            name: test.name.to_owned(),
            ids,
            every_way: besieging.contains(test.name),
            tls: secret.contains(test.name),
        })
    });
    tests.collect()
}

/// The functions that call one of these, or another one that does.
fn calling<'a>(functions: &[Function<'a>], those: &[&'a str]) -> BTreeSet<&'a str> {
    let mut calling: BTreeSet<&str> = those.iter().copied().collect();
    loop {
        let before = calling.len();
        for function in functions {
            if calling.iter().any(|name| calls(function.body, name)) {
                calling.insert(function.name);
            }
        }
        if calling.len() == before {
            return calling;
        }
    }
}

fn calls(body: &str, name: &str) -> bool {
    let call = format!("{name}(");
    body.match_indices(&call).any(|(at, _)| {
        let before = body[..at].chars().next_back();
        !before.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_')
    })
}

/// The rows that begin a name: `ht_07_to_09_…`, `sl_01_and_03_…`.
fn ids(name: &str) -> Vec<String> {
    let mut words = name.split('_').peekable();
    let section = words.next().unwrap_or_default().to_uppercase();
    let number = |word: &str| word.parse::<u32>().ok().filter(|_| word.len() == 2);
    let Some(first) = words.next().and_then(number) else { return Vec::new() };
    let mut numbers = vec![first];
    while let Some(joint) = words.next_if(|word| ["and", "to"].contains(word)) {
        let Some(next) = words.next().and_then(number) else { break };
        let last = numbers.last().copied().unwrap_or(first);
        let from = if joint == "to" { last + 1 } else { next };
        numbers.extend(from..=next);
    }
    numbers.into_iter().map(|number| format!("{section}-{number:02}")).collect()
}
