//! What a step of a login leaves behind: one event with pseudonyms and one audit record, which tell
//! the same. Neither waits, neither fails.

use std::sync::Arc;

use exchange::{CorrelationId, Country};
use identity::Recognised;
use identity::eidas::person::{Person, PersonIdentifier};
use identity::session::Subject;
use ihe::atna::access::{Access, Step};
use ihe::atna::occurrence::{End, Outcome};
use jiff::Timestamp;
use siem::{Event, Kind, Notes, Pseudonym, PseudonymKey};
use transport::Peer;

use crate::audit::Trail;

/// Where steps are told.
#[derive(Clone)]
pub struct Witness {
    /// Events.
    pub notes: Arc<Notes>,
    /// Audit records; `None` when no repository is configured.
    pub trail: Option<Arc<Trail>>,
    /// Pseudonyms for events, the same as of requests.
    pub pseudonyms: Arc<PseudonymKey>,
}

/// One step in the making. Personal: no `Debug`.
#[must_use]
pub struct Sight<'a> {
    witness: &'a Witness,
    event: Event,
    access: Access,
}

impl Witness {
    /// Begins one.
    pub fn sight(&self, kind: Kind, step: Step, at: Timestamp) -> Sight<'_> {
        Sight { witness: self, event: Event::new(at, kind), access: Access::new(step, at) }
    }

    /// A person by the eID of their country, whichever country it was made for.
    fn by_eid(&self, subject: Subject, identifier: &PersonIdentifier) -> Pseudonym {
        let PersonIdentifier { of, value, .. } = identifier;
        self.pseudonyms.of(subject.word(), &format!("{of}/{value}"))
    }
}

impl Sight<'_> {
    /// The other country.
    pub fn with(mut self, country: Country) -> Self {
        self.event.peer = Some(country);
        self
    }

    /// The number of the login.
    pub fn login(mut self, number: &str) -> Self {
        number.clone_into(&mut self.event.correlation);
        self
    }

    /// Which assertion it is about.
    pub fn number(mut self, number: u64) -> Self {
        self.event.number = number;
        self
    }

    /// Who is at the other end, by name.
    pub fn consumer(mut self, name: &str) -> Self {
        self.access.consumer = End { name: name.to_owned(), address: String::new() };
        self
    }

    /// Who is at the other end, by certificate.
    pub fn connected(mut self, peer: &Peer) -> Self {
        let name = peer.certificate().common_name().to_owned();
        self.access.consumer = End { name, address: peer.address().ip().to_string() };
        self
    }

    /// Who acts, by eID. The profile wants a professional's name in the record, and no patient's.
    pub fn person(mut self, subject: Subject, person: &Person) -> Self {
        let pseudonym = Some(self.witness.by_eid(subject, &person.identifier));
        let name = match subject {
            Subject::Professional => {
                self.event.professional = pseudonym;
                format!("{} {}", person.given.latin, person.family.latin)
            }
            Subject::Patient => {
                self.event.patient = pseudonym;
                String::new()
            }
        };
        self.access.person = Some((person.identifier.text(), name));
        self
    }

    /// The professional as assertions name them, `NameID@Issuer`, with name and point of care.
    pub fn professional(mut self, id: String, name: &str, point_of_care: &str) -> Self {
        let key = &self.witness.pseudonyms;
        self.event.professional = Some(key.of("professional", &id));
        self.event.point_of_care = Some(key.of("point of care", point_of_care));
        self.access.person = Some((id, name.to_owned()));
        self.access.point_of_care = Some(point_of_care.to_owned());
        self
    }

    /// The professional whom an assertion names.
    pub fn recognised(self, who: &Recognised) -> Self {
        self.professional(who.professional(), who.name(), who.point_of_care())
    }

    /// The patient, in CX.
    pub fn patient(mut self, cx: &str) -> Self {
        self.event.patient = Some(self.witness.pseudonyms.of("patient", cx));
        self.access.patient = Some(cx.to_owned());
        self
    }

    /// The next of kin's number; in the record only, as it is nobody whom requests are about.
    pub fn guarantor(mut self, number: &str) -> Self {
        self.access.guarantor = Some(number.to_owned()).filter(|number| !number.is_empty());
        self
    }

    /// `ID` of the assertion.
    pub fn assertion(mut self, id: &str) -> Self {
        self.access.assertion = Some(id.to_owned());
        self
    }

    /// Nothing came of it: the name of a rule, or a code with its hint, under the number to quote.
    pub fn refused(mut self, outcome: Outcome, why: &str, correlation: CorrelationId) -> Self {
        let number = correlation.to_string();
        self.event.correlation.clone_from(&number);
        self.access.outcome = outcome;
        self.access.error = Some((number, why.to_owned()));
        self
    }

    /// The eHDSI code of the refusal.
    pub fn code(mut self, code: exchange::Code) -> Self {
        self.event.code = Some(code);
        self
    }

    /// Tells both.
    pub fn tell(self) {
        if let Some(trail) = &self.witness.trail {
            trail.leave_access(self.access);
        }
        self.witness.notes.note(self.event);
    }
}
