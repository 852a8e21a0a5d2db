//! A wallet and the authority behind its PID, in memory: bytes in, bytes out, no socket.
//!
//! Everything is made anew for each run and nothing of it may be trusted. The
//! modules below use nothing of this crate, so that the tests of `identity` include them by path.

pub mod answer;
pub mod holder;
pub mod issuer;
pub mod parts;
pub mod signer;

use crate::world::Citizen;

pub use answer::Answer;
pub use holder::{Asked, Holder};
pub use issuer::{Bearer, PidIssuer};
pub use signer::Signer;

impl From<&Citizen> for Bearer {
    fn from(citizen: &Citizen) -> Self {
        let (year, rest) = citizen.birth.split_at(4);
        let (month, day) = rest.split_at(2);
        Self {
            country: citizen.country.into(),
            family: citizen.family.into(),
            given: citizen.given.into(),
            birth: format!("{year}-{month}-{day}"),
            place: citizen.address[1].into(),
            number: Some(citizen.number.into()),
        }
    }
}
