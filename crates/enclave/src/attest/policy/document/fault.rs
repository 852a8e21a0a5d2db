//! What is wrong with a policy's text, where, and what to write instead.

use std::ops::Range;

/// One fault of a policy's text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}; {next}")]
pub struct PolicyFault {
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    pub next: String,
    /// Where in the text, in bytes.
    pub span: Option<Range<usize>>,
}

impl PolicyFault {
    pub(in crate::attest::policy) fn new(what: impl Into<String>, next: impl Into<String>) -> Self {
        Self { what: what.into(), next: next.into(), span: None }
    }

    pub(in crate::attest::policy) fn at(self, span: Range<usize>) -> Self {
        Self { span: Some(span), ..self }
    }

    /// There, unless a closer place is known.
    pub(super) fn or_at(self, span: &Range<usize>) -> Self {
        let span = self.span.or_else(|| Some(span.clone()));
        Self { span, ..self }
    }

    /// The number of its line, from 1.
    pub fn line(&self, text: &str) -> usize {
        let at = self.span.as_ref().map_or(0, |span| span.start.min(text.len()));
        text.get(..at).unwrap_or(text).matches('\n').count() + 1
    }
}
