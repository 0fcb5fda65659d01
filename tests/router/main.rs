//! The messaging server scene by scene: what is said to it, and word for word what it answers.
//!
//! A scene is a file of `scenes/`: `NAME > TEXT` is said, `NAME < TEXT` is heard, and nothing else
//! may be heard. `UPDATE_SCENES=1 cargo test --test router` writes what is heard into the files; the
//! difference is to be read as carefully as code. `script.rs` has the grammar.

mod bench;
#[path = "../simulation/binary.rs"]
mod binary;
mod held;
mod idle;
mod names;
#[path = "../simulation/parts.rs"]
mod parts;
mod raced;
mod renewed;
mod script;

use std::fs;
use std::path::PathBuf;

fn scenes() -> Vec<PathBuf> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/router/scenes");
    let entries = fs::read_dir(folder).expect("the scenes are there");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("a file").path()).collect();
    paths.sort();
    paths
}

#[test]
fn every_scene_is_played_word_for_word() {
    let update = std::env::var_os("UPDATE_SCENES").is_some();
    let mut different = Vec::new();
    let scenes = scenes();
    assert!(scenes.len() > 5, "there are scenes");
    for path in scenes {
        let written = fs::read_to_string(&path).expect("a scene is text");
        let played = script::play(&written);
        if played == written {
            continue;
        }
        if update {
            fs::write(&path, played).expect("a scene can be written");
            continue;
        }
        let at = written.lines().zip(played.lines()).position(|(one, other)| one != other);
        let at = at.unwrap_or_else(|| written.lines().count().min(played.lines().count()));
        let line = |text: &str| text.lines().nth(at).unwrap_or("(the end)").to_owned();
        let (wants, hears) = (line(&written), line(&played));
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        different.push(format!("{name}:{}\n  wants {wants}\n  hears {hears}", at + 1));
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
}

/// A wrong word in a scene is noticed, and so are one too many and one too few.
#[test]
fn a_scene_that_is_not_what_happens_is_noticed() {
    let scene = "ana = lines\nana > ping\n";
    let played = script::play(scene);
    assert_eq!(script::play(&played), played, "playing changes nothing that is right");
    for (right, wrong) in [
        ("\"ok\"", "\"okay\""),
        ("ana < {\"type\":\"ping\"", "ana < more\nana < {\"type\":\"ping\""),
    ] {
        let scene = played.replace(right, wrong);
        assert_ne!(scene, played);
        assert_eq!(script::play(&scene), played);
    }
}
