//! The shape of a file: it says what it is, fits in the head, and is not a drawer for odds and ends.

use crate::source::{Source, item_end, line_of, places, word};
use crate::{clean, finds, passes, source};

/// A file that wants more is two ideas.
const FILE_LINES_MAX: usize = 400;

/// A function that wants more does two things.
const FUNCTION_LINES_MAX: usize = 70;

/// Names that say nothing, and so collect everything.
const DRAWERS: [&str; 5] = ["utils.rs", "util.rs", "common.rs", "helpers.rs", "misc.rs"];

pub(crate) fn headers(sources: &[Source]) -> Vec<String> {
    let bare = sources.iter().filter(|source| !source.text.starts_with("//! "));
    bare.map(|source| {
        let todo = "begin with `//! `: what it is, its standard's section, its law, its limit";
        format!("{}:1: {todo}", source.path)
    })
    .collect()
}

pub(crate) fn file_lengths(sources: &[Source]) -> Vec<String> {
    let lines = sources.iter().map(|source| (source, source.text.lines().count()));
    lines
        .filter(|(_, lines)| *lines > FILE_LINES_MAX)
        .map(|(source, lines)| {
            let todo = "split it by idea, or move its tests to NAME/tests.rs";
            format!("{}:{lines}: more than {FILE_LINES_MAX} lines: {todo}", source.path)
        })
        .collect()
}

pub(crate) fn function_lengths(sources: &[Source]) -> Vec<String> {
    let mut findings = Vec::new();
    for source in sources.iter().filter(|source| source.path.starts_with("src/")) {
        for at in places(&source.code, "fn") {
            let rest = source.code[at + 2..].trim_start();
            let (name, end) = (word(rest), item_end(&source.code, at));
            let lines = source.code[at..end].lines().count();
            if !name.is_empty() && lines > FUNCTION_LINES_MAX {
                let line = line_of(&source.code, at);
                let todo = format!("`{name}` has {lines} lines, at most {FUNCTION_LINES_MAX}");
                findings.push(format!("{}:{line}: {todo}: name its parts", source.path));
            }
        }
    }
    findings
}

pub(crate) fn drawers(sources: &[Source]) -> Vec<String> {
    let drawer = |source: &&Source| {
        let name = source.path.rsplit('/').next().unwrap_or_default();
        DRAWERS.contains(&name)
    };
    let found = sources.iter().filter(drawer);
    found.map(|source| format!("{}:1: name it after the one thing it is", source.path)).collect()
}

#[test]
fn every_file_says_what_it_is() {
    clean(&headers(&source::all()));
}

#[test]
fn files_are_short() {
    clean(&file_lengths(&source::all()));
}

#[test]
fn functions_fit_a_screen() {
    clean(&function_lengths(&source::all()));
}

#[test]
fn no_drawers() {
    clean(&drawers(&source::all()));
}

#[test]
fn planted_shapes_are_found() {
    finds(headers, &[("src/a.rs", "use std::io;\n//! Late.")], "src/a.rs:1", "begin with");
    passes(headers, &[("src/a.rs", "//! What it is.\n")]);
    let long = format!("//! Long.\n{}", "// line\n".repeat(400));
    finds(file_lengths, &[("tests/a.rs", &long)], "tests/a.rs:401", "400 lines");
    passes(file_lengths, &[("tests/a.rs", &long[10..])]);
    finds(drawers, &[("src/hub/utils.rs", "")], "src/hub/utils.rs:1", "name it");
    passes(drawers, &[("src/hub/utility.rs", "")]);
}

#[test]
fn planted_functions_are_found() {
    let body = "    let _ = [0; 2];\n".repeat(69);
    let long = format!("trait A {{\n    fn b(&self);\n}}\nfn c(a: [u8; 2]) -> u8 {{\n{body}}}\n");
    finds(function_lengths, &[("src/a.rs", &long)], "src/a.rs:4", "`c` has 71 lines");
    passes(function_lengths, &[("src/a.rs", &long.replacen("    let _ = [0; 2];\n", "", 1))]);
    passes(function_lengths, &[("tests/a.rs", &long)]);
}
