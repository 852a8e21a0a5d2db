//! SQLite adapters of every storage port.
