//! What the scenes of `tests/router` hear, held against what the catalogue says of it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;
use stentor::message::client::Verb;
use stentor::message::server;
use stentor::message::told::EVENTS;

use crate::shape::{Shape, read};

/// Everything heard in the scenes: the file, and what was said.
fn heard() -> Vec<(String, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/router/scenes");
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).expect("the scenes are there") {
        let path = entry.expect("a file").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        for line in fs::read_to_string(&path).expect("a scene is text").lines() {
            let Some((_, said)) = line.split_once(" < ") else { continue };
            let said = said.strip_prefix("(protobuf) ").unwrap_or(said);
            if let Ok(value) = serde_json::from_str(said) {
                all.push((name.clone(), value));
            }
        }
    }
    all
}

/// What it should hold, and what it does; none of what no row is about.
fn told(said: &Value) -> Option<(String, Shape, &Value)> {
    let word = said["type"].as_str()?;
    if said["status"] == "ok" {
        let verb = Verb::parse(word)?;
        let holds = verb.data().unwrap_or_else(|| panic!("{word}: its row says no `=> \"…\"`"));
        return Some((format!("{word}: data"), read(holds), &said["data"]));
    }
    if said["status"] == "error" {
        return None;
    }
    let row = EVENTS.iter().find(|row| row.word == word)?;
    Some((format!("{word}: payload"), read(row.payload), &said["payload"]))
}

#[test]
fn the_rows_say_what_is_heard() {
    let mut verbs = BTreeSet::new();
    let mut wrong = Vec::new();
    for (file, said) in &heard() {
        let Some((at, shape, value)) = told(said) else { continue };
        verbs.insert(at.clone());
        wrong.extend(shape.wrong(value, &at).map(|what| format!("{file}: {what}: {value}")));
    }
    wrong.truncate(10);
    assert!(wrong.is_empty(), "the rows and the server differ:\n{}", wrong.join("\n"));
    assert!(verbs.len() > 30, "there are scenes of most: {verbs:?}");
}

#[test]
fn what_no_row_tells_is_noticed() {
    let said = serde_json::json!({"type": "heartbeat", "status": "ok", "data": {"time": 1}});
    let (at, shape, value) = told(&said).expect("a verb");
    assert_eq!(shape.wrong(value, &at).as_deref(), Some("heartbeat: data.time is not told"));
}

#[test]
fn every_row_says_what_its_reply_holds() {
    let silent: Vec<_> = Verb::ALL.iter().filter(|verb| verb.data().is_none()).collect();
    assert!(silent.is_empty(), "no `=> \"…\"` behind the example of {silent:?}");
    for verb in Verb::ALL {
        read(verb.data().unwrap_or_default());
    }
}

#[test]
fn every_event_that_clients_may_not_name_is_told() {
    for event in EVENTS {
        // Nobody publishes in the channel of the server itself, so its names are free elsewhere.
        let of_bus = event.place.contains(stentor::router::bus::CHANNEL);
        let free = event.word == server::PUBLICATION || of_bus;
        assert_eq!(!free, server::is_reserved_event(event.word), "{}", event.word);
        read(event.payload);
    }
    let twice: BTreeSet<_> = EVENTS.iter().map(|event| event.word).collect();
    assert_eq!(twice.len(), EVENTS.len());
}
