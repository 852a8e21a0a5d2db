//! Counters and histograms of a node. Label sets are types, so no personal data can become a label.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicI64, AtomicU64};
use std::sync::{Mutex, PoisonError};

use exchange::{Country, Side, Transaction};
use jiff::Timestamp;
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
    /// Documents that our vault handed out to be sent in plain IHE.
    pub handed_out: Counter,
    /// Events that did not reach the store.
    pub notes_dropped: Counter,
    evidence_waiting: Family<ForLabels, Gauge<i64, AtomicI64>>,
    /// Our own audit records that the repository did not take yet.
    pub audit_waiting: Gauge<i64, AtomicI64>,
    /// How often the vault process was started.
    pub vault_starts: Gauge<i64, AtomicI64>,
    /// Leaves under the checkpoint of our log.
    pub log_size: Gauge<i64, AtomicI64>,
    /// Records of our log that the shared ledger does not have yet.
    pub unshared: Gauge<i64, AtomicI64>,
    certificate_days: Family<RoleLabels, Gauge<f64, AtomicU64>>,
    /// When our certificates end, by role.
    ends: Mutex<Vec<(Label, Timestamp)>>,
}

/// What evidence may wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitsFor {
    /// The answer or the receipt of the other country.
    OtherHalf,
    /// Its place under the log's checkpoint.
    Log,
}

impl WaitsFor {
    fn label(self) -> ForLabels {
        let name = if self == Self::OtherHalf { "other-half" } else { "log" };
        ForLabels { waits_for: Label(name) }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ForLabels {
    waits_for: Label,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RoleLabels {
    role: Label,
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
            handed_out: Counter::default(),
            notes_dropped: Counter::default(),
            evidence_waiting: Family::default(),
            audit_waiting: Gauge::default(),
            vault_starts: Gauge::default(),
            log_size: Gauge::default(),
            unshared: Gauge::default(),
            certificate_days: Family::default(),
            ends: Mutex::default(),
            registry: Registry::default(),
        };
        metrics.register(&mut registry);
        Self { registry, ..metrics }
    }
}

impl Metrics {
    fn register(&self, registry: &mut Registry) {
        registry.register("exchanges", "Exchanges by outcome", self.exchanges.clone());
        registry.register(
            "documents_handed_out",
            "Documents that the vault gave in the clear, for plain IHE",
            self.handed_out.clone(),
        );
        registry.register("exchange_seconds", "Time of an exchange", self.duration.clone());
        registry.register(
            "evidence_half",
            "Evidence whose other half did not come by the deadline",
            self.halves.clone(),
        );
        registry.register(
            "evidence_half_closed",
            "Halves that were completed later",
            self.halves_closed.clone(),
        );
        registry.register(
            "receipts_refused",
            "Receipts of ours that their country refused",
            self.receipts_refused.clone(),
        );
        registry.register(
            "notes_dropped",
            "Events lost to a full queue or a failing disk",
            self.notes_dropped.clone(),
        );
        self.register_gauges(registry);
    }

    fn register_gauges(&self, registry: &mut Registry) {
        registry.register(
            "evidence_waiting",
            "Evidence that waits for the other country's half, or for the log's checkpoint; \
             counted every 5 s, up to 100000 of each",
            self.evidence_waiting.clone(),
        );
        registry.register(
            "audit_waiting",
            "Audit records of ours that the repository did not take yet; counted every 5 s",
            self.audit_waiting.clone(),
        );
        registry.register(
            "vault_starts",
            "How often the vault process was started: 1 when it never died",
            self.vault_starts.clone(),
        );
        registry.register("log_size", "Leaves under the log's checkpoint", self.log_size.clone());
        let help = "Records that the shared ledger does not have yet";
        registry.register("unshared", help, self.unshared.clone());
        registry.register(
            "certificate_days",
            "Days until our certificate, or one above it in its file, ends; below 0 when it has",
            self.certificate_days.clone(),
        );
    }

    /// Counts one exchange; its outcome is `answered`, `abandoned` or the code of a refusal.
    pub fn exchange(
        &self,
        side: Side,
        transaction: Transaction,
        peer: Country,
        outcome: &'static str,
        seconds: f64,
    ) {
        let side = Label(if side == Side::A { "A" } else { "B" });
        let transaction = Label(transaction.iti());
        let outcome = Label(outcome);
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

    /// How much evidence waits for something.
    pub fn waits(&self, what: WaitsFor, count: u64) {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        self.evidence_waiting.get_or_create(&what.label()).set(count);
    }

    /// How much evidence waited when it was counted last.
    pub fn waiting(&self, what: WaitsFor) -> i64 {
        self.evidence_waiting.get_or_create(&what.label()).get()
    }

    /// Learns when our certificate for a role ends; again after a reload.
    pub fn certificate(&self, role: &'static str, ends: Timestamp) {
        let mut all = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|row| row.0 != Label(role));
        all.push((Label(role), ends));
    }

    /// Counts the days until our certificates end.
    pub fn days(&self, now: Timestamp) {
        for (role, ends) in self.ends.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            let days = ends.duration_since(now).as_secs_f64() / DAY;
            self.certificate_days.get_or_create(&RoleLabels { role: *role }).set(days);
        }
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

/// Seconds of a day.
const DAY: f64 = 86_400.0;
/// Seconds, from a cached refusal to a country that does not answer.
const BUCKETS: [f64; 12] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];
