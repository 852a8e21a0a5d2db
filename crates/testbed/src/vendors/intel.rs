//! Intel-shaped evidence: root → TCB signer, root → PCK authority → PCK, collateral, quotes.
//!
//! Shapes after Intel's "SGX PCK Certificate and CRL Profile" 1.5 and "Quote Generation Library"
//! (quote versions 3, 4 and 5); the chain has the two branches that dcap-qvl 0.7 demands.

mod body;
mod collateral;
pub mod event_log;
mod pck;

use std::sync::OnceLock;

use serde_json::Value;

use super::key::Key;
use super::x509::{Certificate, RevocationList, pem};

pub use body::{Field, Kind, QE_AUTH};
pub use collateral::Collateral;
pub use pck::{CPU_SVN, FMSPC, PCE_SVN, Pck};

/// The keys of one invented Intel. No `Debug`, on purpose.
pub struct Keys {
    /// Of the root.
    pub root: Key,
    /// Of the TCB signer, which signs TCB info and QE identity.
    pub signer: Key,
    /// Of the authority below which the PCKs stand.
    pub authority: Key,
    /// Of the processor: signs the quoting enclave's report.
    pub pck: Key,
    /// Of the quoting enclave: signs quotes.
    pub attestation: Key,
}

impl Keys {
    fn new() -> Self {
        Self {
            root: Key::p256(),
            signer: Key::p256(),
            authority: Key::p256(),
            pck: Key::p256(),
            attestation: Key::p256(),
        }
    }

    /// Those whose root the test trusts.
    pub fn ours() -> &'static Self {
        static KEYS: OnceLock<Keys> = OnceLock::new();
        KEYS.get_or_init(Self::new)
    }

    /// Those of another Intel, with the same names: a whole forged world.
    pub fn other() -> &'static Self {
        static KEYS: OnceLock<Keys> = OnceLock::new();
        KEYS.get_or_init(Self::new)
    }
}

const ROOT: &str = "Intel SGX Root CA";
const SIGNER: &str = "Intel SGX TCB Signing";
const PLATFORM: &str = "Intel SGX PCK Platform CA";
const PROCESSOR: &str = "Intel SGX PCK Processor CA";

/// What a verifier is given.
#[derive(Clone)]
pub struct Evidence {
    /// The quote.
    pub quote: Vec<u8>,
    /// What Intel's PCS would have answered.
    pub collateral: Collateral,
    /// The root that the test trusts, DER.
    pub root: Vec<u8>,
}

/// Makes a quote and its collateral. Everything may be changed before [`Maker::make`]; what is
/// signed is signed afterwards, with the right key, if not told otherwise.
#[derive(Clone)]
pub struct Maker {
    /// What kind of quote.
    pub kind: Kind,
    /// The quote's header, 48 bytes.
    pub header: Vec<u8>,
    /// The report of the enclave or the trust domain.
    pub body: Vec<u8>,
    /// The quoting enclave's report. Its report data is filled in, if `bound`.
    pub qe_report: Vec<u8>,
    /// Data of the quoting enclave, 32 bytes.
    pub qe_auth: Vec<u8>,
    /// The quoting enclave's report names the attestation key and `qe_auth`.
    pub bound: bool,
    /// The attestation key that the quote names.
    pub attestation: &'static Key,
    /// Signs the quote.
    pub quote_signer: &'static Key,
    /// Signs the quoting enclave's report.
    pub qe_signer: &'static Key,
    /// The root, self-signed.
    pub root: Certificate,
    /// The signer of the collateral.
    pub signer: Certificate,
    /// The authority above the PCK.
    pub authority: Certificate,
    /// The processor's certificate, without its SGX extension.
    pub pck: Certificate,
    /// What the SGX extension of the processor's certificate says; `None` leaves it out.
    pub sgx: Option<Pck>,
    /// TCB info, before it is signed.
    pub tcb_info: Value,
    /// Signs TCB info.
    pub tcb_info_signer: &'static Key,
    /// Identity of the quoting enclave, before it is signed.
    pub qe_identity: Value,
    /// Signs the identity of the quoting enclave.
    pub qe_identity_signer: &'static Key,
    /// The root's revocation list.
    pub root_crl: RevocationList,
    /// The revocation list of the authority above the PCK.
    pub pck_crl: RevocationList,
    /// Type of the certification data in the quote: 5 is the chain as PEM.
    pub certification: u16,
    /// A last touch, after everything is signed.
    pub tamper: fn(&mut Evidence),
}

impl Maker {
    /// Evidence that is in order.
    pub fn new(kind: Kind) -> Self {
        Self::with(kind, Keys::ours())
    }

    /// Evidence in order, of the Intel with these keys.
    pub fn with(kind: Kind, keys: &'static Keys) -> Self {
        let below = |subject, key| Certificate::new(subject, key, ROOT, &keys.root);
        Self {
            kind,
            header: body::header(kind),
            body: body::body(kind),
            qe_report: body::qe_report(kind),
            qe_auth: (0..32).collect(),
            bound: true,
            attestation: &keys.attestation,
            quote_signer: &keys.attestation,
            qe_signer: &keys.pck,
            root: Certificate::new(ROOT, &keys.root, ROOT, &keys.root).authority(Some(1)),
            signer: below(SIGNER, &keys.signer),
            authority: below(PLATFORM, &keys.authority).authority(Some(0)),
            pck: Certificate::new(
                "Intel SGX PCK Certificate",
                &keys.pck,
                PLATFORM,
                &keys.authority,
            ),
            sgx: Some(Pck::default()),
            tcb_info: collateral::tcb_info(kind),
            tcb_info_signer: &keys.signer,
            qe_identity: collateral::qe_identity(kind),
            qe_identity_signer: &keys.signer,
            root_crl: RevocationList::new(ROOT, &keys.root),
            pck_crl: RevocationList::new(PLATFORM, &keys.authority),
            certification: 5,
            tamper: |_| {},
        }
    }

    /// A single-socket processor: its PCK stands below the Processor authority.
    pub fn processor(&mut self) {
        PROCESSOR.clone_into(&mut self.authority.subject);
        PROCESSOR.clone_into(&mut self.pck.issuer);
        PROCESSOR.clone_into(&mut self.pck_crl.issuer);
        if let Some(sgx) = &mut self.sgx {
            sgx.configuration = None;
        }
    }

    /// Sets the debug bit of the enclave or the trust domain.
    pub fn debug(&mut self) {
        match self.kind {
            Kind::Sgx => self.set(Field::Attributes, &[0x07]),
            _ => self.set(Field::Attributes, &[0x01]),
        }
    }

    /// All components of the processor's TCB have this number.
    pub fn svn(&mut self, svn: u8) {
        if let Some(sgx) = &mut self.sgx {
            sgx.cpu_svn = [svn; 16];
            sgx.pce_svn = svn.into();
        }
    }

    /// Overwrites the first bytes of a field of the report.
    pub fn set(&mut self, field: Field, value: &[u8]) {
        let at = field.offset(self.kind);
        self.body[at..at + value.len()].copy_from_slice(value);
    }

    /// Overwrites the first bytes of a field of the quoting enclave's report.
    pub fn set_qe(&mut self, field: Field, value: &[u8]) {
        let at = field.offset(Kind::Sgx);
        self.qe_report[at..at + value.len()].copy_from_slice(value);
    }

    /// The status of every TCB level of the platform.
    pub fn platform_status(&mut self, status: &str) {
        collateral::status(&mut self.tcb_info["tcbLevels"], status);
    }

    /// The status of every level of the quoting enclave.
    pub fn qe_status(&mut self, status: &str) {
        collateral::status(&mut self.qe_identity["tcbLevels"], status);
    }

    /// Signs everything and puts it together.
    pub fn make(self) -> Evidence {
        let root = self.root.der();
        let signer_chain = pem(&[self.signer.der(), root.clone()]);
        let authority = self.authority.der();
        let mut pck = self.pck.clone();
        if let Some(sgx) = &self.sgx {
            pck.extensions.push((pck::OID.to_owned(), false, sgx.der()));
        }
        let pck_chain = pem(&[pck.der(), authority.clone(), root.clone()]);
        let (tcb_info, qe_identity) = (self.tcb_info.to_string(), self.qe_identity.to_string());
        let collateral = Collateral {
            pck_crl_issuer_chain: pem(&[authority, root.clone()]),
            root_ca_crl: self.root_crl.der(),
            pck_crl: self.pck_crl.der(),
            tcb_info_issuer_chain: signer_chain.clone(),
            tcb_info_signature: self.tcb_info_signer.sign_fixed(tcb_info.as_bytes()),
            tcb_info,
            qe_identity_issuer_chain: signer_chain,
            qe_identity_signature: self.qe_identity_signer.sign_fixed(qe_identity.as_bytes()),
            qe_identity,
        };
        let quote = body::quote(&self, &pck_chain);
        let mut evidence = Evidence { quote, collateral, root };
        (self.tamper)(&mut evidence);
        evidence
    }
}
