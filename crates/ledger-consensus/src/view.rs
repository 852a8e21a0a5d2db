//! Where the engine stands: the view, who leads it and the next one, and who was heard lately.

use std::collections::HashMap;
use std::fmt;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use commonware_actor::Feedback;
use commonware_consensus::Reporter;
use commonware_consensus::simplex::elector::{
    Config as _, Elector as _, RoundRobin, RoundRobinElector,
};
use commonware_consensus::simplex::scheme::ed25519::Scheme;
use commonware_consensus::simplex::types::Activity;
use commonware_consensus::types::{Epoch, Round, View};
use commonware_cryptography::certificate::Scheme as _;
use commonware_cryptography::ed25519::PublicKey;
use commonware_cryptography::sha256::Digest;
use commonware_p2p::{Message, Receiver};
use commonware_runtime::Clock;

/// Shared by all tasks of one validator.
#[derive(Clone, Default)]
pub(crate) struct Standing {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    round: Round,
    leaders: Option<(RoundRobinElector<Scheme>, Arc<Scheme>)>,
    heard: HashMap<[u8; 32], SystemTime>,
}

impl Standing {
    /// An epoch begins.
    pub(crate) fn begin(&self, epoch: u64, scheme: &Arc<Scheme>) {
        let elector =
            RoundRobin::<commonware_cryptography::Sha256>::default().build(scheme.participants());
        let mut state = self.state();
        state.round = Round::new(Epoch::new(epoch), View::zero());
        state.leaders = Some((elector, Arc::clone(scheme)));
    }

    /// The next two leaders from the view that runs on, of those that were heard lately or are `own`: who
    /// is gone is passed over, and an entry sent to it would wait to be sent again.
    pub(crate) fn leaders(&self, own: &PublicKey, now: SystemTime) -> Vec<PublicKey> {
        let state = self.state();
        let Some((elector, scheme)) = &state.leaders else { return Vec::new() };
        let late = |at: &SystemTime| now.duration_since(*at).is_ok_and(|ago| ago > QUIET);
        let here = |key: &PublicKey| {
            key == own || state.heard.get(&bytes(key)).is_some_and(|at| !late(at))
        };
        let mut out = Vec::with_capacity(2);
        for ahead in 1..=scheme.participants().len() as u64 {
            let round =
                Round::new(state.round.epoch(), View::new(state.round.view().get() + ahead));
            let leader = elector.elect(round, ());
            if let Some(key) = scheme.participants().get(leader.get() as usize)
                && here(key)
                && !out.contains(key)
            {
                out.push(key.clone());
            }
            if out.len() == 2 {
                break;
            }
        }
        out
    }

    /// Whether this key has a vote, and so leads when its turn comes.
    pub(crate) fn votes(&self, key: &PublicKey) -> bool {
        let state = self.state();
        state
            .leaders
            .as_ref()
            .is_some_and(|(_, scheme)| scheme.participants().position(key).is_some())
    }

    /// The view that was certified last: epoch and view.
    pub(crate) fn round(&self) -> (u64, u64) {
        let round = self.state().round;
        (round.epoch().get(), round.view().get())
    }

    /// Members that said anything within that time before now.
    pub(crate) fn heard_since(&self, now: SystemTime, within: Duration) -> Vec<[u8; 32]> {
        let late = |at: &SystemTime| now.duration_since(*at).is_ok_and(|ago| ago > within);
        let state = self.state();
        state.heard.iter().filter(|(_, at)| !late(at)).map(|(key, _)| *key).collect()
    }

    fn hear(&self, peer: &PublicKey, now: SystemTime) {
        self.state().heard.insert(bytes(peer), now);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reporter for Standing {
    type Activity = Activity<Scheme, Digest>;

    fn report(&mut self, activity: Self::Activity) -> Feedback {
        let round = match &activity {
            Activity::Notarization(certificate) => certificate.round(),
            Activity::Nullification(certificate) => certificate.round(),
            Activity::Finalization(certificate) => certificate.round(),
            Activity::ConflictingNotarize(_)
            | Activity::ConflictingFinalize(_)
            | Activity::NullifyFinalize(_) => {
                tracing::error!("a member signed two votes that contradict each other");
                return Feedback::Ok;
            }
            _ => return Feedback::Ok,
        };
        let mut state = self.state();
        state.round = state.round.max(round);
        Feedback::Ok
    }
}

/// A key's bytes.
pub(crate) fn bytes(key: &PublicKey) -> [u8; 32] {
    key.as_ref().try_into().expect("because an Ed25519 key has 32 bytes")
}

/// A receiver that notes who was heard.
pub(crate) struct Listened<R, C> {
    pub(crate) inner: R,
    pub(crate) clock: C,
    pub(crate) standing: Standing,
}

impl<R: fmt::Debug, C> fmt::Debug for Listened<R, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl<R: Receiver<PublicKey = PublicKey>, C: Clock> Receiver for Listened<R, C> {
    type Error = R::Error;
    type PublicKey = PublicKey;

    async fn recv(&mut self) -> Result<Message<PublicKey>, R::Error> {
        let message = self.inner.recv().await?;
        self.standing.hear(&message.0, self.clock.current());
        Ok(message)
    }

    fn capacity(&self) -> NonZeroUsize {
        self.inner.capacity()
    }
}

/// Who votes is heard in each view.
const QUIET: Duration = Duration::from_secs(3);
