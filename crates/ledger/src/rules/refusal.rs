//! Why something may not stand in the ledger.

use crate::entry::Kind;
use crate::member::MemberError;
use crate::rules::{FactsError, State};

/// Why an entry may not stand where it would. The fault of who put it there, or of a race.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Reason {
    /// The table has no such row.
    #[error("{kind:?} does not follow {state:?}")]
    Transition {
        /// What is recorded of the exchange.
        state: Option<State>,
        /// What was to follow.
        kind: Kind,
    },
    /// Its deadline lies too near or too far, or has passed.
    #[error("deadline is out of bounds or has passed")]
    Deadline,
    /// It speaks of other countries than what is recorded of the exchange.
    #[error("exchange is between other countries")]
    Parties,
    /// This side has said so already.
    #[error("this side has posted its half before")]
    Side,
    /// It is about another offer.
    #[error("it is about another offer")]
    Offer,
    /// Signed by a key that is nobody's, not valid at this height, or not for this.
    #[error("signed by a key that does not count here")]
    Signer,
    /// A signature is wrong.
    #[error("signature is wrong")]
    Signature,
    /// Fewer voting members than a quorum have signed.
    #[error("signed by fewer than a quorum")]
    Quorum,
    /// A change of another ledger's registry.
    #[error("it governs another ledger")]
    Ledger,
    /// A change of this number was made: it was signed before that, or is played again.
    #[error("the registry's change of this number is made already")]
    Sequence,
    /// Changes before it are not made yet.
    #[error("it is not the registry's next change")]
    Early,
    /// The change cannot be made.
    #[error("change of the registry: {0}")]
    Member(#[from] MemberError),
}

/// Why a block is refused, or could not be judged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// An entry breaks a rule.
    #[error("entry {position}: {reason}")]
    Entry {
        /// Which entry of the block.
        position: usize,
        /// Which rule.
        reason: Reason,
    },
    /// No verdict.
    #[error(transparent)]
    Facts(#[from] FactsError),
}

/// Why one entry does not go on a draft.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Rejected {
    /// It breaks a rule.
    #[error(transparent)]
    Rule(#[from] Reason),
    /// No verdict.
    #[error(transparent)]
    Facts(#[from] FactsError),
}

impl Rejected {
    /// Whether it may be valid later: what was only too early, or waits for another entry.
    pub fn may_pass_later(&self) -> bool {
        use Kind::{Close, Default, Key, Open, Receipt};
        match self {
            Self::Facts(_) => true,
            Self::Rule(Reason::Transition { state: None, kind }) => {
                matches!(kind, Close | Open | Receipt | Key | Default)
            }
            Self::Rule(Reason::Early | Reason::Signer) => true,
            Self::Rule(_) => false,
        }
    }
}
