//! `[limits]`: what a connection or a request may cost.

use std::time::Duration;

use transport::server::Limits;

use super::reader::{Section, Span};

/// The limits, and where the file tells the time of a request.
pub(super) fn read(section: Section<'_, '_>) -> (Limits, Option<Span>) {
    let base = Limits::default();
    let count = |key, default: usize| {
        let default = u64::try_from(default).unwrap_or(u64::MAX);
        usize::try_from(section.or(key, default)).unwrap_or(usize::MAX)
    };
    let seconds = |key, default: Duration| Duration::from_secs(section.or(key, default.as_secs()));
    let limits = Limits {
        connections: count("connections", base.connections),
        body: count("body_bytes", base.body),
        header_bytes: count("header_bytes", base.header_bytes),
        handshake: seconds("handshake_seconds", base.handshake),
        headers: seconds("headers_seconds", base.headers),
        body_time: seconds("body_seconds", base.body_time),
        request: seconds("request_seconds", base.request),
        writes: seconds("write_seconds", base.writes),
        drain: seconds("drain_seconds", base.drain),
        ..base
    };
    let request = section.place("request_seconds");
    section.end();
    (limits, request)
}
