//! OpenNCP's audit records over syslog-TLS: each becomes one typed event. The record itself is
//! personal and is not kept here; OpenNCP's own repository keeps it.

use std::sync::Arc;

use bytes::BytesMut;
use exchange::{Code, CorrelationId, Transaction};
use ihe::atna::Record;
use ihe::syslog::next_frame;
use siem::{Event, Kind};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio_util::sync::CancellationToken;
use transport::Peer;
use trust::signature::verify_key_value_signature;
use trust::xml::{Limits, Xml};

use crate::node::Node;

/// Reads records until the sender leaves, sends what is not syslog, or the node stops.
pub async fn receive<S>(node: Arc<Node>, mut stream: S, peer: Option<Peer>, stop: CancellationToken)
where
    S: AsyncRead + Unpin,
{
    // only our own country's OpenNCP audits here
    let country = peer.and_then(|peer| peer.country());
    if country != Some(node.country) {
        node.turned_away(Kind::ConnectionRefused, None, country, 1);
        return;
    }
    let mut buffer = BytesMut::with_capacity(16 << 10);
    loop {
        match next_frame(&mut buffer) {
            Ok(Some(frame)) => {
                node.notes.note(event(&node, &frame.body));
                continue;
            }
            Ok(None) => {}
            Err(error) => {
                tracing::warn!(%error, "audit connection closed");
                node.turned_away(Kind::AuditUnreadable, None, country, 0);
                return;
            }
        }
        match stop.run_until_cancelled(stream.read_buf(&mut buffer)).await {
            Some(Ok(count)) if count > 0 => {}
            _ if buffer.is_empty() => return,
            // a record that broke off is lost: say so
            _ => {
                node.turned_away(Kind::AuditUnreadable, None, country, 0);
                return;
            }
        }
    }
}

/// The one event of one record.
fn event(node: &Node, body: &[u8]) -> Event {
    let now = node.clock.now();
    let unreadable = || {
        let correlation = CorrelationId::random(node.entropy.as_ref()).to_string();
        Event { correlation, ..Event::new(now, Kind::AuditUnreadable) }
    };
    let Ok(xml) = Xml::parse_bytes(body.trim_ascii(), &Limits::ASSERTION) else {
        return unreadable();
    };
    let Ok(record) = Record::parse(xml.root()) else { return unreadable() };
    // a signature names no signer, but it shows whether the record is as it was written
    let tampered = record.signed && verify_key_value_signature(xml.root()).is_err();
    let kind = if tampered { Kind::AuditTampered } else { Kind::AuditReceived };
    let by_role = |code: &str| record.participants.iter().find(|p| p.role.code == code);
    let pseudonym = |domain, value: &str| Some(node.pseudonyms.of(domain, value));
    Event {
        transaction: Transaction::of_iti(&record.event_type.code),
        code: (record.outcome != 0).then_some(Code::ErrorGeneric),
        patient: record.patient().and_then(|id| pseudonym("patient", id)),
        professional: by_role("110153").and_then(|p| pseudonym("professional", &p.user)),
        point_of_care: by_role("110152").and_then(|p| pseudonym("point of care", &p.user)),
        number: u64::from(record.outcome),
        ..Event::new(record.time.parse().unwrap_or(now), kind)
    }
}
