//! The cells that loops add to: relaxed atomics, because a sum at scrape needs no order. A block has
//! one writer, the thread that took it.
//!
//! Limit: a histogram has 16 fixed bounds; what it observes is an integer (nanoseconds, bytes,
//! things), so that counting needs no floating point.

use super::{Kind, Label, LabelSet};
use std::array;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// What `rows!` needs to know of each kind of cell.
pub trait Cell {
    /// What the cell counts.
    const KIND: Kind;
    /// What tells its samples apart.
    const LABELS: &'static [LabelSet];

    /// Adds the cells to the front of `totals` and returns what is behind them.
    fn add_to<'a>(&self, totals: &'a mut [u64]) -> &'a mut [u64];
}

fn add_cells<'a>(cells: &[AtomicU64], totals: &'a mut [u64]) -> &'a mut [u64] {
    let (mine, rest) = totals.split_at_mut(cells.len().min(totals.len()));
    for (total, cell) in mine.iter_mut().zip(cells) {
        // Gauges are two's complement: one loop may be below zero when another took over its work.
        *total = total.wrapping_add(cell.load(Relaxed));
    }
    rest
}

/// Adds to a cell that no other thread writes: without the bus lock of an atomic addition, which
/// costs as much as everything else that is done about a small message.
#[inline]
fn add_alone(cell: &AtomicU64, n: u64) {
    cell.store(cell.load(Relaxed).wrapping_add(n), Relaxed);
}

/// A number that only grows, one for each value of `L`.
#[derive(Debug)]
pub struct Counter<L: Label, const N: usize> {
    cells: [AtomicU64; N],
    label: PhantomData<L>,
}

impl<L: Label, const N: usize> Default for Counter<L, N> {
    fn default() -> Self {
        Self { cells: array::from_fn(|_| AtomicU64::new(0)), label: PhantomData }
    }
}

impl Counter<(), 1> {
    /// Counts `n` more.
    pub fn add(&self, n: u64) {
        self.add_at((), n);
    }
}

impl<L: Label, const N: usize> Counter<L, N> {
    /// Counts `n` more under `label`.
    #[inline]
    pub fn add_at(&self, label: L, n: u64) {
        if let Some(cell) = self.cells.get(label.index()) {
            add_alone(cell, n);
        }
    }

    /// Counts `n` more under `label`, in a block that several threads write.
    pub fn add_among_others(&self, label: L, n: u64) {
        if let Some(cell) = self.cells.get(label.index()) {
            cell.fetch_add(n, Relaxed);
        }
    }

    /// What this loop counted under `label`.
    #[must_use]
    pub fn get_at(&self, label: L) -> u64 {
        self.cells.get(label.index()).map_or(0, |cell| cell.load(Relaxed))
    }
}

impl<L: Label, const N: usize> Cell for Counter<L, N> {
    const KIND: Kind = Kind::Counter;
    const LABELS: &'static [LabelSet] = L::SETS;

    fn add_to<'a>(&self, totals: &'a mut [u64]) -> &'a mut [u64] {
        add_cells(&self.cells, totals)
    }
}

/// A number that goes up and down, one for each value of `L`.
#[derive(Debug)]
pub struct Gauge<L: Label, const N: usize> {
    cells: [AtomicU64; N],
    label: PhantomData<L>,
}

impl<L: Label, const N: usize> Default for Gauge<L, N> {
    fn default() -> Self {
        Self { cells: array::from_fn(|_| AtomicU64::new(0)), label: PhantomData }
    }
}

impl Gauge<(), 1> {
    /// Adds `n`, which may be negative.
    pub fn add(&self, n: i64) {
        self.add_at((), n);
    }

    /// Makes this loop's part `n`.
    pub fn set(&self, n: i64) {
        self.set_at((), n);
    }
}

impl<L: Label, const N: usize> Gauge<L, N> {
    /// Adds `n`, which may be negative, under `label`.
    pub fn add_at(&self, label: L, n: i64) {
        if let Some(cell) = self.cells.get(label.index()) {
            add_alone(cell, n.cast_unsigned());
        }
    }

    /// Makes this loop's part under `label` `n`.
    pub fn set_at(&self, label: L, n: i64) {
        if let Some(cell) = self.cells.get(label.index()) {
            cell.store(n.cast_unsigned(), Relaxed);
        }
    }
}

impl<L: Label, const N: usize> Cell for Gauge<L, N> {
    const KIND: Kind = Kind::Gauge;
    const LABELS: &'static [LabelSet] = L::SETS;

    fn add_to<'a>(&self, totals: &'a mut [u64]) -> &'a mut [u64] {
        add_cells(&self.cells, totals)
    }
}

const BOUNDS: usize = 16;

/// The bounds of a histogram and the unit in which it is told.
pub trait Scale: std::fmt::Debug + 'static {
    /// Upper bounds, inclusive and ascending, in the unit of what is observed.
    const BOUNDS: [u64; BOUNDS];
    /// How many of that unit make one of the unit that is told.
    const PER_UNIT: f64;
}

/// Observed in nanoseconds, told in seconds: 100 µs to 30 s.
#[derive(Debug)]
pub enum Seconds {}

impl Scale for Seconds {
    const BOUNDS: [u64; BOUNDS] = [
        100_000,
        250_000,
        500_000,
        1_000_000,
        2_500_000,
        5_000_000,
        10_000_000,
        25_000_000,
        50_000_000,
        100_000_000,
        250_000_000,
        500_000_000,
        1_000_000_000,
        2_500_000_000,
        10_000_000_000,
        30_000_000_000,
    ];
    const PER_UNIT: f64 = 1e9;
}

/// Bytes: powers of four, 16 B to 16 GiB.
#[derive(Debug)]
pub enum Bytes {}

impl Scale for Bytes {
    const BOUNDS: [u64; BOUNDS] = powers(4, 2);
    const PER_UNIT: f64 = 1.0;
}

/// Things counted: powers of two, 1 to 32,768.
#[derive(Debug)]
pub enum Counts {}

impl Scale for Counts {
    const BOUNDS: [u64; BOUNDS] = powers(0, 1);
    const PER_UNIT: f64 = 1.0;
}

/// Bounds from 2^`first`, each 2^`step` times the one before.
const fn powers(first: usize, step: usize) -> [u64; BOUNDS] {
    let mut bounds = [0; BOUNDS];
    let mut at = 0;
    while at < BOUNDS {
        bounds[at] = 1 << (first + step * at);
        at += 1;
    }
    bounds
}

/// How often values fell between fixed bounds, one distribution for each value of `L`.
#[derive(Debug)]
pub struct Histogram<S: Scale, L: Label, const N: usize> {
    cells: [[AtomicU64; BOUNDS + 2]; N],
    label: PhantomData<(fn() -> S, L)>,
}

impl<S: Scale, L: Label, const N: usize> Default for Histogram<S, L, N> {
    fn default() -> Self {
        let cells = array::from_fn(|_| array::from_fn(|_| AtomicU64::new(0)));
        Self { cells, label: PhantomData }
    }
}

impl<S: Scale, const N: usize> Histogram<S, (), N> {
    /// Counts one value in the unit of the scale.
    pub fn observe(&self, value: u64) {
        self.observe_at((), value);
    }
}

impl<S: Scale, L: Label, const N: usize> Histogram<S, L, N> {
    /// Counts one value in the unit of the scale under `label`.
    pub fn observe_at(&self, label: L, value: u64) {
        if let Some(cells) = self.cells.get(label.index()) {
            add_alone(&cells[S::BOUNDS.partition_point(|bound| *bound < value)], 1);
            add_alone(&cells[BOUNDS + 1], value);
        }
    }
}

impl<L: Label, const N: usize> Histogram<Seconds, L, N> {
    /// Counts one duration under `label`.
    pub fn time_at(&self, label: L, took: Duration) {
        self.observe_at(label, u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
    }
}

impl<S: Scale, L: Label, const N: usize> Cell for Histogram<S, L, N> {
    const KIND: Kind = Kind::Histogram { bounds: &S::BOUNDS, per_unit: S::PER_UNIT };
    const LABELS: &'static [LabelSet] = L::SETS;

    fn add_to<'a>(&self, totals: &'a mut [u64]) -> &'a mut [u64] {
        self.cells.iter().fold(totals, |rest, sample| add_cells(sample, rest))
    }
}
