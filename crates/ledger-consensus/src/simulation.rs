//! Validators in one deterministic simulation: its clock, its network and its disk are invented, and
//! the same seed gives the same run.

mod agreement;
mod byzantine;
mod epochs;
mod europe;
mod faults;
mod node;
mod world;

use std::time::Duration;

use commonware_p2p::simulated::Link;
use commonware_runtime::Runner as _;
use commonware_runtime::deterministic::{self, Context, Runner};
use commonware_utils::probability;

pub(crate) use node::{Heard, Node, member};
pub(crate) use world::World;

/// Between neighbours in Europe.
pub(crate) fn link(milliseconds: u64) -> Link {
    Link {
        latency: Duration::from_millis(milliseconds),
        jitter: Duration::from_millis(milliseconds / 10),
        success_rate: probability!(1.0),
    }
}

/// Runs a story; gives the runtime's trace, which is the same for the same seed.
pub(crate) fn tell<F, Fut>(seed: u64, story: F) -> String
where
    F: FnOnce(Context) -> Fut,
    Fut: Future<Output = ()>,
{
    let config = deterministic::Config::new().with_seed(seed).with_timeout(Some(HOUR));
    Runner::new(config).start(|context| async move {
        let auditor = context.auditor();
        story(context).await;
        auditor.state()
    })
}

/// Four members.
pub(crate) const ALL: &[usize] = &[0, 1, 2, 3];
const HOUR: Duration = Duration::from_secs(3600);
