//! A wallet and the authority behind its PID, in memory: bytes in, bytes out, no socket.
//!
//! Everything is made anew for each run and nothing of it may be trusted. The
//! modules below use nothing of this crate, so that the tests of `identity` include them by path.

pub mod answer;
pub mod holder;
pub mod issuer;
pub mod parts;
pub mod signer;

use crate::world::{Citizen, Clinician};

pub use answer::Answer;
pub use holder::{Asked, Holder};
pub use issuer::{Bearer, PidIssuer};
pub use signer::Signer;

impl From<&Citizen> for Bearer {
    fn from(citizen: &Citizen) -> Self {
        Self {
            country: citizen.country.into(),
            family: citizen.family.into(),
            given: citizen.given.into(),
            birth: dashed(citizen.birth),
            place: citizen.address[1].into(),
            number: Some(citizen.number.into()),
        }
    }
}

/// A professional's own PID: it says who, not what they may do; `birth` as `yyyyMMdd`.
pub fn professional(clinician: &Clinician, birth: &str) -> Bearer {
    let (place, _) = clinician.locality.split_once(',').unwrap_or((clinician.locality, ""));
    Bearer {
        country: clinician.country.into(),
        family: clinician.family.into(),
        given: clinician.given.into(),
        birth: dashed(birth),
        place: place.into(),
        number: Some(clinician.number.into()),
    }
}

/// `yyyyMMdd` as `yyyy-MM-dd`.
fn dashed(date: &str) -> String {
    let (year, rest) = date.split_at(4);
    let (month, day) = rest.split_at(2);
    format!("{year}-{month}-{day}")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use exchange::{Country, SystemEntropy};
    use identity::wallet::{Addresses, Issuers, Presented, Scheme, StatusLists, Verifier};
    use trust::seal::SealKey;

    use super::*;
    use crate::seed;
    use crate::world::{CITIZENS, LANDS, MONTSERRAT};

    struct NoList;

    impl StatusLists for NoList {
        fn list(&self, _: &str) -> Option<Vec<u8>> {
            None
        }
    }

    fn verifier(issuers: &[PidIssuer], register: &PidIssuer) -> Verifier {
        let anchors = LANDS.iter().zip(issuers).map(|(land, of)| (land.country(), of.anchors()));
        let issuers = Issuers::new(anchors.collect()).unwrap();
        let access = register.signer();
        let key = SealKey::from_pem(access.key_pem.as_bytes(), access.chain_pem().as_bytes());
        Verifier::new(Arc::new(key.unwrap()), Country::parse("ES").unwrap(), issuers).unwrap()
    }

    fn login(verifier: &Verifier, register: &PidIssuer, holder: &Holder) -> Presented {
        let now = seed::written();
        let addresses = Addresses {
            request: "https://es.example/eid/wallet/1/request".into(),
            response: "https://es.example/eid/wallet/1/response".into(),
            done: None,
        };
        let session = verifier.begin(addresses, now, &SystemEntropy);
        let link = Asked::link(&verifier.link(&session, Scheme::OpenId4Vp));
        let (client, at) = link.unwrap();
        assert_eq!(at, session.addresses().request);
        let jar = verifier.request(&session, None, now).unwrap();
        let asked = Asked::read(&client, &jar, &register.anchors(), None, now).unwrap();
        let body = holder.answer_mdoc(&asked);
        session.finish(verifier, &body, &NoList, now).unwrap()
    }

    #[test]
    fn everybody_in_the_world_signs_in_by_wallet() {
        let now = seed::written();
        let issuers: Vec<PidIssuer> =
            LANDS.iter().map(|land| PidIssuer::new(land.code, now)).collect();
        let register = PidIssuer::new("ES", now);
        let verifier = verifier(&issuers, &register);
        let doctor = professional(&MONTSERRAT, "19790612");
        let citizens = CITIZENS.into_iter().map(|citizen| (Bearer::from(citizen), citizen.number));
        for (bearer, number) in citizens.chain([(doctor, MONTSERRAT.number)]) {
            let place = LANDS.iter().position(|land| land.code == bearer.country).unwrap();
            let holder = Holder::new(&issuers[place], &bearer);
            let presented = login(&verifier, &register, &holder);
            let person = presented.person();
            assert!(person.identifier.value == number && person.family.latin == bearer.family);
            assert_eq!(presented.country().as_str(), bearer.country);
        }
    }
}
