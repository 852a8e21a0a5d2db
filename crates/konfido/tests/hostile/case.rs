//! One row of the table: what is sent where, and what must come of it.

use siem::Kind;

use crate::circle::Place;
use crate::stage::Stage;
use crate::wire::Shot;

/// The right answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Want {
    /// A refusal in the words of an IHE transaction, HTTP 200, with this eHDSI code.
    Refusal(&'static str),
    /// A SOAP fault with this HTTP status and eHDSI code.
    Fault(u16, &'static str),
    /// RFC 9457: HTTP status and stable code.
    Problem(u16, &'static str),
    /// A bare HTTP status: the sender does not speak HTTP well enough for more, or 204.
    Status(u16),
    /// The connection ends.
    End,
}

/// One row.
pub struct Case {
    pub name: String,
    pub at: Place,
    pub want: Want,
    pub kind: Kind,
    /// Another kind that is as right, where it is chance how far the message came.
    pub or: Kind,
    /// How many events it leaves; the newest is of this kind.
    pub events: usize,
    pub make: Box<dyn Fn(&Stage) -> Made>,
}

/// The attack, and the message that goes before it if it needs one.
pub struct Made {
    pub first: Option<First>,
    pub shot: Shot,
}

/// What goes before an attack.
pub enum First {
    /// It is answered.
    Answered(Shot),
    /// It is refused, and leaves this many events.
    Refused(Shot, usize),
}

impl From<Shot> for Made {
    fn from(shot: Shot) -> Self {
        Self { first: None, shot }
    }
}

/// A row whose event is the usual one of its answer.
pub fn case<M: Into<Made>>(
    name: impl Into<String>,
    at: Place,
    want: Want,
    make: impl Fn(&Stage) -> M + 'static,
) -> Case {
    let kind = match want {
        Want::Refusal(_) | Want::Fault(..) => Kind::ExchangeRefused,
        Want::Problem(..) => Kind::MessageUnreadable,
        Want::Status(_) | Want::End => Kind::ConnectionRefused,
    };
    Case {
        name: name.into(),
        at,
        want,
        kind,
        or: kind,
        events: 1,
        make: Box::new(move |stage| make(stage).into()),
    }
}

impl Case {
    /// With another event than the usual one.
    pub fn noted_as(mut self, kind: Kind) -> Self {
        (self.kind, self.or) = (kind, kind);
        self
    }

    /// With so many events.
    pub fn leaving(self, events: usize) -> Self {
        Self { events, ..self }
    }

    /// Or with this one.
    pub fn or_as(mut self, kind: Kind) -> Self {
        self.or = kind;
        self
    }
}
