//! The catalogue of attacks against the tests: each row has its tests or a reason why not, each
//! test has its row, and `docs/attacks.md` says what is so.
//!
//! Law: a test belongs to the rows that begin its name (`ht_07_`, `sl_01_and_03_`, `xo_01_to_03_`).
//! Limit: that a test tests what its row says is for its reader to see.

mod document;
mod rows;
mod sources;

use sources::{Source, Test};

/// The kinds of rows, and how many there are at least.
const KINDS: &[(&str, usize)] = &[
    ("SN", 9),
    ("HT", 28),
    ("FR", 9),
    ("FG", 4),
    ("U8", 3),
    ("CL", 5),
    ("PD", 10),
    ("LN", 14),
    ("PB", 6),
    ("TL", 11),
    ("SL", 8),
    ("RX", 18),
    ("IN", 6),
    ("XO", 5),
];

/// A line of the catalogue.
#[derive(Debug, PartialEq, Eq)]
struct Row<'a> {
    id: &'a str,
    attack: &'a str,
    answer: &'a str,
    rest: Rest<'a>,
}

/// What stands behind the answer.
#[derive(Debug, PartialEq, Eq)]
enum Rest<'a> {
    Nothing,
    /// Tests of another place or another row, by file and function.
    Also(Vec<(&'a str, &'a str)>),
    /// Why it does not apply.
    Not(&'a str),
    /// Why there is no test yet.
    Open(&'a str),
}

/// The rows of a section.
///
/// # Panics
/// When a line is none.
fn read(section: &str) -> Vec<Row<'_>> {
    let lines = section.lines().filter(|line| !line.is_empty());
    lines.map(|line| row(line).unwrap_or_else(|| panic!("no row: {line}"))).collect()
}

fn row(line: &str) -> Option<Row<'_>> {
    let mut parts = line.split('|').map(str::trim);
    let (id, attack, answer) = (parts.next()?, parts.next()?, parts.next()?);
    let rest = match parts.next() {
        None => Rest::Nothing,
        Some(rest) => {
            let words = rest.get(2..)?;
            match rest.get(..2)? {
                "= " => {
                    let tests = words.split(", ").map(|test| test.split_once("::"));
                    Rest::Also(tests.collect::<Option<_>>()?)
                }
                "- " => Rest::Not(words),
                "? " => Rest::Open(words),
                _ => return None,
            }
        }
    };
    let complete = [id, attack, answer].iter().all(|part| !part.is_empty());
    (complete && parts.next().is_none()).then_some(Row { id, attack, answer, rest })
}

/// What is wrong with rows and tests, in words.
fn problems(rows: &[Row<'_>], tests: &[Test], exists: impl Fn(&str, &str) -> bool) -> Vec<String> {
    let mut problems = Vec::new();
    for (n, row) in rows.iter().enumerate() {
        let id = row.id;
        let tested = tests.iter().any(|test| test.is_of(id));
        match &row.rest {
            Rest::Nothing if !tested => {
                let name = id.to_lowercase().replace('-', "_");
                problems
                    .push(format!("{id} has no test: write `{name}_…`, or say in its row why not"));
            }
            Rest::Not(_) | Rest::Open(_) if tested => {
                problems.push(format!("{id} has a test and a reason why not: take out the reason"));
            }
            Rest::Also(also) => {
                let gone = also.iter().filter(|(file, function)| !exists(file, function));
                problems.extend(gone.map(|(file, function)| {
                    format!("{id} names {file}::{function}, which is not there")
                }));
            }
            _ => {}
        }
        if rows[..n].iter().any(|before| before.id == id) {
            problems.push(format!("{id} has two rows"));
        }
    }
    for test in tests {
        for id in &test.ids {
            if !rows.iter().any(|row| row.id == id) {
                let (file, name) = (&test.file, &test.name);
                problems.push(format!("{file}::{name} is of {id}, which has no row"));
            }
        }
    }
    problems
}

#[test]
fn every_row_has_its_tests_and_every_test_its_row() {
    let rows: Vec<_> = rows::SECTIONS.iter().flat_map(|(_, section)| read(section)).collect();
    let tests = sources::tests(&sources::here());
    for (kind, count) in KINDS {
        let numbers = rows.iter().filter_map(|row| row.id.strip_prefix(kind)?.strip_prefix('-'));
        let numbers: Vec<_> = numbers.map(|number| number.parse::<usize>()).collect();
        assert!(numbers.iter().cloned().eq((1..=numbers.len()).map(Ok)), "{kind}: {numbers:?}");
        assert!(numbers.len() >= *count, "{kind}: rows are gone");
    }
    assert!(tests.len() > 100, "{} tests", tests.len());
    let problems = problems(&rows, &tests, sources::exists);
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn the_document_says_what_is_so() {
    let tests = sources::tests(&sources::here());
    let sections: Vec<_> =
        rows::SECTIONS.iter().map(|(title, section)| (*title, read(section))).collect();
    document::check(&document::write(&sections, &tests));
}

fn planted(name: &str, body: &str) -> Vec<Test> {
    let text = format!(
        "fn help(server: &Server) {{\n    server.endures(&[]);\n}}\n\n#[test]\nfn {name}() {{\n{body}\n}}\n"
    );
    sources::tests(&[Source { file: "planted.rs".to_owned(), text }])
}

#[test]
fn tests_are_read_with_their_rows_and_their_ways() {
    let ids = |name: &str| planted(name, "    a();")[0].ids.join(" ");
    assert_eq!(ids("ht_01_a_head"), "HT-01");
    assert_eq!(ids("u8_02_a_character"), "U8-02");
    assert_eq!(ids("sl_01_and_03_a_reader"), "SL-01 SL-03");
    assert_eq!(ids("ht_07_to_09_lengths"), "HT-07 HT-08 HT-09");
    assert_eq!(ids("tl_02_and_05_and_11_all"), "TL-02 TL-05 TL-11");
    assert!(planted("the_14th_of_july", "    a();").is_empty(), "of no row");
    let ways = |body: &str| planted("ht_01_a", body)[0].ways();
    assert_eq!(ways("    server.endures(&[]);"), "every way");
    assert_eq!(ways("    help(&server);"), "every way");
    assert_eq!(ways("    let server = Server::start_secure(&[]);"), "as described, TLS");
    assert_eq!(ways("    let server = Server::start(&[]);"), "as described");
}

#[test]
fn what_is_missing_is_found() {
    let found = |table: &str, name: &str| {
        let tests = planted(name, "    a();");
        problems(&read(table), &tests, |_, function| function == "there").join("; ")
    };
    let good = "HT-01 | a | b\nHT-02 | a | b | = f.rs::there\nHT-03 | a | b | - not here";
    assert_eq!(found(good, "ht_01_a"), "");
    for (table, name, words) in [
        (good, "ht_02_a", "HT-01 has no test: write `ht_01_…`"),
        (good, "ht_01_and_03_a", "HT-03 has a test and a reason"),
        (good, "ht_01_and_04_a", "planted.rs::ht_01_and_04_a is of HT-04, which has no row"),
        ("HT-01 | a | b | = f.rs::gone", "ht_01_a", "f.rs::gone, which is not there"),
        ("HT-01 | a | b\nHT-01 | a | b", "ht_01_a", "HT-01 has two rows"),
    ] {
        let found = found(table, name);
        assert!(found.contains(words) && !found.contains("; "), "{found}");
    }
    for line in ["HT-01 | a", "HT-01 | a | ", "HT-01 | a | b | c", "HT-01 | a | b | - c | d"] {
        assert_eq!(row(line), None, "{line}");
    }
    let open = "HT-01 | a | b | ? soon";
    assert_eq!(row(open).expect("a row").rest, Rest::Open("soon"));
}
