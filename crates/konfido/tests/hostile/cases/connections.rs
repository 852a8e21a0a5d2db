//! Connections that never become a request.

use siem::Kind;
use testbed::pki::Role;

use crate::case::{Case, Want, case};
use crate::circle::Place;
use crate::stage::{DENMARK, HOME, ITALY, SOAP, SPAIN};
use crate::wire::{Caller, Shot, Then, post};

fn raw(name: &str, at: Place, want: Want, caller: Caller, bytes: &[u8], then: Then) -> Case {
    let bytes = bytes.to_vec();
    case(name, at, want, move |_| Shot { caller: caller.clone(), bytes: bytes.clone(), then })
}

pub fn all() -> Vec<Case> {
    let get = b"GET / HTTP/1.1\r\nHost: node\r\n\r\n";
    let long = format!("GET / HTTP/1.1\r\nHost: {}\r\n\r\n", "n".repeat(200_000));
    let smuggled =
        b"POST / HTTP/1.1\r\nHost: n\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcde";
    let (end, wait, leave) = (Want::End, Then::Wait, Then::Leave);
    vec![
        raw("no client certificate", ITALY, end, Caller::Nobody, get, wait),
        raw("no client certificate at home", HOME, end, Caller::Nobody, get, wait),
        case("a client certificate of an unknown root", ITALY, end, |stage| {
            let caller = Caller::Stranger(stage.stranger.clone());
            Shot { caller, bytes: post("/", SOAP, b""), then: Then::Wait }
        }),
        raw(
            "a server's certificate as the client's",
            DENMARK,
            end,
            Caller::Known("ES", Role::ServiceProvider),
            get,
            wait,
        ),
        raw("HTTP without TLS", ITALY, end, Caller::Plaintext, get, wait),
        raw(
            "random bytes without TLS",
            ITALY,
            end,
            Caller::Plaintext,
            &[0x16, 3, 1, 0xff, 0xff, 7],
            leave,
        ),
        raw(
            "TLS, and then not HTTP",
            ITALY,
            Want::Status(400),
            SPAIN,
            b"\x00\x01\x02\r\n\r\n",
            wait,
        ),
        raw("TLS, and then half a request line", ITALY, end, SPAIN, b"POST /op", leave),
        raw(
            "HTTP/2 without being asked",
            ITALY,
            end,
            SPAIN,
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            wait,
        ),
        case("a good request whose sender hangs up", ITALY, end, |stage| Shot {
            then: Then::Leave,
            ..stage.good(ITALY)
        })
        .noted_as(Kind::ExchangeAnswered)
        .or_as(Kind::MessageUnreadable),
        raw("200 kB of headers", ITALY, Want::Status(431), SPAIN, long.as_bytes(), wait),
        raw("two lengths for one body", ITALY, Want::Status(400), SPAIN, smuggled, wait),
    ]
}

/// Each waits for a limit of the node's.
pub fn slow() -> Vec<Case> {
    let path = exchange::Transaction::Query.service_path();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: node\r\nContent-Type: {SOAP}\r\nContent-Length: 1000\r\n\r\n"
    );
    let late = Want::Problem(408, "body-too-slow");
    vec![
        raw("a body of one byte a second", ITALY, late, SPAIN, head.as_bytes(), Then::Drip(15)),
        raw("headers of one byte a second", DENMARK, Want::End, SPAIN, b"POST /", Then::Drip(15)),
        raw(
            "a handshake that stops",
            HOME,
            Want::End,
            Caller::Plaintext,
            &[0x16, 3, 1, 2, 0],
            Then::Wait,
        ),
    ]
}
