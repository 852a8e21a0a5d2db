//! Who plays in these tests.

use std::sync::Arc;

use exchange::{Country, SystemEntropy};
use identity::wallet::status::MAX_TOKEN;
use identity::wallet::{
    Addresses, Issuers, Presented, Refused, Scheme, Session, StatusLists, Verifier,
};
use jiff::Timestamp;
use trust::certificate::Anchors;
use trust::seal::SealKey;

use crate::holder::{Asked, Holder};
use crate::issuer::{Bearer, PidIssuer};

/// Denmark issues PIDs, Spain asks; Italy is trusted, too.
pub struct Scene {
    pub now: Timestamp,
    pub issuer: PidIssuer,
    pub italy: PidIssuer,
    pub register: Anchors,
    pub verifier: Verifier,
}

/// Status lists that cannot be had, or one that can.
pub struct List(pub Option<Vec<u8>>);

impl StatusLists for List {
    fn list(&self, uri: &str) -> Option<Vec<u8>> {
        assert!(uri.starts_with("https://"));
        self.0.clone().filter(|list| list.len() <= MAX_TOKEN)
    }
}

impl Scene {
    pub fn new() -> Self {
        let now: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
        let (issuer, italy) = (PidIssuer::new("DK", now), PidIssuer::new("IT", now));
        // a register of relying parties is one more authority that issues to us
        let register = PidIssuer::new("ES", now);
        let access = register.signer();
        let key = SealKey::from_pem(access.key_pem.as_bytes(), access.chain_pem().as_bytes());
        let trusted = [("DK", &issuer), ("IT", &italy)]
            .map(|(code, of)| (Country::parse(code).unwrap(), of.anchors()));
        let issuers = Issuers::new(trusted.into()).unwrap();
        let spain = Country::parse("ES").unwrap();
        let verifier = Verifier::new(Arc::new(key.unwrap()), spain, issuers).unwrap();
        Self { now, register: register.anchors(), issuer, italy, verifier }
    }

    pub fn bearer() -> Bearer {
        Bearer {
            country: "DK".into(),
            family: "Havgaard-Test".into(),
            given: "Agnete".into(),
            birth: "1953-02-14".into(),
            place: "Aarhus".into(),
            number: Some("7402539902".into()),
        }
    }

    pub fn holder(&self) -> Holder {
        Holder::new(&self.issuer, &Self::bearer())
    }

    pub fn addresses(same_device: bool) -> Addresses {
        Addresses {
            request: "https://es.example/eid/wallet/1/request".into(),
            response: "https://es.example/eid/wallet/1/response".into(),
            done: same_device.then(|| "https://es.example/eid/wallet/1/done".into()),
        }
    }

    pub fn session(&self) -> Session {
        self.verifier.begin(Self::addresses(true), self.now, &SystemEntropy)
    }

    /// What the wallet reads of our request.
    pub fn ask(&self, session: &Session) -> Asked {
        let jar = self.verifier.request(session, Some("wallet nonce"), self.now).unwrap();
        let link = self.verifier.link(session, Scheme::Haip);
        let (client, at) = Asked::link(&link).unwrap();
        assert_eq!(at, session.addresses().request);
        Asked::read(&client, &jar, &self.register, Some("wallet nonce"), self.now).unwrap()
    }

    pub fn finish(&self, session: Session, body: &[u8]) -> Result<Presented, Refused> {
        session.finish(&self.verifier, body, &List(None), self.now)
    }
}
