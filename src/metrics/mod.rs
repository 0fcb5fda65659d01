//! Counters, gauges and histograms: one block of memory per loop, summed when somebody asks.
//!
//! A layer declares its rows beside its `Config` with `rows!`, each loop takes a block of its own
//! from the [`Registry`], and `metrics.accepted.add(1)` is a load and a store in memory that no other
//! thread writes. Law: label values are `'static` words of a closed set, so a
//! stranger's text cannot become a label. Nothing here knows what is counted.

mod cells;
mod registry;

pub use cells::{Bytes, Cell, Counter, Counts, Gauge, Histogram, Scale, Seconds};
pub use registry::{CONTENT_TYPE, Registry};

/// One label: its name and every value it can have.
#[derive(Clone, Copy, Debug)]
pub struct LabelSet {
    /// The name of the label.
    pub name: &'static str,
    /// Its values, in the order of [`Label::index`].
    pub values: &'static [&'static str],
}

/// A closed set of words that tell the samples of one metric apart.
///
/// `()` is no label, an enum of `labels!` is one, and a pair of labels is every combination.
pub trait Label: Copy + std::fmt::Debug + 'static {
    /// The labels, outermost first.
    const SETS: &'static [LabelSet];
    /// How many combinations there are.
    const COUNT: usize;
    /// Which combination this is, below [`COUNT`](Self::COUNT).
    fn index(self) -> usize;
}

impl Label for () {
    const SETS: &'static [LabelSet] = &[];
    const COUNT: usize = 1;

    fn index(self) -> usize {
        0
    }
}

impl<A: Label, B: Label> Label for (A, B) {
    const SETS: &'static [LabelSet] = &[A::SETS[0], B::SETS[0]];
    const COUNT: usize = A::COUNT * B::COUNT;

    fn index(self) -> usize {
        self.0.index() * B::COUNT + self.1.index()
    }
}

/// What a row counts.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// Only ever grows; its name ends in `_total`.
    Counter,
    /// Goes up and down; the sum over the loops is what is told.
    Gauge,
    /// How often a value was at most each bound, and the sum of all values.
    Histogram {
        /// Upper bounds, inclusive, in the unit of what is observed.
        bounds: &'static [u64],
        /// How many of that unit make one of the unit that is told.
        per_unit: f64,
    },
}

/// One metric, as its layer declares it.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// `stentor_…` in base units.
    pub name: &'static str,
    /// One sentence for people.
    pub help: &'static str,
    /// What it counts.
    pub kind: Kind,
    /// What tells its samples apart.
    pub labels: &'static [LabelSet],
}

impl Row {
    /// A row; `rows!` calls this while compiling, so a wrong name does not compile.
    ///
    /// # Panics
    /// When the name is not `stentor_…` of lower-case letters, digits and `_`, or `_total` is
    /// missing from a counter or stands on another kind.
    #[must_use]
    pub const fn new(
        name: &'static str,
        help: &'static str,
        kind: Kind,
        labels: &'static [LabelSet],
    ) -> Self {
        let bytes = name.as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            assert!(
                matches!(bytes[at], b'a'..=b'z' | b'0'..=b'9' | b'_'),
                "metric name: [a-z0-9_]"
            );
            at += 1;
        }
        assert!(name.split_at(8).0.eq_ignore_ascii_case("stentor_"), "metric name: stentor_…");
        let total = name.split_at(bytes.len() - 6).1.eq_ignore_ascii_case("_total");
        assert!(
            total == matches!(kind, Kind::Counter),
            "_total is for counters, and for all of them"
        );
        Self { name, help, kind, labels }
    }

    /// How many cells one sample has.
    const fn width(&self) -> usize {
        match self.kind {
            Kind::Counter | Kind::Gauge => 1,
            // A cell per bound, one for what is above them all, one for the sum.
            Kind::Histogram { bounds, .. } => bounds.len() + 2,
        }
    }

    /// How many cells all samples have.
    fn cells(&self) -> usize {
        self.labels.iter().map(|label| label.values.len()).product::<usize>() * self.width()
    }
}

/// The rows of a layer for one loop; made by `rows!`.
pub trait Block: Default + std::fmt::Debug + Send + Sync + 'static {
    /// The rows in the order of their cells.
    const ROWS: &'static [Row];

    /// Adds every cell to `totals`, which has one entry per cell of [`ROWS`](Self::ROWS).
    fn add_to(&self, totals: &mut [u64]);
}

/// The type of a cell by its kind and labels.
macro_rules! cell {
    (Counter) => { $crate::metrics::Counter<(), 1> };
    (Counter [$label:ty]) => {
        $crate::metrics::Counter<$label, { <$label as $crate::metrics::Label>::COUNT }>
    };
    (Gauge) => { $crate::metrics::Gauge<(), 1> };
    (Gauge [$label:ty]) => {
        $crate::metrics::Gauge<$label, { <$label as $crate::metrics::Label>::COUNT }>
    };
    (Histogram [$scale:ty]) => { $crate::metrics::Histogram<$scale, (), 1> };
    (Histogram [$scale:ty, $label:ty]) => {
        $crate::metrics::Histogram<$scale, $label, { <$label as $crate::metrics::Label>::COUNT }>
    };
}
pub(crate) use cell;

/// Declares the metrics of a layer as a struct, one block of which each loop owns.
///
/// A field's documentation is the help text: `/// Connections accepted.` and below it
/// `accepted: Counter[Door] = "stentor_connections_accepted_total",`. Kinds: `Counter`, `Gauge`,
/// each with a label or a pair `[(Verb, Code)]`, and `Histogram[Seconds]`, `Histogram[Bytes, Door]`.
macro_rules! rows {
    ($(#[$attribute:meta])* $vis:vis struct $block:ident {
        $($(#[doc = $help:literal])+ $field:ident: $kind:ident $([$($of:ty),+])? = $name:literal,)+
    }) => {
        $(#[$attribute])*
        #[repr(align(128))]
        #[derive(Debug, Default)]
        $vis struct $block {
            $($(#[doc = $help])+ pub $field: $crate::metrics::cell!($kind $([$($of),+])?),)+
        }

        impl $crate::metrics::Block for $block {
            const ROWS: &'static [$crate::metrics::Row] = &[$($crate::metrics::Row::new(
                $name,
                concat!($($help),+),
                <$crate::metrics::cell!($kind $([$($of),+])?) as $crate::metrics::Cell>::KIND,
                <$crate::metrics::cell!($kind $([$($of),+])?) as $crate::metrics::Cell>::LABELS,
            )),+];

            fn add_to(&self, totals: &mut [u64]) {
                let mut rest = totals;
                $(rest = $crate::metrics::Cell::add_to(&self.$field, rest);)+
                debug_assert!(rest.is_empty(), "one total per cell");
            }
        }
    };
}
pub(crate) use rows;

/// Declares an enum whose variants are the values of one label: `enum Door: "door" { Line = "line" }`.
macro_rules! labels {
    ($(#[$attribute:meta])* $vis:vis enum $label:ident: $name:literal {
        $($(#[doc = $doc:literal])+ $variant:ident = $value:literal,)+
    }) => {
        $(#[$attribute])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        $vis enum $label { $($(#[doc = $doc])+ $variant,)+ }

        impl $crate::metrics::Label for $label {
            const SETS: &'static [$crate::metrics::LabelSet] =
                &[$crate::metrics::LabelSet { name: $name, values: &[$($value),+] }];
            const COUNT: usize = Self::SETS[0].values.len();

            fn index(self) -> usize {
                self as usize
            }
        }
    };
}
pub(crate) use labels;
