//! The fuzzer's seeds for JSON replayed: each keeps the laws, and is judged as its name says.
//!
//! `y_` is accepted whole, `n_` is refused as `bad_json` somewhere, `i_` is JSON that is judged by its
//! meaning, `verb_` is the example of that verb.

use std::collections::BTreeSet;
use std::fs;

use stentor::codec::json::{decode, laws};
use stentor::message::client::Verb;
use stentor::message::fault::Code;

/// The code of the first refusal in a frame, if there is one.
fn first_refusal(mut text: &str) -> Option<Code> {
    loop {
        let (decoded, rest) = decode(text);
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
fn every_seed_keeps_the_laws_and_is_judged_as_named() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/seeds/json_message");
    let mut seen = BTreeSet::new();
    for entry in fs::read_dir(folder).expect("the seeds are there") {
        let path = entry.expect("readable").path();
        let name = path.file_stem().and_then(|name| name.to_str()).expect("a name").to_owned();
        let bytes = fs::read(&path).expect("readable");
        laws::json_message(&bytes);
        laws::json_value(&bytes);
        let refusal = str::from_utf8(&bytes).map_or(Some(Code::BadJson), first_refusal);
        let (sort, rest) = name.split_once('_').expect("a sort");
        match sort {
            "y" => assert_eq!(refusal, None, "{name}"),
            "n" => assert_eq!(refusal, Some(Code::BadJson), "{name}"),
            "i" => assert_ne!(refusal, Some(Code::BadJson), "{name}"),
            "verb" => assert_eq!(bytes, Verb::parse(rest).expect(rest).example().as_bytes()),
            _ => panic!("{name}: no such sort"),
        }
        seen.insert(name);
    }
    for verb in Verb::ALL {
        let name = format!("verb_{}", verb.word());
        assert!(
            seen.contains(&name),
            "add fuzz/seeds/json_message/{name}.json: {}",
            verb.example()
        );
    }
    for sort in ["y_", "n_", "i_"] {
        assert!(seen.iter().filter(|name| name.starts_with(sort)).count() >= 10, "{sort}");
    }
}
