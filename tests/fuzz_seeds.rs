//! Every seed of `fuzz/seeds/TARGET/` through the laws of its target, on the stable compiler.
//!
//! Law: a target is a file in `fuzz/fuzz_targets/`, a `[[bin]]` in `fuzz/Cargo.toml`, a row here and
//! a folder of seeds; the lack of one fails. Seeds of `json_message` are judged as their names say:
//! `y_` is accepted whole, `n_` is refused as `bad_json` somewhere, `i_` is JSON that is judged by
//! its meaning, `verb_` is the example of that verb.

use std::collections::BTreeSet;
use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use stentor::base::timer;
use stentor::codec::{self, json};
use stentor::engine;
use stentor::message::client::Verb;
use stentor::message::fault::Code;
use stentor::protocol::{http, line, sniff, websocket};

#[path = "rfc7692/oracle.rs"]
mod oracle;
#[path = "rfc6455/tungstenite_end.rs"]
mod tungstenite_end;

fn deflate_in(data: &[u8]) {
    websocket::deflate::laws::deflate_in(data, oracle::stream);
}

fn ws_message(data: &[u8]) {
    websocket::laws::ws_message(data, tungstenite_end::hear);
}

/// A fuzz target's name, the laws it checks, and the fewest seeds it may have.
type Row = (&'static str, &'static [fn(&[u8])], usize);

/// The pure rows alone have no configuration.
#[cfg(feature = "toml")]
const CONFIG: &[fn(&[u8])] = &[stentor::config::laws::config];
#[cfg(not(feature = "toml"))]
const CONFIG: &[fn(&[u8])] = &[];

const TARGETS: &[Row] = &[
    ("broadcast", &[engine::laws::broadcast, engine::laws::slow_readers], 8),
    ("config", CONFIG, 20),
    ("deflate_in", &[deflate_in], 20),
    ("deflate_roundtrip", &[websocket::deflate::laws::deflate_roundtrip], 8),
    ("extension_header", &[websocket::laws::extension_header], 20),
    ("handshake", &[websocket::laws::handshake], 25),
    ("http_chunked", &[http::laws::http_chunked], 30),
    ("http_request", &[http::laws::http_request], 60),
    ("json_message", &[json::laws::json_message, json::laws::json_value], 60),
    ("line", &[line::laws::line], 15),
    ("protobuf_message", &[codec::laws::protobuf_message], 30),
    ("session_ops", &[engine::laws::session_ops], 8),
    ("sniff", &[sniff::laws::sniff], 20),
    ("timer_wheel", &[timer::laws::timer_wheel], 8),
    ("utf8", &[websocket::laws::utf8, websocket::laws::close_payload], 20),
    ("websocket_decoder", &[websocket::laws::websocket_decoder], 30),
    ("ws_message", &[ws_message], 20),
];

/// What writes the seeds that are the examples of verbs.
const COMMAND: &str = "STENTOR_WRITE_DOCS=1 cargo test --test fuzz_seeds";

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

/// The names in a folder, sorted.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// The seeds of a target that break one of its laws, and how many there are in all.
fn replay(folder: &Path, laws: &[fn(&[u8])]) -> (Vec<String>, usize) {
    let seeds = names(folder);
    let count = seeds.len();
    let broken = seeds.into_iter().filter(|seed| {
        let bytes = fs::read(folder.join(seed)).unwrap();
        !laws.iter().all(|law| catch_unwind(|| law(&bytes)).is_ok())
    });
    (broken.collect(), count)
}

/// What is missing for the rows `rows` in the fuzz folder `fuzz`, as things to do.
fn missing(fuzz: &Path, rows: &[&str]) -> Vec<String> {
    let manifest = fs::read_to_string(fuzz.join("Cargo.toml")).unwrap();
    let bins: Vec<&str> = manifest
        .split("[[bin]]")
        .skip(1)
        .filter_map(|bin| bin.lines().find_map(|line| line.strip_prefix("name = \"")))
        .map(|name| name.trim_end_matches('"'))
        .collect();
    let files = names(&fuzz.join("fuzz_targets"));
    let files: Vec<&str> = files.iter().map(|file| file.trim_end_matches(".rs")).collect();
    let folders = names(&fuzz.join("seeds"));
    let folders: Vec<&str> = folders.iter().map(String::as_str).collect();
    let all: BTreeSet<&str> =
        [rows, &bins, &files, &folders].into_iter().flatten().copied().collect();
    let mut todo = Vec::new();
    for target in all {
        for (there, what) in [
            (rows, "give it a row in tests/fuzz_seeds.rs"),
            (&bins, "give it a [[bin]] in fuzz/Cargo.toml"),
            (&files, "write fuzz/fuzz_targets/TARGET.rs"),
            (&folders, "put seeds into fuzz/seeds/TARGET/"),
        ] {
            if !there.contains(&target) {
                todo.push(format!("{target}: {}", what.replace("TARGET", target)));
            }
        }
        if !manifest.contains(&format!("path = \"fuzz_targets/{target}.rs\"")) {
            todo.push(format!("{target}: let its [[bin]] name fuzz_targets/{target}.rs"));
        }
    }
    todo
}

#[test]
fn every_seed_obeys_its_laws() {
    for (target, laws, fewest) in TARGETS {
        let (broken, count) = replay(&fuzz().join("seeds").join(target), laws);
        assert!(broken.is_empty(), "{target}: these seeds break a law: {broken:?}");
        assert!(count >= *fewest, "{target}: {count} seeds, there were {fewest}");
    }
}

#[test]
fn a_law_that_is_broken_is_seen() {
    let (broken, count) =
        replay(&fuzz().join("seeds/sniff"), &[|data| assert!(!data.starts_with(b"GET"))]);
    assert!(!broken.is_empty() && broken.len() < count, "{broken:?}");
}

#[test]
fn every_target_is_whole() {
    let rows: Vec<&str> = TARGETS.iter().map(|(target, ..)| *target).collect();
    assert_eq!(missing(&fuzz(), &rows), Vec::<String>::new());
}

#[test]
fn a_target_that_is_not_whole_is_seen() {
    let mut rows: Vec<&str> = TARGETS.iter().map(|(target, ..)| *target).collect();
    rows.retain(|target| *target != "websocket_decoder");
    rows.push("new");
    assert_eq!(
        missing(&fuzz(), &rows),
        [
            "new: give it a [[bin]] in fuzz/Cargo.toml",
            "new: write fuzz/fuzz_targets/new.rs",
            "new: put seeds into fuzz/seeds/new/",
            "new: let its [[bin]] name fuzz_targets/new.rs",
            "websocket_decoder: give it a row in tests/fuzz_seeds.rs",
        ]
    );
}

/// The code of the first refusal in a frame, if there is one.
fn first_refusal(mut text: &str) -> Option<Code> {
    loop {
        let (decoded, rest) = json::decode(text);
        if let Err(refused) = decoded {
            return Some(refused.fault.code);
        }
        if rest.is_empty() {
            return None;
        }
        text = rest;
    }
}

#[test]
fn json_is_judged_as_its_name_says() {
    let folder = fuzz().join("seeds/json_message");
    if std::env::var_os("STENTOR_WRITE_DOCS").is_some() {
        for verb in Verb::ALL {
            let seed = folder.join(format!("verb_{}.json", verb.word()));
            fs::write(seed, verb.example()).unwrap();
        }
    }
    let seeds = names(&folder);
    for file in &seeds {
        let name = file.trim_end_matches(".json");
        let bytes = fs::read(folder.join(file)).unwrap();
        let refusal = str::from_utf8(&bytes).map_or(Some(Code::BadJson), first_refusal);
        let (sort, rest) = name.split_once('_').expect("a sort");
        match sort {
            "y" => assert_eq!(refusal, None, "{name}"),
            "n" => assert_eq!(refusal, Some(Code::BadJson), "{name}"),
            "i" => assert_ne!(refusal, Some(Code::BadJson), "{name}"),
            "verb" => assert_eq!(bytes, Verb::parse(rest).expect(rest).example().as_bytes()),
            _ => panic!("{name}: no such sort"),
        }
    }
    for verb in Verb::ALL {
        let name = format!("verb_{}.json", verb.word());
        assert!(seeds.contains(&name), "{name} is not there: {COMMAND}");
    }
    for sort in ["y_", "n_", "i_"] {
        assert!(seeds.iter().filter(|name| name.starts_with(sort)).count() >= 10, "{sort}");
    }
}
