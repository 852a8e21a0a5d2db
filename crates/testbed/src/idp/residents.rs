//! Who can log in: everybody who lives or works in the country, each with a user name, a PIN, an
//! authenticator, a passkey and a card.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use exchange::{Country, Digest, Entropy};
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use trust::certificate::Certificate;

use super::passkey::{Assertion, Expected, Passkey};
use super::totp::Secret;
use crate::pki::{CardAuthority, Identity};
use crate::world;

/// One who can log in. No `Debug`, on purpose.
pub struct Resident {
    /// User name.
    pub login: String,
    /// Given names.
    pub given: &'static str,
    /// Family name.
    pub family: &'static str,
    /// Date of birth.
    pub birth: Date,
    /// What the person identifier says of them: a patient's number; of those who only work here the
    /// national identity number.
    pub number: &'static str,
    pin: String,
    secret: Secret,
    passkey: Passkey,
    card: Identity,
}

impl Resident {
    /// Six digits that the person knows.
    pub fn pin(&self) -> &str {
        &self.pin
    }

    /// What the person's authenticator app holds.
    pub fn authenticator(&self) -> &Secret {
        &self.secret
    }

    /// What the person's phone holds.
    pub fn passkey(&self) -> &Passkey {
        &self.passkey
    }

    /// The person's card.
    pub fn card(&self) -> &Identity {
        &self.card
    }
}

/// The residents of a country and how their attempts went.
pub(super) struct Residents {
    all: Vec<Resident>,
    attempts: Mutex<HashMap<usize, Attempts>>,
    nobody: (String, Secret),
    cards: CardAuthority,
    renewed: Mutex<HashMap<usize, Digest>>,
}

/// What is remembered of a resident's attempts.
#[derive(Default)]
struct Attempts {
    wrong: u32,
    locked_until: Option<Timestamp>,
    last_step: Option<u64>,
    last_count: u32,
}

impl Residents {
    /// Everybody of the country, with new PINs, secrets and cards.
    pub fn of(country: Country, cards: CardAuthority, entropy: &dyn Entropy) -> Self {
        let citizens = world::citizens(country).map(|c| (c.given, c.family, c.birth, c.number));
        let clinicians = world::CLINICIANS.iter().filter(|c| c.country == country.as_str());
        let clinicians = clinicians.map(|c| (c.given, c.family, c.birth, c.identity));
        let all = citizens.chain(clinicians);
        let all = all.map(|(given, family, birth, number)| {
            let login = world::login(given);
            let card = cards.issue(&format!("{given} {family}"), &format!("card-{login}"));
            Resident {
                login,
                given,
                family,
                birth: Date::strptime("%Y%m%d", birth).expect("because the table holds dates"),
                number,
                pin: pin(entropy),
                secret: Secret::random(entropy),
                passkey: Passkey::random(entropy),
                card,
            }
        });
        let nobody = (pin(entropy), Secret::random(entropy));
        let all = all.collect();
        Self { all, attempts: Mutex::default(), nobody, cards, renewed: Mutex::default() }
    }

    /// All.
    pub fn all(&self) -> &[Resident] {
        &self.all
    }

    /// Who has this card. It was issued by the country's authority: TLS or the caller saw to that.
    pub fn by_card(&self, card: &Certificate) -> Option<&Resident> {
        let fingerprint: Digest = card.fingerprint();
        let renewed = self.renewed.lock().unwrap_or_else(PoisonError::into_inner);
        let place = self.all.iter().enumerate().position(|(place, resident)| {
            let first = || resident.card.certificate().fingerprint();
            renewed.get(&place).copied().unwrap_or_else(first) == fingerprint
        });
        place.map(|place| &self.all[place])
    }

    /// A new card for somebody, whose key was made in its chip; the card before it opens nothing
    /// any more.
    pub fn renew(&self, login: &str, point: [u8; 65]) -> Option<Certificate> {
        let place = self.all.iter().position(|resident| resident.login == login)?;
        let Resident { given, family, .. } = &self.all[place];
        let (name, number) = (format!("{given} {family}"), format!("card-{login}-2"));
        let card = self.cards.issue_for(&name, &number, point);
        let mut renewed = self.renewed.lock().unwrap_or_else(PoisonError::into_inner);
        renewed.insert(place, card.fingerprint());
        Some(card)
    }

    /// Whose passkey signed this challenge.
    pub fn by_passkey(
        &self,
        assertion: &Assertion,
        origin: &str,
        challenge: &[u8],
    ) -> Option<&Resident> {
        let place = self.all.iter().position(|r| r.passkey.id() == assertion.credential)?;
        let mut attempts = self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        let attempts = attempts.entry(place).or_default();
        let expected = Expected { origin, challenge, count: attempts.last_count };
        attempts.last_count = self.all[place].passkey.verify(assertion, &expected)?;
        Some(&self.all[place])
    }

    /// Who knows this PIN and has the authenticator that shows this code. Unknown name, wrong PIN,
    /// wrong, old or used code and a locked account are all the same `None`.
    pub fn by_code(&self, login: &str, pin: &str, code: &str, now: Timestamp) -> Option<&Resident> {
        let login = login.trim().to_lowercase();
        let place = self.all.iter().position(|resident| resident.login == login);
        let resident = place.map(|place| &self.all[place]);
        let (known, secret) =
            resident.map_or((&self.nobody.0, &self.nobody.1), |r| (&r.pin, &r.secret));
        let right_pin = verify_slices_are_equal(known.as_bytes(), pin.as_bytes()).is_ok();
        let mut attempts = self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        let last = place.and_then(|place| attempts.get(&place)?.last_step);
        let code: String = code.chars().filter(|c| !c.is_whitespace()).collect();
        let step = secret.accept(&code, now, last);
        let attempts = attempts.entry(place?).or_default();
        if attempts.locked_until.is_some_and(|until| now < until) {
            return None;
        }
        if attempts.locked_until.take().is_some() {
            attempts.wrong = 0;
        }
        if let (true, Some(step)) = (right_pin, step) {
            (attempts.wrong, attempts.last_step) = (0, Some(step));
            return resident;
        }
        attempts.wrong += 1;
        if attempts.wrong >= TRIES {
            attempts.locked_until = Some(now + LOCKED);
        }
        None
    }
}

fn pin(entropy: &dyn Entropy) -> String {
    let mut bytes = [0; 8];
    entropy.fill(&mut bytes);
    format!("{:06}", u64::from_be_bytes(bytes) % 1_000_000)
}

/// Wrong attempts in a row until an account is locked.
pub const TRIES: u32 = 5;
/// How long it is locked.
pub const LOCKED: SignedDuration = SignedDuration::from_mins(5);

#[cfg(test)]
mod tests {
    use exchange::SystemEntropy;

    use super::*;
    use crate::pki::{Pki, SealKind};

    fn now() -> Timestamp {
        "2026-11-21T10:00:00Z".parse().unwrap()
    }

    fn danes() -> Residents {
        let dk = Country::parse("DK").unwrap();
        let pki = Pki::new(&[dk], SealKind::P256, now());
        Residents::of(dk, pki.cards(dk), &SystemEntropy)
    }

    fn wrong(text: &str) -> String {
        text.chars().map(|c| if c == '0' { '1' } else { '0' }).collect()
    }

    #[test]
    fn everybody_has_a_name_of_their_own() {
        let residents = danes();
        let mut names: Vec<_> = residents.all().iter().map(|r| r.login.as_str()).collect();
        names.sort_unstable();
        assert_eq!(names, ["agnete", "birthe", "karen", "mogens", "signe"]);
    }

    #[test]
    fn both_factors_are_needed_and_a_code_works_once() {
        let residents = danes();
        let agnete = &residents.all()[0];
        let (pin, code) = (agnete.pin(), agnete.authenticator().code(now()));
        let logged_in = |login: &str, pin: &str, code: &str| {
            residents.by_code(login, pin, code, now()).map(|r| r.login.clone())
        };
        assert_eq!(logged_in("nobody", pin, &code), None);
        assert_eq!(logged_in("agnete", &wrong(pin), &code), None);
        assert_eq!(logged_in("agnete", pin, &wrong(&code)), None);
        assert_eq!(logged_in("signe", pin, &code), None);
        assert_eq!(logged_in(" Agnete ", pin, &code).as_deref(), Some("agnete"));
        assert_eq!(logged_in("agnete", pin, &code), None, "the code was used");
    }

    #[test]
    fn five_wrong_attempts_lock_for_a_while() {
        let residents = danes();
        let agnete = &residents.all()[0];
        for _ in 0..TRIES {
            assert!(residents.by_code("agnete", "", "000000", now()).is_none());
        }
        let right = |at: Timestamp| {
            let code = agnete.authenticator().code(at);
            residents.by_code("agnete", agnete.pin(), &code, at).is_some()
        };
        assert!(!right(now()), "locked, even with everything right");
        assert!(!right(now() + LOCKED - SignedDuration::from_secs(1)));
        assert!(right(now() + LOCKED));
    }
}
