//! Moments of a request or a login at which a test kills the process, or holds it still.
//!
//! What was acknowledged must survive `kill -9` at any of them; `konfido/tests/kill` walks through
//! its tables, so that a new row is a new test. Only builds with debug assertions know the
//! table and read the environment: in a release build [`point`] is empty, and `.ci/run` looks for
//! the names in the binary.

/// Passes a moment. In a debug build the process may end here.
#[cfg(not(debug_assertions))]
#[inline]
pub fn point(_moment: &'static str) {}

#[cfg(debug_assertions)]
pub use armed::{CRASH_AT, ERASE_POINTS, HOLD_AT, LOGIN_POINTS, POINTS, STORE_POINTS, point};

#[cfg(debug_assertions)]
mod armed {
    use std::process::Command;
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU32, Ordering};

    use exchange::Side;

    /// Kills the process (SIGKILL: no destructor, no flush) at `moment`, or at the n-th passage of
    /// `moment:n`.
    pub const CRASH_AT: &str = "KONFIDO_CRASH_AT";

    /// Stops the process (SIGSTOP) in the same way, so that its peer can be killed meanwhile; it
    /// goes on after SIGCONT.
    pub const HOLD_AT: &str = "KONFIDO_HOLD_AT";

    /// All moments, each with the sides of an exchange that pass it.
    pub static POINTS: &[(&str, &[Side])] = &[
        ("outbound/received", &[Side::B]),
        ("outbound/recognised", &[Side::B]),
        ("outbound/recorded", &[Side::B]),
        ("outbound/answered", &[Side::B]),
        ("outbound/settled", &[Side::B]),
        ("outbound/delivered", &[Side::B]),
        ("inbound/received", &[Side::A]),
        ("inbound/recorded", &[Side::A]),
        ("inbound/fulfilled", &[Side::A]),
        ("inbound/settled", &[Side::A]),
        ("inbound/replied", &[Side::A]),
        ("receipts/unsent", &[Side::B]),
        ("receipts/unmarked", &[Side::B]),
        ("receipts/verified", &[Side::A]),
        ("receipts/taken", &[Side::A]),
        ("log/sequenced", &[Side::A, Side::B]),
        ("log/tiles", &[Side::A, Side::B]),
        ("log/checkpoint", &[Side::A, Side::B]),
    ];

    /// Moments of a login, in their order.
    pub static LOGIN_POINTS: &[&str] = &[
        "login/asked",
        "login/answered",
        "login/shown",
        "login/coded",
        "login/taken",
        "login/redeemed",
    ];

    /// Moments of the shared ledger's store; `store/tests/kills.rs` walks through them.
    pub static STORE_POINTS: &[&str] = &[
        "store/logged",
        "store/tiles",
        "store/rotated",
        "store/settled",
        "store/run",
        "store/merged",
        "store/manifest",
        "store/partial",
    ];

    /// Moments of an erasure, in their order, each with whether the keys are gone by then.
    pub static ERASE_POINTS: &[(&str, bool)] = &[
        ("erase/deleting", false),
        ("erase/deleted", true),
        ("erase/overwriting", true),
        ("erase/slice", true),
        ("erase/swept", true),
        ("erase/noted", true),
        ("erase/renamed", true),
        ("erase/forgotten", true),
        ("erase/emptied", true),
        ("erase/done", true),
    ];

    /// Passes a moment of one of the tables.
    ///
    /// # Panics
    /// When the moment is not in the table: then no test would kill there.
    pub fn point(moment: &'static str) {
        static ARMED: OnceLock<Vec<Armed>> = OnceLock::new();
        let known = POINTS.iter().map(|(known, _)| known).chain(LOGIN_POINTS).chain(STORE_POINTS);
        let known = known.chain(ERASE_POINTS.iter().map(|(known, _)| known));
        assert!(known.into_iter().any(|known| *known == moment), "{moment} is not in the table");
        for armed in ARMED.get_or_init(Armed::read) {
            armed.pass(moment);
        }
    }

    struct Armed {
        moment: String,
        left: AtomicU32,
        signal: &'static str,
    }

    impl Armed {
        fn read() -> Vec<Self> {
            [(CRASH_AT, "KILL"), (HOLD_AT, "STOP")]
                .into_iter()
                .filter_map(|(variable, signal)| {
                    std::env::var(variable).ok().map(|told| Self::parse(&told, signal))
                })
                .collect()
        }

        fn parse(told: &str, signal: &'static str) -> Self {
            let (moment, passage) = told.split_once(':').unwrap_or((told, "1"));
            let passage = passage.parse().expect("because only a test sets the variable");
            Self { moment: moment.to_owned(), left: AtomicU32::new(passage), signal }
        }

        fn pass(&self, moment: &str) {
            let last = self.moment == moment && self.left.fetch_sub(1, Ordering::SeqCst) == 1;
            if last {
                // std cannot signal; the shell has `kill` everywhere, and this thread waits for it
                let pid = std::process::id().to_string();
                let sent = Command::new("sh").args(["-c", KILL, self.signal, &pid]).status();
                assert!(sent.is_ok_and(|status| status.success()), "the signal was not sent");
                assert_eq!(self.signal, "STOP", "the process outlived SIGKILL");
            }
        }
    }

    const KILL: &str = "kill -s \"$0\" \"$1\"";

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_moment_may_be_told_with_its_passage() {
            for (told, moment, passage) in
                [("log/tiles", "log/tiles", 1), ("log/tiles:3", "log/tiles", 3)]
            {
                let armed = Armed::parse(told, "KILL");
                assert_eq!((armed.moment.as_str(), armed.left.into_inner()), (moment, passage));
            }
        }

        #[test]
        #[should_panic(expected = "not in the table")]
        fn a_moment_that_no_test_would_know_is_refused() {
            point("log/nowhere");
        }
    }
}
