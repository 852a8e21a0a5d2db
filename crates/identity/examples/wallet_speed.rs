//! What a presentation costs: median of a whole `finish` without fetching a status list.
//!
//! `cargo run --release -p identity --example wallet_speed [presentations]`

#[path = "../../testbed/src/wallet/answer.rs"]
mod answer;
#[path = "../../testbed/src/wallet/holder.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod holder;
#[path = "../../testbed/src/wallet/issuer.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod issuer;
#[path = "../../testbed/src/wallet/parts.rs"]
mod parts;
#[path = "../../testbed/src/wallet/signer.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod signer;

use std::sync::Arc;
use std::time::{Duration, Instant};

use exchange::{Country, SystemEntropy};
use holder::{Asked, Holder};
use identity::wallet::dcql::Format;
use identity::wallet::{Addresses, Issuers, StatusLists, Verifier};
use issuer::{Bearer, PidIssuer};
use jiff::Timestamp;
use trust::certificate::Anchors;
use trust::seal::SealKey;

struct NoList;

impl StatusLists for NoList {
    fn list(&self, _uri: &str) -> Option<Vec<u8>> {
        None
    }
}

fn main() {
    let argument = std::env::args().nth(1).and_then(|n| n.parse().ok());
    let presentations: usize = argument.unwrap_or(2000).max(4);
    let now = Timestamp::now();
    let (provider, access) = (PidIssuer::new("DK", now), PidIssuer::new("ES", now));
    let register = access.anchors();
    let bearer = Bearer {
        country: "DK".into(),
        family: "Havgaard-Test".into(),
        given: "Agnete".into(),
        birth: "1953-02-14".into(),
        place: "Aarhus".into(),
        number: Some("7402539902".into()),
    };
    let holder = Holder::new(&provider, &bearer);
    println!("format\tissuer's path\tpresentations\tp50 us\tp99 us\tbytes");
    for (path, presentations) in [("known", presentations), ("new", presentations / 4)] {
        for format in Format::ALL {
            let mut times = Vec::with_capacity(presentations);
            let mut bytes = 0;
            let mut verifier = verifier(&provider, &access);
            for _ in 0..presentations {
                if path == "new" {
                    // its memory of paths is empty
                    verifier = self::verifier(&provider, &access);
                }
                let (time, size) = present(&verifier, &register, &holder, format, now);
                times.push(time);
                bytes = size;
            }
            times.sort();
            let at = |share: usize| micros(times[times.len() * share / 100]);
            let count = times.len();
            println!("{format:?}\t{path}\t{count}\t{:.0}\t{:.0}\t{bytes}", at(50), at(99));
        }
    }
}

/// One login; the time of `finish` alone, and the bytes of the post.
fn present(
    verifier: &Verifier,
    register: &Anchors,
    holder: &Holder,
    format: Format,
    now: Timestamp,
) -> (Duration, usize) {
    let addresses = Addresses {
        request: "https://es.example/1/request".into(),
        response: "https://es.example/1/response".into(),
        done: Some("https://es.example/1/done".into()),
    };
    let session = verifier.begin(addresses, now, &SystemEntropy);
    let jar = verifier.request(&session, None, now).expect("because the key signs");
    let asked = Asked::read(verifier.client_id(), &jar, register, None, now);
    let asked = asked.expect("because the request is sound");
    let body = match format {
        Format::SdJwt => holder.answer_sd_jwt(&asked, now),
        Format::Mdoc => holder.answer_mdoc(&asked),
    };
    let start = Instant::now();
    let presented = session.finish(verifier, &body, &NoList, now);
    let time = start.elapsed();
    assert!(presented.is_ok());
    (time, body.len())
}

/// Spain's relying party, which believes the Danish provider.
fn verifier(provider: &PidIssuer, register: &PidIssuer) -> Verifier {
    let country = |code| Country::parse(code).expect("because it is one");
    let access = register.signer();
    let key = SealKey::from_pem(access.key_pem.as_bytes(), access.chain_pem().as_bytes());
    let key = Arc::new(key.expect("because the key was made for the certificate"));
    let issuers = Issuers::new([(country("DK"), provider.anchors())].into());
    let issuers = issuers.expect("because there is one country");
    Verifier::new(key, country("ES"), issuers).expect("because the key is on P-256")
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}
