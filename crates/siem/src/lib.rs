//! Typed events and their store.
