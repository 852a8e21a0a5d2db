//! The one table of what may follow what.

use crate::entry::{Body, Kind};
use crate::rules::Reason;
use crate::rules::tx::{State, Tx};

/// When a row applies, measured by the deadline that is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Always.
    Any,
    /// Up to the deadline.
    InTime,
    /// After it.
    Late,
    /// A half of an exchange whose requester has KONFIDO.
    Bilateral,
    /// A half of one whose requester has none.
    OneSided,
}

/// From a state, by an entry, to a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// What is recorded of the exchange; none when nothing is.
    pub from: Option<State>,
    /// What follows.
    pub kind: Kind,
    /// When.
    pub when: When,
    /// What is recorded afterwards.
    pub to: State,
}

/// All that may happen to an exchange. What has no row is refused.
///
/// A deadline counts by height alone, whether or not a proposer has recorded that it passed: so
/// nobody's verdict depends on who was the leader.
pub const TABLE: &[Row] = {
    use State as S;
    use When::{Any, Bilateral, InTime, Late, OneSided};
    &[
        row(None, Kind::Whole, Any, S::Whole),
        row(None, Kind::Half, Bilateral, S::Half),
        row(None, Kind::Half, OneSided, S::Alone),
        row(Some(S::Half), Kind::Half, Bilateral, S::Half),
        row(Some(S::Half), Kind::Close, InTime, S::Closed),
        row(Some(S::Half), Kind::Close, Late, S::ClosedLate),
        row(Some(S::Half), Kind::Open, Late, S::Open),
        row(Some(S::Open), Kind::Half, Bilateral, S::Open),
        row(Some(S::Open), Kind::Close, Any, S::ClosedLate),
        // strict mode
        row(None, Kind::Offer, Any, S::Offered),
        row(Some(S::Offered), Kind::Receipt, InTime, S::Receipted),
        row(Some(S::Offered), Kind::Default, Late, S::Lapsed),
        row(Some(S::Receipted), Kind::Key, InTime, S::Released),
        row(Some(S::Receipted), Kind::Key, Late, S::ReleasedLate),
        row(Some(S::Receipted), Kind::Default, Late, S::Defaulted),
        row(Some(S::Defaulted), Kind::Key, Any, S::ReleasedLate),
    ]
};

const fn row(from: Option<State>, kind: Kind, when: When, to: State) -> Row {
    Row { from, kind, when, to }
}

/// The row for this entry at this height.
pub(super) fn row_of(tx: Option<&Tx>, body: &Body, height: u64) -> Result<&'static Row, Reason> {
    let (state, kind) = (tx.map(Tx::state), body.kind());
    let late = tx.is_some_and(|tx| tx.deadline() < height);
    let bilateral = matches!(body, Body::Half(half) if half.record().is_bilateral());
    let mut known = TABLE.iter().filter(|row| (row.from, row.kind) == (state, kind)).peekable();
    if known.peek().is_none() {
        return Err(Reason::Transition { state, kind });
    }
    let mut fits = known.filter(|row| match row.when {
        When::Any => true,
        When::InTime => !late,
        When::Late => late,
        When::Bilateral => bilateral,
        When::OneSided => !bilateral,
    });
    fits.next().ok_or(Reason::Deadline)
}
