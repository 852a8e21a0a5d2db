//! `[[peer]]` and `[national]`: whom we speak to.

use std::time::Duration;

use enclave::{Acceptance, Attestation, Memory};
use exchange::{Country, Digest};
use gateway::node::Slots;
use gateway::strict::Against;

use super::one_of;
use super::reader::{At, Faults, Section, Span};

/// A `[[peer]]`.
#[derive(Debug)]
pub struct Peer {
    /// Which country.
    pub country: Country,
    /// Its border listener.
    pub url: String,
    /// Speaks sealed.
    pub konfido: bool,
    /// May be spoken to plainly.
    pub allow_plain: bool,
    /// The one certificate that its border may present.
    pub pin: Option<Digest>,
    /// How long an answer may take.
    pub answer: Duration,
    /// Exchanges with it at once, in each direction.
    pub exchanges: usize,
    /// What we accept of its vault.
    pub accepted: Acceptance,
    /// What it gets against its receipt only.
    pub against: Against,
    /// Where the file says so.
    pub strict: Option<Span>,
}

pub(super) fn national(section: Section<'_, '_>, faults: &Faults) -> Option<String> {
    let connector = section.optional::<String>("connector");
    let openncp = one_of(connector.as_ref(), &["store", "openncp"], faults) == 1;
    let url = if openncp { section.required::<String>("url") } else { section.optional("url") };
    if let (Some(url), false) = (&url, openncp) {
        faults.add(&url.span, "the built-in store has no url", Some("say connector = \"openncp\""));
    }
    let url = url.inspect(|at| check_url(at, faults));
    section.end();
    url.map(|at| at.value)
}

pub(super) fn read(section: Section<'_, '_>, faults: &Faults) -> Option<(Peer, Span)> {
    let country = section.required::<Country>("country");
    let url = section.required::<String>("url").inspect(|at| check_url(at, faults));
    let konfido = section.or("konfido", true);
    let allow_plain = section.optional::<bool>("allow_plain");
    if !konfido && allow_plain.as_ref().is_none_or(|at| !at.value) {
        let span = allow_plain.as_ref().map_or(section.span(), |at| &at.span);
        faults.add(
            span,
            "a peer without KONFIDO can only be spoken to plainly",
            Some("say allow_plain = true, or remove the peer"),
        );
    }
    let pin = section.optional::<Digest>("pin");
    let answer = section.or("answer_seconds", ANSWER);
    let exchanges = section.or("exchanges_at_once", Slots::EACH as u64);
    let vault = section.optional::<String>("vault");
    let accepted = match one_of(vault.as_ref(), &["software", "secret-memory", "simulated"], faults)
    {
        0 => Acceptance::software(&Attestation::SOFTWARE),
        1 => Acceptance::software(&[Attestation::Process(Memory::Secret)]),
        _ => Acceptance::software(&Attestation::ALL),
    };
    let strict = section.optional::<Vec<String>>("strict");
    let plainly = !konfido || allow_plain.as_ref().is_some_and(|at| at.value);
    let against = strict.as_ref().map(|at| against(at, plainly, faults)).unwrap_or_default();
    section.end();
    let (country, url) = (country?, url?.value);
    let allow_plain = allow_plain.is_some_and(|at| at.value);
    let peer = Peer {
        country: country.value,
        url,
        konfido,
        allow_plain,
        pin: pin.map(|at| at.value),
        answer: Duration::from_secs(answer),
        exchanges: usize::try_from(exchanges.max(1)).unwrap_or(usize::MAX),
        accepted,
        strict: strict.filter(|_| against.is_any()).map(|at| at.span),
        against,
    };
    Some((peer, country.span))
}

pub(super) fn unique(peers: &[Option<(Peer, Span)>], own: Option<&At<Country>>, faults: &Faults) {
    let known: Vec<_> = peers.iter().flatten().collect();
    for (n, (peer, span)) in known.iter().enumerate() {
        if own.is_some_and(|own| own.value == peer.country) {
            faults.add(span, "a node is not its own peer", None);
        }
        if known[..n].iter().any(|(before, _)| before.country == peer.country) {
            faults.add(span, format!("{} is a peer already", peer.country), None);
        }
    }
}

fn against(at: &At<Vec<String>>, plainly: bool, faults: &Faults) -> Against {
    if plainly && !at.value.is_empty() {
        let help = "a plain answer has no receipt";
        faults.add(&at.span, "strict goes without allow_plain", Some(help));
    }
    Against::of(&at.value).unwrap_or_else(|word| {
        let help = "\"ITI-39\" for every document, or XDS class codes as in \"11502-2\"";
        faults.add(&at.span, format!("{word} is no document"), Some(help));
        Against::default()
    })
}

/// The ledger is the judge; and of what an OpenNCP gives, nobody here knows the class.
pub(super) fn strict(
    peers: &[Option<(Peer, Span)>],
    (shared, openncp): (bool, bool),
    faults: &Faults,
) {
    for (peer, span) in
        peers.iter().flatten().filter_map(|(peer, _)| Some((peer, peer.strict.as_ref()?)))
    {
        if !shared {
            faults.add(span, "strict goes with validator in [ledger]", None);
        }
        if openncp && !peer.against.names_all() {
            let help =
                "say \"ITI-39\": the class of a document is known in the built-in store only";
            faults.add(span, "strict by class goes with connector = \"store\"", Some(help));
        }
    }
}

/// `https://host:port`, nothing behind it.
fn check_url(at: &At<String>, faults: &Faults) {
    let uri = at.value.parse::<http::Uri>().ok();
    let good = uri.as_ref().is_some_and(|uri| {
        uri.scheme_str() == Some("https")
            && uri.port_u16().is_some()
            && uri.path_and_query().is_none_or(|path| path.as_str() == "/")
            && !at.value.ends_with('/')
    });
    if !good {
        faults.add(&at.span, "url is not of the form https://host:port", None);
    }
}

/// Seconds; OpenNCP waits longer.
const ANSWER: u64 = 30;
