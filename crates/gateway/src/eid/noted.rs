//! What is noted of logins: which ends are events only, and which are audit records, too.

use exchange::{CorrelationId, Country};
use identity::eidas::person::Person;
use identity::session::{SignedIn, Subject};
use ihe::atna::access::Step;
use ihe::atna::occurrence::Outcome;
use siem::{Event, Kind};

use super::Eid;
use super::pending::{Asker, Connector, Then};

impl Eid {
    /// What is no login: one event and one line in the log, under the id that a person may quote.
    /// `why` is a row's name.
    pub(super) fn refused(&self, country: Option<Country>, why: &str) -> CorrelationId {
        let correlation = self.told(country, why);
        let event = Event::new(self.now(), Kind::LoginTurnedAway);
        let (peer, correlation_text) = (country, correlation.to_string());
        self.witness.notes.note(Event { peer, correlation: correlation_text, ..event });
        correlation
    }

    /// A login that had begun came to nothing.
    pub(super) fn failed(
        &self,
        to: &Then,
        asked: Country,
        why: &str,
        outcome: Outcome,
    ) -> CorrelationId {
        let consumer = match to {
            Then::Portal(portal) => self.client_of(&portal.returns),
            Then::Connector(connector) => name_of(connector),
            Then::Light(_) => self.beside(),
        };
        self.failed_for(consumer, asked, why, outcome)
    }

    /// The same for the portal at `returns`.
    pub(super) fn failed_at(&self, returns: &str, asked: Country, why: &str) -> CorrelationId {
        self.failed_for(self.client_of(returns), asked, why, Outcome::Temporary)
    }

    /// The same for the connector of another country, which asked for one of our people.
    pub(super) fn failed_to(&self, to: &Connector, why: &str) -> CorrelationId {
        self.failed_for(name_of(to), self.country, why, Outcome::Temporary)
    }

    /// The same for the other part of a node, which asked for somebody of `asked`.
    pub(super) fn failed_beside(&self, asked: Country, why: &str) -> CorrelationId {
        self.failed_for(self.beside(), asked, why, Outcome::Temporary)
    }

    fn failed_for(
        &self,
        consumer: &str,
        asked: Country,
        why: &str,
        outcome: Outcome,
    ) -> CorrelationId {
        let correlation = self.told(Some(asked), why);
        let sight = self.witness.sight(Kind::LoginRefused, Step::Login, self.now()).with(asked);
        let number = if outcome == Outcome::Minor { 4 } else { 8 };
        sight.consumer(consumer).number(number).refused(outcome, why, correlation).tell();
        correlation
    }

    /// Somebody is signed in and goes back to the portal at `returns`.
    pub(super) fn signed_in(&self, session: &SignedIn, returns: &str) {
        let sight = self.witness.sight(Kind::LoginDone, Step::Login, self.now());
        let sight = sight.with(session.country).login(&session.login);
        sight.person(session.subject, &session.person).consumer(self.client_of(returns)).tell();
    }

    /// One of our people was identified for the connector of another country.
    pub(super) fn passed_on(&self, to: &Connector, person: &Person) {
        self.passed(to.country, name_of(to), person);
    }

    /// Somebody was identified for the other part of a node. Where it asks for services of our own
    /// country, the other country is the person's.
    pub(super) fn passed_beside(&self, to: &Asker, person: &Person) {
        let asking = to.country.filter(|country| *country != self.country);
        self.passed(asking.unwrap_or(person.identifier.of), self.beside(), person);
    }

    fn passed(&self, other: Country, consumer: &str, person: &Person) {
        let sight = self.witness.sight(Kind::LoginPassedOn, Step::Login, self.now());
        // as what they sign in there is not said here
        sight.with(other).person(Subject::Patient, person).consumer(consumer).tell();
    }

    /// One line in the log.
    fn told(&self, country: Option<Country>, why: &str) -> CorrelationId {
        let correlation = CorrelationId::random(self.entropy.as_ref());
        let from = country.as_ref().map(Country::as_str);
        tracing::info!(%correlation, why, country = from, "login refused");
        correlation
    }

    /// The certificate's name of the other part of a node.
    fn beside(&self) -> &str {
        self.light.as_ref().map_or("", |light| &light.client)
    }

    /// The certificate's name of the portal at an address.
    fn client_of(&self, returns: &str) -> &str {
        self.applications.iter().find(|a| a.returns == returns).map_or("", |a| &a.client)
    }
}

/// A connector has no certificate of TLS with us: it is known by the address of its metadata.
fn name_of(connector: &Connector) -> &str {
    &connector.request.issuer
}
