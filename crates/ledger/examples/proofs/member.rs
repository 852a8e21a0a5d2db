//! A member of the ledger with fresh keys.

use std::sync::Arc;

use exchange::{Entropy as _, SystemEntropy};
use ledger::cosign::{Cosigner, HeldEd25519, Kind, MlDsaKey, VerifierKey};
use ledger::scitt::{Algorithm, ReceiptKey, Receiver};
use trust::private::Holder;
use trust::seal::SigningKey;

use crate::{Failure, ORIGIN};

pub struct Member {
    pub name: String,
    pub log: Cosigner,
    pub classic: Cosigner,
    pub lasting: Cosigner,
    held: Arc<SigningKey>,
}

impl Member {
    pub fn new(number: u8) -> Result<Self, Failure> {
        let pkcs8 = SigningKey::new_ed25519().ok_or("no entropy")?;
        let held = Arc::new(SigningKey::from_ed25519(&pkcs8)?);
        let signer = || Arc::new(HeldEd25519(Arc::clone(&held) as Arc<dyn Holder>));
        let mut seed = [0; 32];
        SystemEntropy.fill(&mut seed);
        let lasting = MlDsaKey::from_seed(&seed).ok_or("no ML-DSA-44")?;
        let name = format!("m{number}.example/konfido");
        let key = VerifierKey::new(&name, Kind::MlDsa44, lasting.public())?;
        let lasting = Cosigner::new(key, Arc::new(lasting))?;
        let key = |name, kind| VerifierKey::new(name, kind, held.public());
        let log = Cosigner::new(key(ORIGIN, Kind::Log)?, signer())?;
        let classic = Cosigner::new(key(&name, Kind::Ed25519)?, signer())?;
        Ok(Self { name: format!("m{number}"), log, classic, lasting, held })
    }

    pub fn keys(&self, lasting: bool) -> Vec<VerifierKey> {
        let more = lasting.then_some(&self.lasting);
        [Some(&self.classic), more].into_iter().flatten().map(|c| c.key().clone()).collect()
    }

    /// Name, receiver and public key of each algorithm.
    pub fn receivers(&self) -> Result<Vec<(&'static str, Receiver, Vec<u8>)>, Failure> {
        let curve = rcgen::KeyPair::generate()?.serialize_pem();
        let curve = Arc::new(SigningKey::from_pem(curve.as_bytes())?);
        let keys = [("eddsa", Algorithm::EdDsa, &self.held), ("es256", Algorithm::Es256, &curve)];
        let receivers = keys.map(|(name, algorithm, held)| {
            let (kid, public) = (name.as_bytes().to_vec(), held.public().to_vec());
            let key = ReceiptKey { kid, algorithm, public: public.clone() };
            (name, Receiver::new(key, Arc::clone(held) as Arc<dyn Holder>), public)
        });
        Ok(receivers.into())
    }
}
