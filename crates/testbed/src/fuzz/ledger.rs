//! What the outside brings of the shared ledger: checkpoints, policies, proofs, receipts, time-stamps.
//! `fuzz/ledger-seeds` writes the seeds and what is trusted here.

use std::sync::LazyLock;

use ::ledger::bundle::{self, Reader};
use ::ledger::checkpoint::{BlockLine, SignedCheckpoint};
use ::ledger::policy::Policy;
use ::ledger::proof::Proof;
use ::ledger::scitt::{self, Algorithm, ReceiptKey};
use ::ledger::timestamp::{Expected, TimeStampRequest, TimeStampToken, imprint};
use trust::certificate::Anchors;

/// Checkpoints, as any member's server hands them out.
pub fn checkpoint(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else { return false };
    let Ok(signed) = SignedCheckpoint::read(text) else { return false };
    assert_eq!(signed.to_string(), text, "one checkpoint has one form");
    let _ = BlockLine::of(signed.checkpoint());
    let _ = POLICY.verify(text, None);
    true
}

/// Policies, as a reader takes them from somewhere.
pub fn witnesses(data: &[u8]) -> bool {
    let Ok(policy) = Policy::parse(data) else { return false };
    let _ = (policy.quorum(), policy.origins().count());
    let _ = policy.verify("log\n1\n\n", Some("log"));
    true
}

/// Proofs of the entry that the seeds are about.
pub fn proof(data: &[u8]) -> bool {
    let Ok(proof) = Proof::parse(data) else { return false };
    assert_eq!(proof.to_string().as_bytes(), data, "one proof has one form");
    if let Ok(proven) = proof.verify(ENTRY, &POLICY, None) {
        assert_eq!(proven.index(), 537, "nothing else was ever signed");
    }
    true
}

/// Receipts of the shared ledger.
pub fn bundle(data: &[u8]) -> bool {
    let reader = Reader { anchors: Some(&ROOTS), policy: Some(&POLICY), ..Reader::default() };
    let strict = bundle::verify(data, reader).is_ok();
    let own = bundle::verify(data, Reader { policy: None, ..reader }).is_ok();
    strict || own
}

/// COSE receipts.
pub fn scitt(data: &[u8]) -> bool {
    scitt::verify(data, ENTRY, &*KEYS).is_ok()
}

/// Answers of time-stamping authorities, and tokens of archives.
pub fn time_stamp(data: &[u8]) -> bool {
    let token = TimeStampRequest::token(data).or_else(|_| TimeStampToken::read(data));
    let Ok(token) = token else { return false };
    let again = TimeStampToken::read(token.der());
    assert!(again.as_ref() == Ok(&token), "what was read is a token");
    let _ = token.verify(imprint(STAMPED), &AUTHORITIES, Expected::default());
    true
}

const ENTRY: &[u8] = include_bytes!("ledger/entry");
const STAMPED: &str = include_str!("ledger/stamped");

static POLICY: LazyLock<Policy> = LazyLock::new(|| {
    Policy::parse(include_bytes!("ledger/lasting.policy")).expect("because the script wrote it")
});
static ROOTS: LazyLock<Anchors> = LazyLock::new(|| {
    Anchors::from_pem(include_bytes!("ledger/roots.pem")).expect("because the script wrote it")
});
static AUTHORITIES: LazyLock<Anchors> = LazyLock::new(|| {
    Anchors::from_pem(include_bytes!("ledger/tsa.pem")).expect("because the script wrote it")
});
static KEYS: LazyLock<[ReceiptKey; 2]> = LazyLock::new(|| {
    let key = |kid: &str, algorithm, public: &[u8]| ReceiptKey {
        kid: kid.as_bytes().to_vec(),
        algorithm,
        public: public.to_vec(),
    };
    [
        key("eddsa", Algorithm::EdDsa, include_bytes!("ledger/eddsa.key")),
        key("es256", Algorithm::Es256, include_bytes!("ledger/es256.key")),
    ]
});
