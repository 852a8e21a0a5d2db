//! The clients: ITI-39 after ITI-39, each in a new envelope with a clinician's assertions.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use exchange::Transaction;
use ihe::xca::RetrieveRequest;
use testbed::assertions::Visit;
use testbed::portal::{Portal, PortalError, envelope};
use tokio::sync::Semaphore;
use tokio::sync::mpsc::unbounded_channel;

use super::stand::Stand;

/// Clients and what they ask for.
#[derive(Clone)]
pub struct Load {
    clients: usize,
    visits: Arc<Vec<Visit>>,
    repository: &'static str,
    id: Arc<str>,
}

/// What came of one part.
#[derive(Default)]
pub struct Part {
    /// Answered exchanges.
    pub done: u64,
    /// Others.
    pub failed: u64,
    /// Of them the first, for people.
    pub first_failure: Option<String>,
    seconds: f64,
    micros: Vec<u64>,
}

impl Part {
    /// Answered exchanges a second.
    pub fn per_second(&self) -> f64 {
        self.done as f64 / self.seconds
    }

    /// A quantile of the latencies, in milliseconds.
    pub fn quantile(&self, q: f64) -> f64 {
        let at = ((self.micros.len() as f64 - 1.0) * q).max(0.0) as usize;
        self.micros.get(at).copied().unwrap_or(0) as f64 / 1000.0
    }

    fn add(&mut self, latency: Duration, result: Result<(), PortalError>) {
        match result {
            Ok(()) => {
                self.done += 1;
                self.micros.push(u64::try_from(latency.as_micros()).unwrap_or(u64::MAX));
            }
            Err(error) => {
                self.failed += 1;
                self.first_failure.get_or_insert_with(|| error.to_string());
            }
        }
    }

    fn merge(&mut self, other: Self) {
        self.done += other.done;
        self.failed += other.failed;
        self.first_failure = self.first_failure.take().or(other.first_failure);
        self.micros.extend(other.micros);
    }

    fn end(mut self, started: Instant) -> Self {
        self.seconds = started.elapsed().as_secs_f64();
        self.micros.sort_unstable();
        self
    }
}

impl Load {
    /// `clients` clients of a stand.
    pub fn new(stand: &Stand, clients: usize) -> Self {
        let visits = Arc::new((0..clients.clamp(1, VISITS)).map(|_| stand.visit()).collect());
        Self { clients, visits, repository: stand.repository, id: stand.document.as_str().into() }
    }

    /// Every client asks again as soon as it was answered, for `time`.
    pub async fn closed(&self, portal: &Portal, time: Duration) -> Part {
        let started = Instant::now();
        self.until(portal, move || started.elapsed() < time).await
    }

    /// As [`Load::closed`], until so many were asked for; `asked` counts them.
    pub async fn counted(&self, portal: &Portal, count: u64, asked: Arc<AtomicU64>) -> Part {
        self.until(portal, move || asked.fetch_add(1, Ordering::Relaxed) < count).await
    }

    async fn until(
        &self,
        portal: &Portal,
        goes_on: impl Fn() -> bool + Clone + Send + 'static,
    ) -> Part {
        let started = Instant::now();
        let mut clients = tokio::task::JoinSet::new();
        for number in 0..self.clients {
            let (load, portal, goes_on) = (self.clone(), portal.clone(), goes_on.clone());
            clients.spawn(async move {
                let mut part = Part::default();
                while goes_on() {
                    let begun = Instant::now();
                    let result = load.one(&portal, number).await;
                    if result.is_err() {
                        tokio::time::sleep(AFTER_FAILURE).await;
                    }
                    part.add(begun.elapsed(), result);
                }
                part
            });
        }
        let mut all = Part::default();
        while let Some(Ok(part)) = clients.join_next().await {
            all.merge(part);
        }
        all.end(started)
    }

    /// Open loop: `rate` a second at even distances, whatever came of those before. A latency
    /// counts from the moment that the plan names, so that a stall is seen by all that it delays.
    pub async fn paced(&self, portal: &Portal, rate: u64, time: Duration) -> Part {
        let (results, mut arrived) = unbounded_channel();
        let (load, portal, runtime) =
            (self.clone(), portal.clone(), tokio::runtime::Handle::current());
        let slots = Arc::new(Semaphore::new(IN_FLIGHT));
        let started = Instant::now();
        let gap = Duration::from_secs(1).div_f64(rate.max(1) as f64);
        // a thread of its own: the runtime's timer knows milliseconds only
        let pacer = std::thread::spawn(move || {
            for number in 0.. {
                let planned = started + gap.mul_f64(f64::from(number));
                if planned.duration_since(started) >= time {
                    return;
                }
                std::thread::sleep(planned.saturating_duration_since(Instant::now()));
                let (load, portal, results) = (load.clone(), portal.clone(), results.clone());
                let slot = Arc::clone(&slots).try_acquire_owned();
                runtime.spawn(async move {
                    let result = match slot {
                        Ok(_slot) => load.one(&portal, number as usize).await,
                        Err(_) => Err(refused("too many exchanges in flight")),
                    };
                    let _ = results.send((planned.elapsed(), result));
                });
            }
        });
        let mut part = Part::default();
        while let Some((latency, result)) = arrived.recv().await {
            part.add(latency, result);
        }
        let _ = pacer.join();
        part.end(started)
    }

    async fn one(&self, portal: &Portal, number: usize) -> Result<(), PortalError> {
        let documents = vec![(self.repository.to_owned(), self.id.to_string())];
        let body = RetrieveRequest { documents, community: Some(portal.other.clone()) }.render();
        let visit = &self.visits[number % self.visits.len()];
        let message = envelope(Transaction::Retrieve, visit, &body, Vec::new());
        let answer = portal.send(Transaction::Retrieve, &message).await?;
        if answer.parts.len() == 1 { Ok(()) } else { Err(refused("answer without document")) }
    }
}

fn refused(hint: &str) -> PortalError {
    PortalError::Refused { code: "bench".into(), hint: hint.into() }
}

/// Visits at the same time: clinicians ask more than once.
const VISITS: usize = 50;
/// A client that failed does not spin.
const AFTER_FAILURE: Duration = Duration::from_millis(20);
/// Paced exchanges that wait for their answers; one more counts as failed.
const IN_FLIGHT: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_and_rates_are_those_of_the_answered() {
        let mut part = Part::default();
        for millis in 1..=100 {
            part.add(Duration::from_millis(millis), Ok(()));
        }
        part.add(Duration::from_secs(9), Err(refused("no")));
        part.micros.sort_unstable();
        part.seconds = 4.0;
        assert!((part.per_second() - 25.0).abs() < 1e-9);
        assert!((part.quantile(0.5) - 50.0).abs() < 1e-9);
        assert!((part.quantile(0.99) - 99.0).abs() < 1e-9);
        assert_eq!((part.failed, part.first_failure.is_some()), (1, true));
    }
}
