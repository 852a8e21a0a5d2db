//! Counters and histograms of a node. Label sets are types, so no personal data can become a label.

use std::fmt::Write as _;
use std::sync::atomic::AtomicU64;

use exchange::{Code, Country, Side, Transaction};
use prometheus_client::encoding::{
    EncodeLabelSet, EncodeLabelValue, LabelValueEncoder, text::encode,
};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// Everything a node counts.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    exchanges: Family<ExchangeLabels, Counter>,
    duration: Family<SideLabels, Histogram>,
    halves: Family<HalfLabels, Counter>,
    /// Halves that the other country's receipt or answer completed later.
    pub halves_closed: Counter,
    /// Receipts of ours that their country refused.
    pub receipts_refused: Counter,
    /// Notes that did not fit the queue.
    pub notes_dropped: Counter,
    /// Evidence rows not yet in the log.
    pub evidence_waiting: Gauge<i64, std::sync::atomic::AtomicI64>,
    /// Days until the first of our certificates expires.
    pub certificate_days: Gauge<f64, AtomicU64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ExchangeLabels {
    side: Label,
    transaction: Label,
    peer: CountryLabel,
    outcome: Label,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SideLabels {
    side: Label,
    transaction: Label,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct HalfLabels {
    side: Label,
    transaction: Label,
    peer: CountryLabel,
}

/// A label value from one of our own tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Label(&'static str);

impl EncodeLabelValue for Label {
    fn encode(&self, encoder: &mut LabelValueEncoder) -> std::fmt::Result {
        encoder.write_str(self.0)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct CountryLabel(Country);

impl EncodeLabelValue for CountryLabel {
    fn encode(&self, encoder: &mut LabelValueEncoder) -> std::fmt::Result {
        encoder.write_str(self.0.as_str())
    }
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("konfido");
        let metrics = Self {
            exchanges: Family::default(),
            duration: Family::new_with_constructor(|| Histogram::new(BUCKETS)),
            halves: Family::default(),
            halves_closed: Counter::default(),
            receipts_refused: Counter::default(),
            notes_dropped: Counter::default(),
            evidence_waiting: Gauge::default(),
            certificate_days: Gauge::default(),
            registry: Registry::default(),
        };
        registry.register("exchanges", "Exchanges by outcome", metrics.exchanges.clone());
        registry.register("exchange_seconds", "Time of an exchange", metrics.duration.clone());
        registry.register(
            "evidence_half",
            "Evidence whose other half did not come by the deadline",
            metrics.halves.clone(),
        );
        registry.register(
            "evidence_half_closed",
            "Halves that were completed later",
            metrics.halves_closed.clone(),
        );
        registry.register(
            "receipts_refused",
            "Receipts of ours that their country refused",
            metrics.receipts_refused.clone(),
        );
        registry.register(
            "notes_dropped",
            "Events lost to a full queue",
            metrics.notes_dropped.clone(),
        );
        registry.register(
            "evidence_waiting",
            "Evidence not yet in the log",
            metrics.evidence_waiting.clone(),
        );
        registry.register(
            "certificate_days",
            "Days until the first certificate expires",
            metrics.certificate_days.clone(),
        );
        Self { registry, ..metrics }
    }
}

impl Metrics {
    /// Counts one exchange; `refused` is the code of a refusal.
    pub fn exchange(
        &self,
        side: Side,
        transaction: Transaction,
        peer: Country,
        refused: Option<Code>,
        seconds: f64,
    ) {
        let side = Label(if side == Side::A { "A" } else { "B" });
        let transaction = Label(transaction.iti());
        let outcome = Label(refused.map_or("answered", Code::wire));
        self.exchanges
            .get_or_create(&ExchangeLabels { side, transaction, peer: CountryLabel(peer), outcome })
            .inc();
        self.duration.get_or_create(&SideLabels { side, transaction }).observe(seconds);
    }

    /// Counts evidence that became half.
    pub fn half(&self, side: Side, transaction: Transaction, peer: Country) {
        let side = Label(if side == Side::A { "A" } else { "B" });
        let (transaction, peer) = (Label(transaction.iti()), CountryLabel(peer));
        self.halves.get_or_create(&HalfLabels { side, transaction, peer }).inc();
    }

    /// The OpenMetrics text of `/metrics`.
    pub fn text(&self) -> String {
        let mut out = String::new();
        if encode(&mut out, &self.registry).is_err() {
            let _ = writeln!(out, "# metrics could not be encoded");
        }
        out
    }
}

/// Seconds, from a cached refusal to a country that does not answer.
const BUCKETS: [f64; 12] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];
