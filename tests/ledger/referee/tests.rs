//! Each way to break a promise, planted into a small history: the referee must see it.

use std::time::{Duration, Instant};

use stentor::base::rng::Rng;

use super::*;
use crate::device::Device;
use crate::ledger::{Ack, SHARED};

/// One chat with four messages of two publishers, all acknowledged, each sent after the ack before.
fn story() -> (Referee, Vec<Vec<Entry>>) {
    let (begun, mut referee) = (Instant::now(), Referee::default());
    let mut books = vec![Vec::new(), Vec::new()];
    for seq in 1..=4u64 {
        let publisher = (seq % 2) as usize;
        let name = Name { publisher, number: books[publisher].len() };
        let time = |more| begun + Duration::from_millis(seq * 10 + more);
        let ack = Some(Ack { seq: Some(seq), id: format!("id{seq}"), at: time(5) });
        let entry = Entry { line: 0, padding: 3, sent: time(0), tries: 1, ack };
        let stored = stored(&format!("id{seq}"), publisher, &entry.content(name));
        books[publisher].push(entry);
        referee.lines[0].push(stored);
    }
    (referee, books)
}

fn stored(id: &str, publisher: usize, content: &str) -> Stored {
    Stored { id: id.to_owned(), sender: user(publisher), content: content.to_owned() }
}

fn verdict(referee: &Referee, books: &[Vec<Entry>]) -> String {
    let books: Vec<&[Entry]> = books.iter().map(Vec::as_slice).collect();
    referee.judge(&books).err().unwrap_or_default()
}

#[test]
fn a_true_story_is_accepted() {
    let (mut referee, mut books) = story();
    assert_eq!(verdict(&referee, &books), "");
    // What nobody was told may be there or not.
    books[0][1].ack = None;
    assert_eq!(verdict(&referee, &books), "");
    referee.lines[0].pop();
    assert_eq!(verdict(&referee, &books), "");
}

#[test]
fn every_broken_promise_is_seen() {
    type Plant = fn(&mut Referee, &mut Vec<Vec<Entry>>);
    let plants: [(&str, Plant); 10] = [
        ("a lost ack", |referee, _| drop(referee.lines[0].pop())),
        ("a lost ack", |referee, _| referee.lines[0][2].id = "other".to_owned()),
        ("a lost ack", |_, books| books[0][1].ack.as_mut().expect("one").seq = Some(5)),
        ("a duplicate of 4", |referee, _| {
            let again = referee.lines[0][3].clone();
            referee.lines[0].push(again);
        }),
        ("reordered", |referee, books| {
            referee.lines[0].swap(0, 2);
            books.iter_mut().flatten().for_each(|entry| entry.ack = None);
        }),
        ("sent after its ack", |referee, books| {
            referee.lines[0].swap(2, 3);
            books[0][1].ack.as_mut().expect("one").seq = Some(3);
            books[1][1].ack.as_mut().expect("one").seq = Some(4);
        }),
        ("nobody sent it", |referee, _| referee.lines[0].push(stored("id5", 0, "p0-2 xxx"))),
        ("whose", |referee, _| referee.lines[0].push(stored("id5", 0, "hello"))),
        ("not what was sent", |referee, _| referee.lines[0][0].sender = user(0)),
        ("not what was sent", |referee, _| referee.lines[0][0].content.push('x')),
    ];
    for (words, plant) in plants {
        let (mut referee, mut books) = story();
        plant(&mut referee, &mut books);
        let verdict = verdict(&referee, &books);
        assert!(verdict.contains(words), "{words:?} is not in {verdict:?}");
    }
}

#[test]
fn what_was_heard_is_what_is_stored() {
    let (mut referee, _) = story();
    let heard = |offset, seq: u64, stored: &Stored| Heard {
        line: 0,
        offset,
        message: Some((seq, stored.clone())),
    };
    let (first, second) = (referee.lines[0][0].clone(), referee.lines[0][1].clone());
    assert_eq!(referee.compare(&[heard(7, 1, &first), heard(8, 2, &second)]), Ok(()));
    for (event, words) in [
        (heard(9, 2, &first), "and stored is"),
        (heard(10, 5, &first), "and stored is None"),
        (heard(7, 2, &second), "another one heard"),
        (Heard { line: 0, offset: 8, message: None }, "another one heard"),
    ] {
        let verdict = referee.compare(&[event]).expect_err("planted");
        assert!(verdict.contains(words), "{verdict}");
    }
}

#[test]
fn what_is_read_has_no_holes_and_does_not_change() {
    let (mut referee, _) = story();
    let message = |id: &str| stored(id, 1, "p1-0 xxx");
    assert_eq!(referee.place(0, 1, 1, message("id1")), Ok(()), "as it was");
    assert!(referee.place(0, 1, 1, message("new")).is_err_and(|why| why.contains("became")));
    assert!(referee.place(0, 5, 6, message("id6")).is_err_and(|why| why.contains("a hole")));
    assert_eq!(referee.place(0, 5, 5, message("id5")), Ok(()));
}

/// The first inbox, and the number of its owner's device.
const INBOX: usize = SHARED;

/// An inbox with what was sent, a notification that was read, and one that was not; the first was sent
/// twice, and is there twice.
fn inbox() -> (Referee, Vec<Vec<Entry>>) {
    let mut referee = Referee::default();
    let ack = |id: &str| Some(Ack { seq: None, id: id.to_owned(), at: Instant::now() });
    let entry = |id: &str, tries| Entry {
        line: INBOX,
        padding: 3,
        sent: Instant::now(),
        tries,
        ack: ack(id),
    };
    let book = vec![entry("n0", 1), entry("", 2), entry("", 1), entry("n3", 1)];
    for (number, id) in [(0, "n0"), (1, ""), (1, ""), (2, ""), (3, "n3")] {
        let content = book[number].content(Name { publisher: 0, number });
        referee.lines[INBOX].push(stored(id, 0, &content));
    }
    referee.lines[INBOX].insert(2, stored("n0", 7, READ));
    (referee, vec![book])
}

#[test]
fn a_true_inbox_is_accepted() {
    let (referee, books) = inbox();
    assert_eq!(verdict(&referee, &books), "");
    assert_eq!(referee.last_told(INBOX), 6);
    let told = referee.told(INBOX).expect("it is true");
    let told: Vec<_> = told.iter().map(|told| (told.stored.id.as_str(), told.read)).collect();
    assert_eq!(told, [("n0", true), ("n3", false)]);
}

#[test]
fn every_broken_promise_of_an_inbox_is_seen() {
    type Plant = fn(&mut Vec<Stored>);
    let plants: [(&str, Plant); 8] = [
        ("a lost ack", |log| drop(log.pop())),
        ("a lost ack", |log| log[5].id = "other".to_owned()),
        ("a duplicate of 2", |log| log.push(log[1].clone())),
        ("a duplicate of 6", |log| log.push(log[5].clone())),
        ("reordered", |log| log.swap(0, 4)),
        ("not what was sent", |log| log[0].id.clear()),
        ("nobody sent it", |log| log.push(stored("", 0, "p0-4 xxx"))),
        ("not what was sent", |log| log[1].sender = user(1)),
    ];
    for (words, plant) in plants {
        let (mut referee, books) = inbox();
        plant(&mut referee.lines[INBOX]);
        let verdict = verdict(&referee, &books);
        assert!(verdict.contains(words), "{words:?} is not in {verdict:?}");
    }
    let marks: [(&str, Plant); 3] = [
        ("of no notification", |log| log.swap(0, 2)),
        ("read twice", |log| log.push(log[2].clone())),
        ("a notification twice", |log| log.push(log[0].clone())),
    ];
    for (words, plant) in marks {
        let (mut referee, _) = inbox();
        plant(&mut referee.lines[INBOX]);
        let verdict = referee.told(INBOX).err().unwrap_or_default();
        assert!(verdict.contains(words), "{words:?} is not in {verdict:?}");
    }
}

#[test]
fn what_a_device_did_is_held_against_the_inbox() {
    let (referee, _) = inbox();
    let device = |passed: &[u64], marks: &[(&str, bool)]| {
        let mut device = Device::new(INBOX, String::new(), false, Rng::new(1));
        device.passed.extend(passed);
        device.marks.extend(marks.iter().map(|(id, acked)| ((*id).to_owned(), *acked)));
        referee.judge_device(&device).err().unwrap_or_default()
    };
    assert_eq!(device(&[3], &[("n0", true), ("n3", false)]), "");
    assert_eq!(device(&[3], &[("n0", false)]), "");
    for (passed, marks, words) in [
        (&[4][..], &[("n0", true)][..], "it was not told of 4"),
        (&[9], &[("n0", true)], "it was not told of 9"),
        (&[3], &[("n0", true), ("n3", true)], "a lost mark: n3"),
        (&[3], &[], "nobody marked it"),
    ] {
        let verdict = device(passed, marks);
        assert!(verdict.contains(words), "{words:?} is not in {verdict:?}");
    }
}
