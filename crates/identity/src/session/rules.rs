//! What a session must be for each action, one row each.

use jiff::{SignedDuration, Timestamp};

use super::{SignedIn, Subject};
use crate::Assurance;

/// What is done with a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Looking who is signed in.
    Look,
    /// Issuing an HCP assertion.
    Assert,
    /// Asking another country for this patient.
    Identify,
}

/// How long things live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lives {
    /// A login may take this long.
    pub login: SignedDuration,
    /// A portal redeems a code within this.
    pub code: SignedDuration,
    /// A session that nobody uses.
    pub idle: SignedDuration,
    /// Any session, since the person was there.
    pub absolute: SignedDuration,
    /// Since a professional was there, for a new assertion.
    pub fresh: SignedDuration,
}

impl Default for Lives {
    fn default() -> Self {
        Self {
            login: SignedDuration::from_mins(10),
            code: SignedDuration::from_secs(60),
            idle: SignedDuration::from_mins(15),
            absolute: SignedDuration::from_hours(8),
            fresh: SignedDuration::from_hours(4),
        }
    }
}

/// Why a session does not do; the text is the row's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SessionRefused(pub &'static str);

/// Who uses the session, for what, when.
pub(super) struct Use<'a> {
    action: Action,
    application: &'a str,
    now: Timestamp,
    lives: &'a Lives,
}

/// One row.
pub struct Rule {
    /// Its name, and the code of its refusal.
    pub name: &'static str,
    check: fn(&SignedIn, &Use<'_>) -> bool,
}

const fn row(name: &'static str, check: fn(&SignedIn, &Use<'_>) -> bool) -> Rule {
    Rule { name, check }
}

/// The table. The first row that does not hold refuses.
pub static RULES: [Rule; 6] = [
    row("session.application", |session, used| {
        !session.application.is_empty() && session.application == used.application
    }),
    row("session.idle", |session, used| used.now.duration_since(session.used) < used.lives.idle),
    row("session.absolute", |session, used| {
        used.now.duration_since(session.authenticated) < used.lives.absolute
    }),
    row("session.subject", |session, used| match used.action {
        Action::Look => true,
        Action::Assert => session.subject == Subject::Professional,
        Action::Identify => session.subject == Subject::Patient,
    }),
    row("session.level", |session, used| match used.action {
        Action::Look => true,
        // two factors (eHDSI: strong authentication of professionals)
        Action::Assert => session.assurance >= Assurance::Substantial,
        Action::Identify => session.assurance >= Assurance::Low,
    }),
    row("session.fresh", |session, used| match used.action {
        Action::Look | Action::Identify => true,
        Action::Assert => used.now.duration_since(session.authenticated) < used.lives.fresh,
    }),
];

impl SignedIn {
    /// Whether an application may do this with the session now.
    pub fn may(
        &self,
        action: Action,
        application: &str,
        now: Timestamp,
        lives: &Lives,
    ) -> Result<(), SessionRefused> {
        let used = Use { action, application, now, lives };
        match RULES.iter().find(|rule| !(rule.check)(self, &used)) {
            Some(rule) => Err(SessionRefused(rule.name)),
            None => Ok(()),
        }
    }

    /// Until when the store keeps it.
    pub fn until(&self, lives: &Lives) -> Timestamp {
        (self.used + lives.idle).min(self.authenticated + lives.absolute)
    }
}
