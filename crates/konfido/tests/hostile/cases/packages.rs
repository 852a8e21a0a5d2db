//! Packages, bodies and services that are not what they should be.

use exchange::Transaction;
use ihe::mtom::Package;
use testbed::attacks::forgery::replaced;
use testbed::world::ORNELLA;

use crate::case::{Case, First, Made, Want, case};
use crate::stage::{
    DENMARK, HOME, ITALY, OPENNCP, SOAP, SPAIN, Stage, package, part, service, shot,
};
use crate::wire::{Shot, Then, post};

const MALFORMED: Want = Want::Refusal("ERROR_ED_INCORRECT_FORMATTING");
const MIME: Want = Want::Problem(400, "mime");
const UNREADABLE: Want = Want::Fault(400, "ERROR_GENERIC");

/// A dispensation whose package is broken: nothing may be dispensed.
pub fn mtom() -> Vec<Case> {
    let broken = |name: &'static str, want, breaking: fn(Package) -> Package| {
        case(name, ITALY, want, move |stage| {
            let package_of = breaking(stage.dispensation(&ORNELLA));
            package(SPAIN, service(Transaction::Submit), &package_of)
        })
    };
    let cut = |name: &'static str, keep: fn(usize) -> usize| {
        case(name, ITALY, MIME, move |stage| {
            let (mime, body) = stage.dispensation(&ORNELLA).write("");
            let bytes = post(service(Transaction::Submit), &mime, &body[..keep(body.len())]);
            Shot { caller: SPAIN, bytes, then: Then::Wait }
        })
    };
    vec![
        cut("MTOM cut within its document", |length| length - 400),
        cut("MTOM without its last boundary", |length| length - 8),
        cut("MTOM cut within its first header", |length| length.min(60)),
        broken("MTOM with another cid than the Include", MALFORMED, |mut p| {
            p.parts[0].cid = "other@x".into();
            p
        }),
        broken("MTOM without the part", MALFORMED, |mut p| {
            p.parts.clear();
            p
        }),
        broken("MTOM with a part that nothing refers to", MALFORMED, |mut p| {
            p.parts.push(part("stowaway@x", "x"));
            p
        }),
        broken("MTOM with two parts of one cid", MIME, |mut p| {
            p.parts.push(p.parts[0].clone());
            p
        }),
        broken("an Include that points outside", MALFORMED, |mut p| {
            let text = std::str::from_utf8(&p.root).unwrap();
            p.root = replaced(text, "href=\"cid:", "href=\"http://127.0.0.1:9/").into();
            p
        }),
    ]
}

fn to_italy(name: &str, want: Want, body: impl Fn(&Stage) -> Shot + 'static) -> Case {
    case(name, ITALY, want, body)
}

fn query_path() -> &'static str {
    service(Transaction::Query)
}

/// Bodies that are no SOAP 1.2 message, too long, or never end.
pub fn bodies() -> Vec<Case> {
    vec![
        to_italy("SOAP 1.1 in its own content type", MIME, |stage| {
            let text = stage.good_query();
            let old = text.replace("http://www.w3.org/2003/05/soap-envelope", SOAP11);
            let bytes = post(query_path(), "text/xml; charset=utf-8", old.as_bytes());
            Shot { caller: SPAIN, bytes, then: Then::Wait }
        }),
        to_italy("SOAP 1.1 in the content type of 1.2", UNREADABLE, |stage| {
            let text = stage.good_query();
            let old = text.replace("http://www.w3.org/2003/05/soap-envelope", SOAP11);
            shot(SPAIN, query_path(), old)
        }),
        to_italy("JSON", MIME, |_| {
            let bytes = post(query_path(), "application/json", b"{\"a\":1}");
            Shot { caller: SPAIN, bytes, then: Then::Wait }
        }),
        to_italy("XML that is not SOAP", UNREADABLE, |_| shot(SPAIN, query_path(), "<a/>")),
        to_italy("random bytes", UNREADABLE, |_| shot(SPAIN, query_path(), [0, 159, 146, 150])),
        to_italy("an empty body", UNREADABLE, |_| shot(SPAIN, query_path(), "")),
        case("an empty body at home", HOME, UNREADABLE, |_| {
            shot(OPENNCP, &format!("/dk{}", query_path()), "")
        }),
        to_italy("no content type", MIME, |_| {
            let text = format!(
                "POST {} HTTP/1.1\r\nHost: n\r\nContent-Length: 4\r\nConnection: close\r\n\r\n<a/>",
                query_path()
            );
            Shot { caller: SPAIN, bytes: text.into_bytes(), then: Then::Wait }
        }),
        to_italy("a Content-Length of 1 GiB", Want::Problem(413, "body-too-long"), |_| {
            head(query_path(), "Content-Length: 1073741824", b"", Then::Wait)
        }),
        to_italy("25 MiB in chunks", Want::Problem(413, "body-too-long"), |_| {
            let chunk = [b"100000\r\n".as_slice(), &[b'x'; 1 << 20], b"\r\n"].concat();
            head(query_path(), "Transfer-Encoding: chunked", &chunk.repeat(25), Then::Wait)
        }),
        to_italy("a body that breaks off", Want::Problem(400, "body-broken"), |stage| {
            let text = stage.good_query();
            head(query_path(), "Content-Length: 100000", text.as_bytes(), Then::Leave)
        }),
        to_italy("a chunk that is no chunk", Want::Problem(400, "body-broken"), |_| {
            head(query_path(), "Transfer-Encoding: chunked", b"zz\r\nhello\r\n", Then::Wait)
        }),
        to_italy("an unknown wsa:Action", UNREADABLE, |stage| {
            let text = stage.good_query();
            let known = Transaction::Query.request_action();
            shot(SPAIN, query_path(), replaced(&text, known, "urn:ihe:iti:2007:Nothing"))
        }),
        to_italy("no wsa:Action", UNREADABLE, |stage| {
            let text = stage.good_query();
            shot(SPAIN, query_path(), text.replace("wsa:Action", "wsa:Other"))
        }),
        to_italy("no wsa:MessageID", Want::Refusal("ERROR_GENERIC"), |stage| {
            let text = stage.good_query();
            shot(SPAIN, query_path(), text.replace("wsa:MessageID", "wsa:Other"))
        }),
        to_italy(
            "the wsa:Action of another transaction",
            Want::Refusal("ERROR_GENERIC"),
            |stage| {
                let text = stage.good_query();
                let (known, other) =
                    (Transaction::Query.request_action(), Transaction::Retrieve.request_action());
                shot(SPAIN, query_path(), replaced(&text, known, other))
            },
        ),
        case(
            "the same message a second time",
            ITALY,
            Want::Refusal("ERROR_SEC_GENERIC"),
            |stage| {
                let shot = stage.good(ITALY);
                Made { first: Some(First::Answered(shot.clone())), shot }
            },
        ),
    ]
}

/// A request with a header of the attacker's choice.
fn head(path: &str, header: &str, body: &[u8], then: Then) -> Shot {
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: node\r\nContent-Type: {SOAP}\r\n{header}\r\nConnection: close\r\n\r\n"
    );
    Shot { caller: SPAIN, bytes: [head.as_bytes(), body].concat(), then }
}

/// Paths, methods and ways that this node does not offer.
pub fn services() -> Vec<Case> {
    let unknown = Want::Problem(404, "no-such-service");
    let method = Want::Problem(405, "wrong-method");
    let get = |caller, path: &str| {
        let text = format!("GET {path} HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n");
        Shot { caller, bytes: text.into_bytes(), then: Then::Wait }
    };
    vec![
        case("an unknown path", ITALY, unknown, |stage| {
            shot(SPAIN, "/openncp-ws-server/services/Other", stage.good_query())
        }),
        case("a path out of the folder", ITALY, unknown, |stage| {
            shot(SPAIN, "/openncp-ws-server/services/../../etc/passwd", stage.good_query())
        }),
        case("an unknown path at home", HOME, unknown, |stage| {
            shot(OPENNCP, "/dk/other", stage.good_query())
        }),
        case("no country at home", HOME, unknown, |stage| {
            shot(OPENNCP, query_path(), stage.good_query())
        }),
        case(
            "a country without agreement",
            HOME,
            Want::Refusal("ERROR_GENERIC_SERVICE_SIGNIFIER_UNKNOWN"),
            |stage| shot(OPENNCP, &format!("/fr{}", query_path()), stage.good_query()),
        ),
        case("GET of a service", ITALY, method, move |_| get(SPAIN, query_path())),
        case("GET of a service at home", HOME, method, move |_| {
            get(OPENNCP, &format!("/dk{}", query_path()))
        }),
        case("POST of the vault key", DENMARK, method, |_| {
            shot(SPAIN, gateway::recipient::VAULT_KEY_PATH, "x")
        }),
        case(
            "plain IHE where policy wants it sealed",
            DENMARK,
            Want::Fault(400, "4705"),
            |stage| shot(SPAIN, query_path(), stage.good_query()),
        ),
    ]
}

const SOAP11: &str = "http://schemas.xmlsoap.org/soap/envelope/";
