//! Countries with seal keys, for tests of this crate.

use exchange::{Country, SystemEntropy, Transaction, TransactionId};
use jiff::Timestamp;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use trust::certificate::Anchors;
use trust::seal::SealKey;

use crate::commitment::{Field, Secrets};
use crate::evidence::{Answered, Asked, JointStatement, RequestStatement, Settled, sha256};

pub(crate) mod shared;

pub(crate) struct World {
    pub(crate) es: SealKey,
    pub(crate) dk: SealKey,
    /// Of another root.
    pub(crate) stranger: SealKey,
    /// The root, as a reader of receipts trusts it.
    pub(crate) anchors: Anchors,
    /// The issuing authority, as nodes trust it.
    issuers: Anchors,
    pub(crate) now: Timestamp,
}

/// One exchange up to the provider's answer.
pub(crate) struct Exchange {
    pub(crate) asked: Secrets,
    pub(crate) answered: Secrets,
    pub(crate) request: RequestStatement,
    pub(crate) nro: Vec<u8>,
    pub(crate) answer: Vec<u8>,
}

struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn root() -> Self {
        let (params, key) = (Self::params("root"), KeyPair::generate().unwrap());
        let pem = params.self_signed(&key).unwrap().pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    fn below(&self) -> Self {
        let (params, key) = (Self::params("issuing"), KeyPair::generate().unwrap());
        let pem = params.signed_by(&key, &self.issuer).unwrap().pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    fn params(name: &str) -> CertificateParams {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        params
    }

    fn seal(&self, country: &str, chain: &str) -> SealKey {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CountryName, country);
        params.distinguished_name.push(DnType::CommonName, format!("seal of {country}"));
        let key = KeyPair::generate().unwrap();
        let pem = params.signed_by(&key, &self.issuer).unwrap().pem();
        SealKey::from_pem(key.serialize_pem().as_bytes(), (pem + chain).as_bytes()).unwrap()
    }
}

impl World {
    pub(crate) fn new() -> Self {
        let root = Authority::root();
        Self::under(&root, &root, "")
    }

    /// Seal certificates that are issued by an intermediate authority.
    pub(crate) fn chained() -> Self {
        let root = Authority::root();
        let issuing = root.below();
        Self::under(&root, &issuing, &issuing.pem)
    }

    fn under(root: &Authority, issuing: &Authority, chain: &str) -> Self {
        Self {
            es: issuing.seal("ES", chain),
            dk: issuing.seal("DK", chain),
            stranger: Authority::root().seal("DK", ""),
            anchors: Anchors::from_pem(root.pem.as_bytes()).unwrap(),
            issuers: Anchors::from_pem(issuing.pem.as_bytes()).unwrap(),
            now: Timestamp::now(),
        }
    }

    /// Spain asks Denmark, Denmark answers.
    pub(crate) fn exchange(&self) -> Exchange {
        let value = |field: Field| (field, format!("{} of Agnete", field.name()));
        let asked = [
            Field::Patient,
            Field::Professional,
            Field::Purpose,
            Field::Assertions,
            Field::Request,
        ];
        let asked = Secrets::draw(asked.map(value), &SystemEntropy);
        let answered = Secrets::draw([value(Field::Answer)], &SystemEntropy);
        let (txid, es, dk) = (TransactionId::random(&SystemEntropy), country("ES"), country("DK"));
        let request =
            RequestStatement::new(txid, Transaction::Retrieve, es, dk, asked.commitments());
        let nro = request.sign(&self.es).unwrap();
        let heard = Asked { statement: request.clone(), digest: sha256(&nro) };
        let joint = JointStatement::answer(&heard, answered.commitments(), "answered");
        let answer = joint.sign(&self.dk).unwrap();
        Exchange { asked, answered, request, nro, answer }
    }

    pub(crate) fn settle(&self, exchange: &Exchange) -> Settled {
        let Exchange { request, nro, answer, .. } = exchange;
        let provider = self.dk.certificate();
        let answered =
            Answered::verify(answer, provider, request, sha256(nro), &self.issuers, self.now);
        answered.unwrap().countersign(&self.es).unwrap()
    }
}

pub(crate) fn country(code: &str) -> Country {
    Country::parse(code).unwrap()
}
