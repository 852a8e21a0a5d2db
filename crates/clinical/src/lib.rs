//! CDA documents as bytes plus read-only views.
