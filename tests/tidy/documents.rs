//! The documents against the code: what a reader is told is there, and what is there is told.

use std::fs;

use crate::source::{self, Source};
use crate::{clean, finds, passes};

/// The keys that the configuration declares, with the file that does.
fn keys(sources: &[Source]) -> Vec<(&str, String)> {
    let declaring = sources.iter().filter(|source| source.path == "src/config/keys.rs");
    let literals = declaring.flat_map(|source| {
        let rows = source.text.split("key(").skip(1);
        rows.filter_map(|row| Some((source.path.as_str(), row.split('"').nth(1)?.to_owned())))
    });
    let mut keys: Vec<_> =
        literals.filter(|(_, name)| name.contains('.') && !name.contains(' ')).collect();
    // Each namespace has these, written as literals of a struct.
    let declaring = sources.iter().filter(|source| source.path == "src/config/namespaces.rs");
    keys.extend(declaring.flat_map(|source| {
        let rows = source.text.split("Key {\n        name: \"").skip(1);
        rows.filter_map(|row| {
            Some((source.path.as_str(), format!("namespaces.NAME.{}", row.split('"').next()?)))
        })
    }));
    keys
}

/// Keys without a row of five cells in the README's tables: name, default, unit, effect, metric.
fn untold_keys(readme: &str, sources: &[Source]) -> Vec<String> {
    let told = |name: &str| {
        readme.lines().any(|line| {
            line.starts_with(&format!("| `{name}` |")) && line.trim_end().matches('|').count() == 6
        })
    };
    let untold = keys(sources).into_iter().filter(|(_, name)| !told(name));
    untold
        .map(|(path, name)| {
            format!("{path}:1: `{name}` is not told: README.md wants `| \\`{name}\\` | default | unit | effect | metric |`")
        })
        .collect()
}

/// Modules that the map of the code leaves out.
fn unmapped(map: &str, sources: &[Source]) -> Vec<String> {
    let mut modules: Vec<&str> = sources
        .iter()
        .filter_map(|source| source.path.strip_prefix("src/"))
        .map(|path| path.split('/').next().unwrap_or(path).trim_end_matches(".rs"))
        .filter(|module| *module != "lib")
        .collect();
    modules.dedup();
    let told = |module: &str| {
        map.contains(&format!("`{module}/`")) || map.contains(&format!("`{module}.rs`"))
    };
    let left_out = modules.into_iter().filter(|module| !told(module));
    left_out
        .map(|module| {
            format!("src/{module}:1: ARCHITECTURE.md does not know it: say what it is, in the order of the road")
        })
        .collect()
}

fn document(name: &str) -> String {
    fs::read_to_string(source::root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Files that a document names in backquotes or links, and that are not there.
fn dead_names(name: &str, text: &str, exists: &dyn Fn(&str) -> bool) -> Vec<String> {
    let mut findings = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let quoted = line.split('`').skip(1).step_by(2);
        let linked = line.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for file in quoted.chain(linked) {
            let folders = ["src/", "tests/", "benches/", "examples/", "fuzz/", "proto/", ".ci/"];
            let one_file = file.bytes().all(|b| b.is_ascii_alphanumeric() || b"/._-".contains(&b));
            // What builds and fuzzing make is not in the repository.
            let made = ["fuzz/corpus", "fuzz/artifacts"].iter().any(|made| file.starts_with(made));
            if folders.iter().any(|folder| file.starts_with(folder))
                && one_file
                && !made
                && !exists(file)
            {
                findings
                    .push(format!("{name}:{}: there is no {file}: name what is there", number + 1));
            }
        }
    }
    findings
}

#[test]
fn every_key_is_in_the_readme() {
    let sources = source::all();
    let (keys, configured) =
        (keys(&sources).len(), sources.iter().any(|source| source.path.starts_with("src/config")));
    assert!(!configured || keys > 20, "only {keys} keys were found: where are they declared?");
    clean(&untold_keys(&document("README.md"), &sources));
}

#[test]
fn every_module_is_on_the_map() {
    clean(&unmapped(&document("ARCHITECTURE.md"), &source::all()));
}

#[test]
fn documents_name_files_that_are_there() {
    let exists = |file: &str| source::root().join(file).exists();
    for name in [
        "README.md",
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
        "proto/README.md",
        "docs/attacks.md",
    ] {
        clean(&dead_names(name, &document(name), &exists));
    }
}

#[test]
fn planted_documents_are_found() {
    let rows =
        "key(\n  \"limits.a_ms\",\n Time(a), \"about\"),\nkey(\"limits.b_bytes\", Bytes(b), \"c\")";
    let keys = [("src/config/keys.rs", rows)];
    const README: &str =
        "| `limits.a_ms` | 1 | ms | closed | `stentor_a` |\n| `limits.b_bytes` | 2 |";
    finds(|s| untold_keys(README, s), &keys, "src/config/keys.rs:1", "limits.b_bytes");
    passes(|s| untold_keys(&README.replace("2 |", "2 | bytes | closed | `stentor_b` |"), s), &keys);

    let modules = [("src/hub/mod.rs", ""), ("src/hub/users.rs", ""), ("src/server.rs", "")];
    finds(|s| unmapped("`hub/` keeps channels", s), &modules, "src/server:1", "ARCHITECTURE");
    passes(|s| unmapped("`hub/`, `server.rs`", s), &modules);

    let text = "See `src/a.rs`,\n`cargo test` and [b](src/b.rs).";
    let found = dead_names("README.md", text, &|file| file == "src/a.rs");
    assert_eq!(found, ["README.md:2: there is no src/b.rs: name what is there"]);
}
