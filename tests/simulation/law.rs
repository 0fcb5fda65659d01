//! The laws by name. I1 to I12 are those of a consistency checker; the others are of this server.
//!
//! Limit: I11 is without statuses.

macro_rules! laws {
    ($($name:ident = $words:literal;)*) => {
        /// Something that always holds.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Law { $(#[doc = $words] $name,)* }

        /// All of them, in words that begin with their names.
        pub(crate) const LAWS: [(Law, &str); COUNT] = [$((Law::$name, $words),)*];

        const COUNT: usize = [$($words,)*].len();
    };
}

laws! {
    I1 = "I1 no lost ack: every ok is in the final history, at exactly its seq";
    I2 = "I2 no phantom: what is stored was asked for; a failure never appears, an unknown 0 or 1 times";
    I3 = "I3 no duplicate: an id at most once; an offset is one value on every loop, door and read";
    I4 = "I4 contiguous: offsets 1 to n without a hole";
    I5 = "I5 delivery: a stream is ordered, unique and reliable";
    I6 = "I6 real time: if the ack of a precedes the sending of b, then a is before b";
    I7 = "I7 per-sender FIFO: what a connection sent to a chat is in the order of sending";
    I8 = "I8 recency: a read asked for after an ack contains it";
    I9 = "I9 monotonic reads: what a client has seen, it goes on seeing, across connections";
    I10 = "I10 authorisation: nothing is delivered to who is no member, no subscriber, or revoked";
    I11 = "I11 presence: who watches a channel knows who is there, by the reply and what is told after it";
    I12 = "I12 residue: connections, state, calls and timers are back to none; nothing panicked";
    Replies = "Replies: one for each request, in the order of requests, with its id";
    Shape = "Shape: one object per line and frame, hello first, nothing after the goodbye";
    Closes = "Closes: who behaves well is not closed without a cause";
    HalfClose = "HalfClose: who ends its side gets every reply";
    Refusals = "Refusals: what is wrong is refused, what is right is no internal error";
    Http = "Http: each request gets its response, in order, framed, with the status of the table";
    Inbox = "Inbox: what is sent to a user comes to each device at least once, in order, or its loss is told";
    Executions = "Executions: one never goes back, and whoever watches it misses nothing";
    Calls = "Calls: each is answered once and in time, by its own worker's answer or one that may be given again";
    Heals = "Heals: when faults end, everybody is there and has every answer";
}

/// How often each law was checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Checked([u64; COUNT]);

impl Checked {
    pub(crate) const fn count(&mut self, law: Law) {
        self.0[law as usize] += 1;
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0).for_each(|(sum, more)| *sum += more);
    }

    /// Each law's name and number.
    pub(crate) fn rows(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        let name = |words: &'static str| words.split([' ', ':']).next().unwrap_or(words);
        LAWS.iter().zip(self.0).map(move |((_, words), count)| (name(words), count))
    }
}

impl Law {
    pub(crate) const fn words(self) -> &'static str {
        LAWS[self as usize].1
    }
}

#[test]
fn every_law_has_its_row() {
    for (at, (law, words)) in LAWS.iter().enumerate() {
        assert_eq!(*law as usize, at);
        assert!(words.starts_with(&format!("{law:?}")), "{words}");
    }
}
