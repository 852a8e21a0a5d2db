//! The adapters keep the promises of their ports, also when the process is killed.

#![allow(clippy::unwrap_used, reason = "tests")]

mod audit;
mod database;
mod erasure;
mod events;
mod journal;
mod kill;
mod national;
mod register;
mod sessions;
