//! A refusal: what a peer is told, and what only our own log may say.

use crate::Code;

/// Why a request is not answered.
///
/// `code` and `hint` go to the peer; `detail` goes to our log only. Neither may hold personal data.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {hint}", code = .code.wire())]
pub struct Refusal {
    /// The stable eHDSI code.
    pub code: Code,
    /// One sentence for the peer: what to do next.
    pub hint: &'static str,
    /// For the operator: which rule, which element. No values from the message.
    pub detail: String,
}

impl Refusal {
    /// Refuses with a code and a hint.
    pub fn new(code: Code, hint: &'static str) -> Self {
        Self { code, hint, detail: String::new() }
    }

    /// Adds what only the operator's log says.
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = detail.into();
        self
    }
}
