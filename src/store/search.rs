//! Full-text search: what a word is, what a user asks for, and which messages are told.
//!
//! Law: a message is found when each word of the query stands in its text as a whole word, compared
//! without case and without accents. A query is text and never a language: what is no letter and no
//! digit only parts words, and the same function makes the words of queries and of messages, in every
//! store. Limit: a query has at most [`QUERY_BYTES_MAX`], a word counts by its first
//! [`WORD_LETTERS_MAX`] letters, an answer holds at most [`BYTES_MAX`] of text.

use std::sync::Arc;

use super::Found;
use super::sync::BYTES_MAX;
use crate::base::id::Id;
use crate::base::time::Timestamp;
use crate::message::record::ChatMessage;

/// The longest query, in bytes.
pub const QUERY_BYTES_MAX: usize = 256;
/// The letters by which a word counts.
pub const WORD_LETTERS_MAX: usize = 64;

/// What somebody looks for: at least one word, at most 128.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query(Box<[Box<str>]>);

/// Why a text is no query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoQuery {
    /// It is longer than [`QUERY_BYTES_MAX`].
    TooLong,
    /// No letter and no digit is in it.
    NoWord,
}

impl Query {
    /// The words of `text`.
    ///
    /// # Errors
    /// When there is none, or too much.
    pub fn parse(text: &str) -> Result<Self, NoQuery> {
        if text.len() > QUERY_BYTES_MAX {
            return Err(NoQuery::TooLong);
        }
        let mut words: Vec<Box<str>> = Vec::new();
        let (mut rest, mut word) = (Words(text), String::new());
        while rest.next_into(&mut word) {
            words.push(word.as_str().into());
        }
        words.sort_unstable();
        words.dedup();
        if words.is_empty() { Err(NoQuery::NoWord) } else { Ok(Self(words.into())) }
    }

    /// The words, each once.
    #[must_use]
    pub fn words(&self) -> &[Box<str>] {
        &self.0
    }

    /// Whether all of them are in `text`. `word` is room to work in.
    pub(super) fn matches(&self, text: &str, word: &mut String) -> bool {
        // Of 256 bytes no more than 128 words can be made.
        let (mut rest, mut found, mut left) = (Words(text), 0_u128, self.0.len());
        while left > 0 && rest.next_into(word) {
            let Ok(at) = self.0.binary_search_by(|known| (**known).cmp(word)) else { continue };
            let bit = 1 << at;
            left -= usize::from(found & bit == 0);
            found |= bit;
        }
        left == 0
    }
}

/// The words of a text, from the first on.
pub(super) struct Words<'a>(pub(super) &'a str);

impl Words<'_> {
    /// Puts the next word into `word`; false when there is none.
    pub(super) fn next_into(&mut self, word: &mut String) -> bool {
        word.clear();
        let mut letters = 0;
        let mut rest = self.0.chars();
        loop {
            let before = rest.as_str();
            let Some(c) = rest.next() else { break };
            // An accent of its own belongs to the letter before it.
            if is_accent(c) {
                continue;
            }
            if !c.is_alphanumeric() {
                if letters > 0 {
                    break;
                }
                continue;
            }
            let alone = stands_alone(c);
            if alone && letters > 0 {
                rest = before.chars();
                break;
            }
            letters += 1;
            if letters <= WORD_LETTERS_MAX {
                let small = c.to_lowercase().filter(|c| !is_accent(*c));
                word.extend(small.map(without_accent));
            }
            if alone {
                break;
            }
        }
        self.0 = rest.as_str();
        letters > 0
    }
}

/// Whether it is an accent that follows its letter.
const fn is_accent(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}')
}

/// Whether it is of a script that sets no space between words: each of its letters is a word.
const fn stands_alone(c: char) -> bool {
    matches!(
        c,
        // Thai and Lao, Burmese, Khmer; Chinese, Japanese, Yi; Korean, which joins particles to words.
        '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}'
            | '\u{2e80}'..='\u{a4cf}' | '\u{ac00}'..='\u{d7a3}' | '\u{f900}'..='\u{faff}'
            | '\u{ff66}'..='\u{ff9f}' | '\u{20000}'..='\u{3ffff}'
    )
}

/// A small letter without its accent, so that a text finds itself however its accents are written.
const fn without_accent(c: char) -> char {
    if c.is_ascii() {
        return c;
    }
    match c {
        'à'..='å' | 'ā' | 'ă' | 'ą' | 'ǎ' | 'ạ'..='ặ' => 'a',
        'ç' | 'ć' | 'ĉ' | 'ċ' | 'č' => 'c',
        'ď' | 'đ' => 'd',
        'è'..='ë' | 'ē' | 'ĕ' | 'ė' | 'ę' | 'ě' | 'ẹ'..='ệ' => 'e',
        'ĝ' | 'ğ' | 'ġ' | 'ģ' | 'ǧ' => 'g',
        'ĥ' | 'ħ' => 'h',
        'ì'..='ï' | 'ĩ' | 'ī' | 'ĭ' | 'į' | 'ı' | 'ǐ' | 'ỉ' | 'ị' => 'i',
        'ĵ' => 'j',
        'ķ' | 'ǩ' => 'k',
        'ĺ' | 'ļ' | 'ľ' | 'ł' => 'l',
        'ñ' | 'ń' | 'ņ' | 'ň' => 'n',
        'ò'..='ö' | 'ø' | 'ō' | 'ŏ' | 'ő' | 'ơ' | 'ǒ' | 'ọ'..='ợ' => 'o',
        'ŕ' | 'ŗ' | 'ř' => 'r',
        'ś' | 'ŝ' | 'ş' | 'š' | 'ș' => 's',
        'ţ' | 'ť' | 'ŧ' | 'ț' => 't',
        'ù'..='ü'
        | 'ũ'
        | 'ū'
        | 'ŭ'
        | 'ů'
        | 'ű'
        | 'ų'
        | 'ư'
        | 'ǔ'
        | 'ǖ'
        | 'ǘ'
        | 'ǚ'
        | 'ǜ'
        | 'ụ'..='ự' => 'u',
        'ŵ' | 'ẁ' | 'ẃ' | 'ẅ' => 'w',
        'ý' | 'ÿ' | 'ŷ' | 'ỳ'..='ỹ' => 'y',
        'ź' | 'ż' | 'ž' => 'z',
        'ά' => 'α',
        'έ' => 'ε',
        'ή' => 'η',
        'ί' | 'ϊ' | 'ΐ' => 'ι',
        'ό' => 'ο',
        'ς' => 'σ',
        'ύ' | 'ϋ' | 'ΰ' => 'υ',
        'ώ' => 'ω',
        'ё' | 'ѐ' => 'е',
        'й' | 'ѝ' => 'и',
        'ў' => 'у',
        'ї' => 'і',
        'ѓ' => 'г',
        'ќ' => 'к',
        other => other,
    }
}

/// The newest of the messages that are offered.
pub(super) struct Newest {
    limit: usize,
    /// Newest first; one more than the limit, for knowing that there are more.
    messages: Vec<Arc<ChatMessage>>,
}

impl Newest {
    pub(super) fn new(limit: u32) -> Self {
        Self { limit: limit as usize, messages: Vec::new() }
    }

    /// Whether nothing that old has a place any more.
    pub(super) fn is_past(&self, at: Timestamp) -> bool {
        self.messages.get(self.limit).is_some_and(|oldest| oldest.created_at > at)
    }

    pub(super) fn offer(&mut self, message: Arc<ChatMessage>) {
        let place = self.messages.partition_point(|known| order(known) > order(&message));
        if place <= self.limit {
            self.messages.insert(place, message);
            self.messages.truncate(self.limit.saturating_add(1));
        }
    }

    /// What was found, newest first; at least one message if there is any, however long it is.
    pub(super) fn found(mut self) -> Found {
        let mut more = self.messages.len() > self.limit;
        self.messages.truncate(self.limit);
        let (mut bytes, mut whole) = (0, 0);
        for message in &self.messages {
            let metadata = message.metadata.as_ref().map_or(0, |raw| raw.as_str().len());
            bytes += message.content.len() + metadata;
            if bytes > BYTES_MAX && whole > 0 {
                break;
            }
            whole += 1;
        }
        more |= whole < self.messages.len();
        self.messages.truncate(whole);
        Found::Messages { messages: self.messages, more }
    }
}

/// By time; of one batch, by chat and number, so that every store has the same order.
fn order(message: &ChatMessage) -> (Timestamp, Id, u64) {
    (message.created_at, message.chat_id, message.seq)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        let (mut rest, mut word, mut all) = (Words(text), String::new(), Vec::new());
        while rest.next_into(&mut word) {
            all.push(word.clone());
        }
        all
    }

    #[test]
    fn what_a_word_is() {
        for (text, wanted) in [
            ("", &[][..]),
            (" .,;\0\n\u{2028}🎉— ", &[]),
            ("Hello, World-wide 42nd", &["hello", "world", "wide", "42nd"]),
            ("don't a_b C++", &["don", "t", "a", "b", "c"]),
            ("Crème BRÛLÉE Łódź Ångström", &["creme", "brulee", "lodz", "angstrom"]),
            (
                "cre\u{300}me \u{301}x İstanbul ISPARTA ısparta",
                &["creme", "x", "istanbul", "isparta", "isparta"],
            ),
            ("Việt Nam Đà Nẵng đường", &["viet", "nam", "da", "nang", "duong"]),
            ("ΟΔΌΣ οδός Ёлка Йод йод", &["οδοσ", "οδοσ", "елка", "иод", "иод"]),
            ("Straße ﷺ", &["straße", "ﷺ"]),
            ("東京タワー2号 ok", &["東", "京", "タ", "ワ", "ー", "2", "号", "ok"]),
            ("한국어 ไทย", &["한", "국", "어", "ไ", "ท", "ย"]),
            ("a東b", &["a", "東", "b"]),
        ] {
            assert_eq!(words(text), wanted, "{text}");
        }
        let long = "ä".repeat(WORD_LETTERS_MAX + 9);
        assert_eq!(words(&long), ["a".repeat(WORD_LETTERS_MAX)]);
    }

    #[test]
    fn a_query_is_words_and_nothing_else() {
        let query = |text: &str| Query::parse(text).map(|query| query.words().join(" "));
        assert_eq!(query("b a B"), Ok("a b".to_owned()));
        assert_eq!(query("a* NOT (b OR \"c\") d:e ^f"), Ok("a b c d e f not or".to_owned()));
        for nothing in ["", "  ", "\"*\"", "🎉", "\u{301}"] {
            assert_eq!(query(nothing), Err(NoQuery::NoWord), "{nothing}");
        }
        let most = "a ".repeat(QUERY_BYTES_MAX / 2);
        assert_eq!(query(&most), Ok("a".to_owned()));
        assert_eq!(query(&format!("{most}.")), Err(NoQuery::TooLong));
    }

    #[test]
    fn all_words_have_to_be_there() {
        let matches = |query: &str, text: &str| {
            Query::parse(query).is_ok_and(|query| query.matches(text, &mut String::new()))
        };
        for (query, text, found) in [
            ("b a", "A and B", true),
            ("a a", "a", true),
            ("a b", "a", false),
            ("a b", "ab", false),
            ("cafe", "Café!", true),
            ("京都", "東京都", true),
            ("京都", "東京", false),
            ("a", "", false),
        ] {
            assert_eq!(matches(query, text), found, "{query} in {text}");
        }
        // As many words as a query can have, and one of them missing.
        let most = |first: char| (first..).take(QUERY_BYTES_MAX / 3).collect::<String>();
        assert!(matches(&most('一'), &most('一')) && !matches(&most('一'), &most('丁')));
    }
}
