//! What we take: programs, firmware, machines, and how much hardware a document asks for. Data,
//! signed by a quorum of release keys; everything that it does not name is refused.

mod document;
mod judge;
mod quorum;
mod words;

use exchange::{Country, DocumentClass};
use jiff::Timestamp;

use super::claims::{Claims, Verified};
use super::evidence::{AssuranceClass, Kind};
use super::reason::{Reason, Refusal};
use document::Document;
pub use document::PolicyFault;
pub use quorum::{Gathered, ReleaseKeys};

/// A policy in force. Made from signed text by [`Policy::open`].
#[derive(Debug, Clone)]
pub struct Policy {
    document: Document,
    signers: Vec<String>,
}

/// What evidence is asked to prove.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// The country that the evidence's key statement speaks for.
    pub country: Country,
    /// What the program must have bound into the evidence, such as the hash of its key statement.
    pub report_data: &'a [u8],
    /// When.
    pub now: Timestamp,
}

impl Policy {
    /// Reads a policy that enough release keys signed, that is in force, and that is not older than
    /// the newest that was in force before.
    pub fn open(
        signed: &[u8],
        keys: &ReleaseKeys,
        now: Timestamp,
        at_least: u64,
    ) -> Result<Self, Refusal> {
        let (text, signers) = keys.open(signed)?;
        let document = Document::parse(text)?;
        if now < document.valid_from || now >= document.valid_until {
            let (from, until) = (document.valid_from, document.valid_until);
            return Err(Refusal::new(Reason::PolicyTime, format!("in force {from} to {until}")));
        }
        if document.version < at_least {
            let detail = format!("version {}, seen {at_least}", document.version);
            return Err(Refusal::new(Reason::PolicyRollback, detail));
        }
        Ok(Self { document, signers })
    }

    /// Reads a policy that nobody signed: for looking at one, never for releasing a document.
    pub fn danger_unsigned(text: &[u8]) -> Result<Self, Refusal> {
        let text = std::str::from_utf8(text).map_err(|_| Reason::PolicyMalformed)?;
        let body =
            text.split_once("\n\n\u{2014} ").map_or(text.to_owned(), |(b, _)| format!("{b}\n"));
        Ok(Self { document: Document::parse(&body)?, signers: Vec::new() })
    }

    /// Reads the text of a policy that nobody signed yet, and says where what is wrong: for those who
    /// write one.
    pub fn draft(text: &str) -> Result<Self, PolicyFault> {
        Ok(Self { document: Document::read(text)?, signers: Vec::new() })
    }

    /// Its number; each policy has a higher one than those before.
    pub fn version(&self) -> u64 {
        self.document.version
    }

    /// From when it is in force.
    pub fn valid_from(&self) -> Timestamp {
        self.document.valid_from
    }

    /// SHA-256 of the keys of registered TPMs, as its rows name them (`tpm-key:...`).
    pub fn registered_tpms(&self) -> Vec<[u8; 32]> {
        let platforms = self.document.partners.iter().flat_map(|partner| &partner.platforms);
        let names = platforms.filter_map(|name| name.strip_prefix("tpm-key:"));
        names.filter_map(|name| hex::decode(name).ok()?.try_into().ok()).collect()
    }

    /// Until when it is in force.
    pub fn valid_until(&self) -> Timestamp {
        self.document.valid_until
    }

    /// Names of the release keys whose signatures were found good.
    pub fn signers(&self) -> &[String] {
        &self.signers
    }

    /// Takes verified evidence, or says the first reason why not.
    pub fn appraise(
        &self,
        verified: Verified<Claims>,
        question: &Question<'_>,
    ) -> Result<Appraised, Refusal> {
        match self.objections(&verified, question).into_iter().next() {
            Some(refusal) => Err(refusal),
            None => {
                let claims = verified.claims();
                let release = judge::release(&self.document, claims)?;
                let grace = judge::grace(&self.document, claims).unwrap_or(Timestamp::MAX);
                Ok(Appraised {
                    country: question.country,
                    release: release.to_owned(),
                    valid_until: claims.valid_until.min(self.document.valid_until).min(grace),
                    policy: self.document.version,
                    verified,
                })
            }
        }
    }

    /// Every reason why not, in the order of their weight; none means that it is taken.
    pub fn objections(&self, verified: &Verified<Claims>, question: &Question<'_>) -> Vec<Refusal> {
        judge::objections(&self.document, verified.claims(), question)
    }

    /// Whether a document of this class may be sealed to what was appraised.
    pub fn permit(
        &self,
        class: DocumentClass,
        appraised: &Appraised,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        if now >= appraised.valid_until || now >= self.document.valid_until {
            return Err(Reason::Expired.into());
        }
        if appraised.policy != self.document.version {
            return Err(Refusal::new(Reason::PolicyRollback, "appraised under another policy"));
        }
        let floor = self.floor(class).ok_or(Reason::DocumentClass)?;
        let enough = match floor {
            Floor::Software => true,
            Floor::Tpm => appraised.class() >= AssuranceClass::Tpm,
            Floor::Hardware(least) => {
                appraised.hardware().is_some_and(|hardware| hardware.class() >= least)
            }
        };
        if enough {
            return Ok(());
        }
        let detail = format!("{} is not {}", appraised.class().name(), floor.name());
        Err(Refusal::new(Reason::Assurance, detail))
    }

    /// How much documents of this class ask for; `None` where no rule says so.
    pub fn floor(&self, class: DocumentClass) -> Option<Floor> {
        self.document.floors.iter().find(|row| row.0 == class).map(|row| row.1)
    }
}

/// The least that documents of a class ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Floor {
    /// Anything that the policy takes.
    Software,
    /// At least a TPM.
    Tpm,
    /// Hardware that keeps the host out, and at least of this class.
    Hardware(HardwareClass),
}

/// Classes of hardware: software has none of these values, so no software reaches them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum HardwareClass {
    /// An enclave.
    Sgx,
    /// A confidential virtual machine.
    Cvm,
}

impl HardwareClass {
    /// What evidence of a kind proves; `None` for what no processor vouches for.
    fn of(kind: Kind) -> Option<Self> {
        match kind.class() {
            AssuranceClass::Software | AssuranceClass::Tpm => None,
            AssuranceClass::Sgx => Some(Self::Sgx),
            AssuranceClass::Cvm => Some(Self::Cvm),
        }
    }
}

impl Floor {
    /// Its name in policies and outputs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Software => AssuranceClass::Software.name(),
            Self::Tpm => AssuranceClass::Tpm.name(),
            Self::Hardware(HardwareClass::Sgx) => AssuranceClass::Sgx.name(),
            Self::Hardware(HardwareClass::Cvm) => AssuranceClass::Cvm.name(),
        }
    }

    fn parse(name: &str) -> Option<Self> {
        Some(match AssuranceClass::parse(name)? {
            AssuranceClass::Software => Self::Software,
            AssuranceClass::Tpm => Self::Tpm,
            AssuranceClass::Sgx => Self::Hardware(HardwareClass::Sgx),
            AssuranceClass::Cvm => Self::Hardware(HardwareClass::Cvm),
        })
    }
}

/// Evidence that was verified and that the policy takes. Made by [`Policy::appraise`] only.
#[derive(Debug, Clone)]
pub struct Appraised {
    country: Country,
    release: String,
    valid_until: Timestamp,
    policy: u64,
    verified: Verified<Claims>,
}

impl Appraised {
    /// Whose machine.
    pub fn country(&self) -> Country {
        self.country
    }

    /// The released program, by the policy's name for it.
    pub fn release(&self) -> &str {
        &self.release
    }

    /// When it must be appraised anew.
    pub fn valid_until(&self) -> Timestamp {
        self.valid_until
    }

    /// The version of the policy that took it.
    pub fn policy(&self) -> u64 {
        self.policy
    }

    /// What the evidence says.
    pub fn claims(&self) -> &Claims {
        self.verified.claims()
    }

    /// How much stands behind the key.
    pub fn class(&self) -> AssuranceClass {
        self.claims().kind.class()
    }

    /// The same, as hardware; `None` for software and for TPMs, which have no such value.
    pub fn hardware(&self) -> Option<Hardware<'_>> {
        HardwareClass::of(self.claims().kind).map(|class| Hardware { class, appraised: self })
    }
}

/// Proof that a processor keeps the host away from the program. Made by [`Appraised::hardware`] only.
#[derive(Debug, Clone, Copy)]
pub struct Hardware<'a> {
    class: HardwareClass,
    appraised: &'a Appraised,
}

impl<'a> Hardware<'a> {
    /// Of which class.
    pub fn class(&self) -> HardwareClass {
        self.class
    }

    /// What was appraised.
    pub fn appraised(&self) -> &'a Appraised {
        self.appraised
    }
}
