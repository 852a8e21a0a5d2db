//! How many logins may be begun: each takes a row for minutes, and nobody needs to be known to begin
//! one. Neither one address nor all together may leave no room for those who are signed in.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

/// Counts logins begun in windows of [`WINDOW`]. Holds at most [`MOST`] addresses.
#[derive(Default)]
pub struct Throttle(Mutex<Window>);

#[derive(Default)]
struct Window {
    since: Option<Timestamp>,
    begun: u32,
    of: HashMap<IpAddr, u32>,
}

/// Whether a login may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Admitted {
    Yes,
    /// The first that is refused in this window is worth an event; a flood of them is not.
    No {
        first: bool,
    },
}

impl Throttle {
    /// Counts a login from `address` unless there were too many.
    pub(super) fn admit(&self, address: IpAddr, now: Timestamp) -> Admitted {
        let mut window = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let stale = |since: Timestamp| now < since || now.duration_since(since) >= WINDOW;
        if window.since.is_none_or(stale) {
            *window = Window { since: Some(now), ..Window::default() };
        }
        if window.begun >= MOST {
            let first = window.begun == MOST;
            window.begun = MOST + 1;
            return Admitted::No { first };
        }
        let count = window.of.entry(network(address)).or_default();
        if *count >= OF_ONE {
            let first = *count == OF_ONE;
            *count = OF_ONE + 1;
            return Admitted::No { first };
        }
        *count += 1;
        window.begun += 1;
        Admitted::Yes
    }
}

/// Who has one IPv6 address has a /64 of them.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let bits = u128::from(v6) >> 64 << 64;
            IpAddr::V6(Ipv6Addr::from(bits))
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

/// As long as a login lives.
pub(super) const WINDOW: SignedDuration = SignedDuration::from_mins(10);
/// A hospital stands behind one address.
const OF_ONE: u32 = 600;
/// Two windows of logins by wallet, two rows each, still fit beside 20,000 sessions.
const MOST: u32 = 20_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    #[test]
    fn one_address_that_begins_logins_without_end_locks_out_nobody_else() {
        let throttle = Throttle::default();
        let attacker: Vec<IpAddr> =
            (0..2000).map(|n| IpAddr::from([0xfd, 0, 0, 0, 0, 0, 0, n])).collect();
        let admitted = attacker.iter().filter(|a| throttle.admit(**a, at(0)) == Admitted::Yes);
        assert_eq!(admitted.count(), OF_ONE as usize, "addresses of one /64 are one");
        assert_eq!(throttle.admit(attacker[0], at(599)), Admitted::No { first: false });
        assert_eq!(throttle.admit(IpAddr::from([192, 0, 2, 1]), at(0)), Admitted::Yes);
        assert_eq!(throttle.admit(attacker[0], at(600)), Admitted::Yes, "ten minutes later");
        assert_eq!(throttle.admit(attacker[0], at(0)), Admitted::Yes, "a clock that steps back");
    }

    #[test]
    fn a_flood_from_everywhere_leaves_room_and_bounded_memory() {
        let throttle = Throttle::default();
        let admit = |n: u32| throttle.admit(IpAddr::from(n.to_be_bytes()), at(0));
        assert_eq!((0..50_000).filter(|n| admit(*n) == Admitted::Yes).count(), MOST as usize);
        assert_eq!(throttle.0.lock().unwrap().of.len(), MOST as usize);
        let firsts = (0..10).filter(|n| admit(*n) == Admitted::No { first: true }).count();
        assert_eq!(firsts, 0, "the first refused was told of before");
    }
}
