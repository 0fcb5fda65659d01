//! Every seed of `fuzz/seeds/TARGET/` through the law of its target, on the stable compiler.
//!
//! Law: each folder has a row and seeds, each row a folder and a target in `fuzz/`.

use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use stentor::protocol::websocket::laws;

/// A fuzz target's name and the law it checks.
type Row = (&'static str, fn(&[u8]));

const TARGETS: &[Row] =
    &[("websocket_decoder", laws::fuzz_websocket_decoder), ("handshake", laws::fuzz_handshake)];

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

#[test]
fn every_seed_obeys_its_law() {
    for (target, law) in TARGETS {
        let folder = fuzz().join("seeds").join(target);
        let seeds = names(&folder);
        assert!(!seeds.is_empty(), "{folder:?} is empty");
        for seed in seeds {
            let bytes = fs::read(folder.join(&seed)).unwrap();
            assert!(catch_unwind(|| law(&bytes)).is_ok(), "{target}/{seed} breaks its law");
        }
    }
}

#[test]
fn every_folder_has_a_row_and_every_row_a_target() {
    let mut rows: Vec<&str> = TARGETS.iter().map(|(target, _)| *target).collect();
    rows.sort_unstable();
    assert_eq!(names(&fuzz().join("seeds")), rows);
    let manifest = fs::read_to_string(fuzz().join("Cargo.toml")).unwrap();
    for target in rows {
        assert!(fuzz().join(format!("targets/{target}.rs")).is_file(), "{target}");
        assert!(manifest.contains(&format!("name = \"{target}\"")), "{target}");
    }
}
