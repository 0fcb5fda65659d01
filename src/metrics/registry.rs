//! Who has counted what: the blocks of all loops, and their sum as OpenMetrics text.
//!
//! The text is OpenMetrics 1.0, which Prometheus reads; prometheus-client only writes it. A metric
//! with one label tells every value from the start; of a pair of labels only what has been counted,
//! because most combinations never happen.

use super::{Block, Kind, LabelSet, Row};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet, text};
use prometheus_client::metrics::MetricType;
use std::any::TypeId;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The `Content-Type` of [`Registry::render`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Every block of the process; cloning it shares it.
#[derive(Clone, Debug, Default)]
pub struct Registry(Arc<Mutex<Vec<Layer>>>);

#[derive(Debug)]
struct Layer {
    id: TypeId,
    rows: &'static [Row],
    blocks: Vec<Arc<dyn Source>>,
}

trait Source: fmt::Debug + Send + Sync {
    fn add_to(&self, totals: &mut [u64]);
}

impl<B: Block> Source for B {
    fn add_to(&self, totals: &mut [u64]) {
        Block::add_to(self, totals);
    }
}

impl Registry {
    /// A registry without blocks.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A new block of the layer `B`; each loop asks once and keeps it.
    ///
    /// What was counted stays in the sums after the loop has let go of its block.
    #[must_use]
    pub fn block<B: Block>(&self) -> Arc<B> {
        let block = Arc::new(B::default());
        let mut layers = self.layers();
        let id = TypeId::of::<B>();
        if let Some(layer) = layers.iter_mut().find(|layer| layer.id == id) {
            layer.blocks.push(block.clone());
        } else {
            let taken = |row: &Row| layers.iter().flat_map(|l| l.rows).any(|r| r.name == row.name);
            debug_assert!(!B::ROWS.iter().any(taken), "a metric is declared by one layer");
            layers.push(Layer { id, rows: B::ROWS, blocks: vec![block.clone()] });
        }
        block
    }

    /// The sum of a counter or gauge over loops and labels; `None` for an unknown name.
    #[must_use]
    pub fn total(&self, name: &str) -> Option<i64> {
        let families = families(&self.layers());
        let family = families.iter().find(|family| family.row.name == name)?;
        match family.row.kind {
            Kind::Counter | Kind::Gauge => Some(
                family.cells.iter().fold(0u64, |sum, cell| sum.wrapping_add(*cell)).cast_signed(),
            ),
            Kind::Histogram { .. } => None,
        }
    }

    /// How many values a histogram holds over loops and labels, and their sum in the unit of what was
    /// observed; `None` for another name.
    pub fn distribution(&self, name: &str) -> Option<(u64, u64)> {
        let families = families(&self.layers());
        let family = families.iter().find(|family| family.row.name == name)?;
        let Kind::Histogram { bounds, .. } = family.row.kind else { return None };
        let add = |(count, sum): (u64, u64), cells: &[u64]| {
            let (counts, total) = cells.split_at(bounds.len() + 1);
            (count + counts.iter().sum::<u64>(), sum.wrapping_add(total.iter().sum()))
        };
        Some(family.cells.chunks(family.row.width()).fold((0, 0), add))
    }

    /// The sums of all counters and gauges over loops and labels, by name.
    pub fn totals(&self) -> Vec<(&'static str, i64)> {
        let counted = |family: &Family| !matches!(family.row.kind, Kind::Histogram { .. });
        let sum = |cells: &[u64]| cells.iter().fold(0u64, |sum, cell| sum.wrapping_add(*cell));
        let families = families(&self.layers());
        let families = families.iter().filter(|family| counted(family));
        families.map(|family| (family.row.name, sum(&family.cells).cast_signed())).collect()
    }

    /// All metrics in the order of their names, as OpenMetrics text.
    #[must_use]
    pub fn render(&self) -> String {
        let mut families = families(&self.layers());
        families.sort_by_key(|family| family.row.name);
        let mut registry = prometheus_client::registry::Registry::default();
        registry.register_collector(Box::new(Scrape(families)));
        let mut page = String::new();
        // Writing to a string cannot fail.
        let _ = text::encode(&mut page, &registry);
        page
    }

    fn layers(&self) -> MutexGuard<'_, Vec<Layer>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One row and the sums of its cells.
#[derive(Debug)]
struct Family {
    row: &'static Row,
    cells: Vec<u64>,
}

fn families(layers: &[Layer]) -> Vec<Family> {
    let mut families = Vec::new();
    for layer in layers {
        let mut totals = vec![0; layer.rows.iter().map(Row::cells).sum()];
        for block in &layer.blocks {
            block.add_to(&mut totals);
        }
        let mut rest = totals.as_slice();
        for row in layer.rows {
            let (cells, behind) = rest.split_at(row.cells());
            families.push(Family { row, cells: cells.to_vec() });
            rest = behind;
        }
    }
    families
}

#[derive(Debug)]
struct Scrape(Vec<Family>);

impl Collector for Scrape {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        for family in &self.0 {
            family.encode(&mut encoder)?;
        }
        Ok(())
    }
}

impl Family {
    fn encode(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let row = self.row;
        let (name, kind) = match row.kind {
            // The encoder appends `_total` to the samples of a counter.
            Kind::Counter => (row.name.trim_end_matches("_total"), MetricType::Counter),
            Kind::Gauge => (row.name, MetricType::Gauge),
            Kind::Histogram { .. } => (row.name, MetricType::Histogram),
        };
        let mut metric = encoder.encode_descriptor(name, row.help.trim(), None, kind)?;
        for (index, cells) in self.cells.chunks(row.width()).enumerate() {
            if row.labels.len() > 1 && cells.iter().all(|cell| *cell == 0) {
                continue;
            }
            if row.labels.is_empty() {
                encode_sample(row.kind, cells, &mut metric)?;
            } else {
                let labels = values(row.labels, index);
                encode_sample(row.kind, cells, &mut metric.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }
}

/// The labels of the combination `index`, outermost first.
fn values(sets: &[LabelSet], mut index: usize) -> Vec<(&'static str, &'static str)> {
    let mut values = Vec::with_capacity(sets.len());
    for set in sets.iter().rev() {
        values.push((set.name, set.values[index % set.values.len()]));
        index /= set.values.len();
    }
    values.reverse();
    values
}

fn encode_sample(kind: Kind, cells: &[u64], metric: &mut MetricEncoder<'_>) -> fmt::Result {
    match kind {
        Kind::Counter => metric.encode_counter::<NoLabelSet, u64, f64>(&cells[0], None),
        Kind::Gauge => metric.encode_gauge(&cells[0].cast_signed()),
        Kind::Histogram { bounds, per_unit } => {
            let (counts, sum) = cells.split_at(bounds.len() + 1);
            let told = bounds.iter().map(|bound| *bound as f64 / per_unit).chain([f64::INFINITY]);
            let buckets: Vec<_> = told.zip(counts.iter().copied()).collect();
            let count = counts.iter().sum();
            metric.encode_histogram::<NoLabelSet>(sum[0] as f64 / per_unit, count, &buckets, None)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{labels, rows};
    use std::time::Duration;

    labels! {
        /// A door.
        enum Door: "door" {
            /// Frames.
            WebSocket = "websocket",
            /// Lines.
            Line = "line",
        }
    }

    labels! {
        /// A code.
        enum Code: "code" {
            /// Well.
            Ok = "ok",
            /// Not well.
            Bad = "bad",
        }
    }

    rows! {
        /// What the test counts.
        struct Metrics {
            /// Bytes received.
            bytes: Counter = "stentor_test_bytes_total",
            /// Connections open now,
            /// by door.
            open: Gauge[Door] = "stentor_test_connections",
            /// Replies sent.
            replies: Counter[(Door, Code)] = "stentor_test_replies_total",
            /// Time to a reply.
            latency: Histogram[super::super::Seconds, Door] = "stentor_test_latency_seconds",
            /// Messages of one commit.
            batch: Histogram[super::super::Counts] = "stentor_test_batch",
        }
    }

    #[test]
    fn loops_are_summed_and_rows_told_in_order_of_names() {
        let registry = Registry::new();
        let (one, two) = (registry.block::<Metrics>(), registry.clone().block::<Metrics>());
        one.bytes.add(3);
        two.bytes.add(4);
        one.open.add_at(Door::Line, 2);
        two.open.add_at(Door::Line, -1);
        two.open.add_at(Door::WebSocket, 5);
        two.replies.add_at((Door::Line, Code::Ok), 9);
        one.replies.add_at((Door::WebSocket, Code::Bad), 1);
        one.latency.time_at(Door::Line, Duration::from_millis(1));
        two.latency.time_at(Door::Line, Duration::from_micros(1001));
        two.latency.time_at(Door::Line, Duration::from_secs(60));
        for size in [1, 2, 3] {
            one.batch.observe(size);
        }
        let page = registry.render();
        for line in [
            "# HELP stentor_test_bytes Bytes received.",
            "# TYPE stentor_test_bytes counter",
            "stentor_test_bytes_total 7",
            "# HELP stentor_test_connections Connections open now, by door.",
            "stentor_test_connections{door=\"websocket\"} 5",
            "stentor_test_connections{door=\"line\"} 1",
            "stentor_test_replies_total{door=\"websocket\",code=\"bad\"} 1",
            "stentor_test_replies_total{door=\"line\",code=\"ok\"} 9",
            "stentor_test_latency_seconds_bucket{le=\"0.0005\",door=\"line\"} 0",
            "stentor_test_latency_seconds_bucket{le=\"0.001\",door=\"line\"} 1",
            "stentor_test_latency_seconds_bucket{le=\"0.0025\",door=\"line\"} 2",
            "stentor_test_latency_seconds_bucket{le=\"30.0\",door=\"line\"} 2",
            "stentor_test_latency_seconds_bucket{le=\"+Inf\",door=\"line\"} 3",
            "stentor_test_latency_seconds_sum{door=\"line\"} 60.002001",
            "stentor_test_latency_seconds_count{door=\"websocket\"} 0",
            "stentor_test_batch_bucket{le=\"2.0\"} 2",
            "stentor_test_batch_bucket{le=\"4.0\"} 3",
            "stentor_test_batch_sum 6.0",
        ] {
            assert!(page.lines().any(|l| l == line), "{line}\nmissing from\n{page}");
        }
        let told: Vec<_> = page.lines().filter(|line| line.starts_with("# TYPE")).collect();
        assert!(told.is_sorted() && told.len() == 5);
        assert_eq!(page.matches("stentor_test_replies_total").count(), 2, "no empty pairs");
        assert!(page.ends_with("# EOF\n"));
    }

    #[test]
    fn a_total_is_over_loops_and_labels_and_outlives_the_loop() {
        let registry = Registry::new();
        registry.block::<Metrics>().open.set_at(Door::Line, 4);
        let block = registry.block::<Metrics>();
        block.open.set_at(Door::WebSocket, -6);
        assert_eq!(registry.total("stentor_test_connections"), Some(-2));
        assert_eq!(registry.total("stentor_test_latency_seconds"), None);
        block.bytes.add(1);
        assert_eq!((block.bytes.get_at(()), registry.total("stentor_nothing")), (1, None));
    }

    #[test]
    fn the_blocks_of_two_loops_share_no_cache_line() {
        assert_eq!(align_of::<Metrics>(), 128);
        assert_eq!(size_of::<Metrics>() % 128, 0);
    }

    #[test]
    fn bounds_ascend() {
        use crate::metrics::{Bytes, Counts, Scale, Seconds};
        for bounds in [Seconds::BOUNDS, Bytes::BOUNDS, Counts::BOUNDS] {
            assert!(bounds.windows(2).all(|pair| pair[0] < pair[1]), "{bounds:?}");
        }
        assert_eq!((Bytes::BOUNDS[15], Counts::BOUNDS[15]), (16 << 30, 32_768));
    }
}
