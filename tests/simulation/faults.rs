//! What can go wrong: one row each. A seed draws which of them happen to it, and how often.
//!
//! Law: a fault happens in the storm only, and is counted by the kind that struck. A quarter of the
//! seeds have none; of the others each has a few, so that rare pairs meet.

use stentor::base::rng::Rng;

/// A row: what strikes, what it is called, how often of 1000 chances at most.
pub(crate) type Row = (Fault, &'static str, u64);

macro_rules! faults {
    ($($(#[$doc:meta])* $name:ident = $word:literal, $most:literal;)*) => {
        /// Something that goes wrong.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Fault { $($(#[$doc])* $name,)* }

        /// All of them.
        pub(crate) const FAULTS: [Row; COUNT] = [$((Fault::$name, $word, $most),)*];

        const COUNT: usize = [$($word,)*].len();
    };
}

faults! {
    // The network: of each piece that is sent.
    /// A stream is cut into pieces anywhere.
    Cut = "cut", 1000;
    /// Pieces take up to 40 ms instead of 2.
    Delay = "delay", 1000;
    /// A direction stands still for up to 20 s.
    Stall = "stall", 12;
    /// The connection is reset, at both ends.
    Reset = "reset", 8;
    /// Nothing arrives any more, and nobody is told.
    Vanish = "vanish", 4;
    // The clients: of each act.
    /// A client breaks off and comes back.
    BreakOff = "break-off", 60;
    /// A client ends its side and reads on.
    HalfClose = "half-close", 60;
    /// A client reads nothing for up to 12 s.
    SlowReader = "slow-reader", 60;
    // The disk: of each commit.
    /// A commit takes up to 4 s.
    SlowCommit = "slow-commit", 120;
    /// SQLite is busy.
    Busy = "busy", 150;
    /// The disk is full.
    Full = "full", 150;
    /// The fsync fails, whatever is on the disk then; the node ends.
    DiskError = "disk-error", 12;
    // The node: of each act, job or connection.
    /// The power is cut; of the commit under way all or nothing is there.
    Crash = "crash", 12;
    /// The node is told to drain, ends, and starts again.
    Drain = "drain", 6;
    /// A worker's queue is full.
    Overload = "overload", 40;
    /// Loops hear each other late.
    SlowWords = "slow-words", 1000;
    /// The wall clock jumps by up to a day, to and fro.
    WallJump = "wall-jump", 12;
    /// No descriptor, or no place, is left for a connection.
    Descriptors = "descriptors", 300;
}

/// How often each fault strikes, of 1000 chances, in one run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rates([u64; COUNT]);

impl Rates {
    /// A few of all faults, or none.
    pub(crate) fn draw(rng: &mut Rng) -> Self {
        let calm = rng.below(4) == 0;
        let mut rates = [0; COUNT];
        for (rate, (_, _, most)) in rates.iter_mut().zip(FAULTS) {
            let (here, drawn) = (rng.below(3) == 0, 1 + rng.below(most));
            *rate = if calm || !here { 0 } else { drawn };
        }
        Self(rates)
    }

    pub(crate) const fn of(&self, fault: Fault) -> u64 {
        self.0[fault as usize]
    }

    pub(crate) const fn set(&mut self, fault: Fault, rate: u64) {
        self.0[fault as usize] = rate;
    }
}

/// How often each fault has struck.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Injected([u64; COUNT]);

impl Injected {
    pub(crate) const fn count(&mut self, fault: Fault) {
        self.0[fault as usize] += 1;
    }

    pub(crate) const fn of(&self, fault: Fault) -> u64 {
        self.0[fault as usize]
    }

    /// Whether somebody may not have read for a while.
    pub(crate) const fn has_slowed(&self) -> bool {
        let slow = [Fault::Stall, Fault::SlowReader, Fault::Delay, Fault::Vanish];
        self.of(slow[0]) + self.of(slow[1]) + self.of(slow[2]) + self.of(slow[3]) > 0
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0).for_each(|(sum, more)| *sum += more);
    }

    /// Each fault's name and number.
    pub(crate) fn rows(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        FAULTS.iter().zip(self.0).map(|((_, name, _), count)| (*name, count))
    }
}
