//! Which verb a person meant who typed another word.
//!
//! Slips are letters left out, added, replaced, or swapped with their neighbour. Law: the cost is
//! bounded, because words of more than 32 bytes are not looked at and 3 slips are the most.

use crate::message::client::Verb;

/// The longest word that is looked at, in bytes.
const BYTES_MAX: usize = 32;

/// Words that other chat programs use.
const ELSEWHERE: &[(&str, &str)] = &[
    ("join", "join_room"),
    ("leave", "leave_room"),
    ("msg", "message"),
    ("say", "message"),
    ("send_message", "message"),
    ("signup", "register"),
];

/// The verb that is nearest to `word`, if one is near: a third of the letters may be wrong.
#[must_use]
pub fn did_you_mean(word: &str) -> Option<&'static str> {
    if word.len() > BYTES_MAX {
        return None;
    }
    if let Some((_, verb)) = ELSEWHERE.iter().find(|(other, _)| other.eq_ignore_ascii_case(word)) {
        return Some(verb);
    }
    nearest(word, Verb::ALL.iter().map(|verb| verb.word()))
}

/// The one of `words` that is nearest to `word`, if one is near; not for words of strangers, whose
/// length would have to be bounded first.
#[must_use]
pub fn nearest<'a>(word: &str, words: impl Iterator<Item = &'a str> + Clone) -> Option<&'a str> {
    (0..=(word.len() / 3).min(3)).find_map(|slips| {
        words.clone().find(|other| near(word.as_bytes(), other.as_bytes(), slips))
    })
}

/// Whether at most `slips` slips turn `a` into `b`, without case.
fn near(mut a: &[u8], mut b: &[u8], slips: usize) -> bool {
    while let ([x, a_rest @ ..], [y, b_rest @ ..]) = (a, b) {
        if !x.eq_ignore_ascii_case(y) {
            break;
        }
        (a, b) = (a_rest, b_rest);
    }
    if a.is_empty() && b.is_empty() {
        return true;
    }
    let Some(slips) = slips.checked_sub(1) else { return false };
    let (a_rest, b_rest) = (a.get(1..), b.get(1..));
    let swapped = match (a, b) {
        ([x, y, a_rest @ ..], [v, w, b_rest @ ..]) if x == w && y == v => {
            near(a_rest, b_rest, slips)
        }
        _ => false,
    };
    swapped
        || a_rest.is_some_and(|a_rest| near(a_rest, b, slips))
        || b_rest.is_some_and(|b_rest| near(a, b_rest, slips))
        || matches!((a_rest, b_rest), (Some(a), Some(b)) if near(a, b, slips))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_verb() {
        const CASES: &[(&str, Option<&str>)] = &[
            ("mesage", Some("message")),
            ("MESSAGE", Some("message")),
            ("emssage", Some("message")),
            ("meassge", Some("message")),
            ("loginn", Some("login")),
            ("pinf", Some("ping")),
            ("create-group", Some("create_group")),
            ("createroom", Some("create_room")),
            ("getmessages", Some("get_messages")),
            ("subscrbe", Some("subscribe")),
            ("join", Some("join_room")),
            ("", None),
            ("x", None),
            ("frobnicate", None),
            ("message_message_message_message_message", None),
        ];
        for (word, expected) in CASES {
            assert_eq!(did_you_mean(word), *expected, "{word}");
        }
    }
}
