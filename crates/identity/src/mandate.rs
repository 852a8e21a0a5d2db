//! Step two of the road: may this person do this to this patient?

use exchange::{Code, DocumentClass, Permission, Refusal, RoleCode, Transaction};

use crate::rules::{Policy, Recognised};

/// What the patient said about cross-border exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consent {
    /// Given.
    Given,
    /// Withheld.
    Withheld,
    /// Not ours to know: the country of affiliation decides.
    ElsewhereDecided,
}

/// Proof that a recognised clinician may do this transaction. Made by [`permit`] only.
#[derive(Debug)]
pub struct Mandate {
    recognised: Recognised,
    transaction: Transaction,
    class: Option<DocumentClass>,
}

impl Mandate {
    /// Who asks for whom.
    pub fn recognised(&self) -> &Recognised {
        &self.recognised
    }

    /// For which transaction.
    pub fn transaction(&self) -> Transaction {
        self.transaction
    }

    /// Whether it covers a document of this class: what an ITI-39 returns is known only now.
    pub fn covers(&self, class: DocumentClass) -> bool {
        match self.class {
            Some(permitted) => permitted == class,
            None => permissions_cover(&self.recognised, self.transaction, Some(class)),
        }
    }
}

/// Role x permission x transaction x consent. An unknown combination is refused.
///
/// `class` is `None` where the request does not say it: ITI-55 always, ITI-39 by its nature; then
/// [`Mandate::covers`] must be asked before a document is released.
pub fn permit(
    recognised: Recognised,
    transaction: Transaction,
    class: Option<DocumentClass>,
    consent: Consent,
    policy: &Policy,
) -> Result<Mandate, Refusal> {
    let rights = |hint| Refusal::new(Code::ErrorInsufficientRights, hint);
    if !role_may(recognised.role(), transaction, class, policy) {
        return Err(rights(
            "this role may not use this transaction; a colleague with another role can",
        ));
    }
    let covered = if transaction == Transaction::Retrieve && class.is_none() {
        RETRIEVABLE.iter().any(|class| permissions_cover(&recognised, transaction, Some(*class)))
    } else {
        permissions_cover(&recognised, transaction, class)
    };
    if !covered {
        return Err(rights(
            "the HCP assertion lacks a permission for this transaction; ask your identity provider",
        ));
    }
    if consent == Consent::Withheld {
        return Err(Refusal::new(
            no_consent(transaction, class),
            "the patient has not agreed; ask the patient at home",
        ));
    }
    Ok(Mandate { recognised, transaction, class })
}

/// The code for withheld consent, by what was asked.
fn no_consent(transaction: Transaction, class: Option<DocumentClass>) -> Code {
    match (transaction, class) {
        (Transaction::PatientDiscovery, _) => Code::WarningPiNoConsent,
        (_, Some(DocumentClass::PatientSummary)) => Code::ErrorPsNoConsent,
        (_, Some(DocumentClass::EPrescription)) => Code::ErrorEpNoConsent,
        (Transaction::Submit, _) => Code::ErrorEdNoConsent,
        _ => Code::ErrorNoConsent,
    }
}

fn permissions_cover(
    recognised: &Recognised,
    transaction: Transaction,
    class: Option<DocumentClass>,
) -> bool {
    Permission::required(transaction, class).is_some_and(|required| {
        required.iter().all(|permission| recognised.permissions().contains(permission))
    })
}

fn role_may(
    role: RoleCode,
    transaction: Transaction,
    class: Option<DocumentClass>,
    policy: &Policy,
) -> bool {
    if policy.extra_submitters.contains(&role) && transaction == Transaction::Submit {
        return true;
    }
    ROLES.iter().filter(|row| row.0 == transaction).any(|row| {
        let class_fits = row.1.is_empty() || class.is_none_or(|class| row.1.contains(&class));
        class_fits && row.2.contains(&role.code())
    })
}

/// What an ITI-39 may turn out to be.
const RETRIEVABLE: [DocumentClass; 6] = [
    DocumentClass::PatientSummary,
    DocumentClass::EPrescription,
    DocumentClass::DischargeReport,
    DocumentClass::LaboratoryReport,
    DocumentClass::ImagingReport,
    DocumentClass::Images,
];

type RoleRow = (Transaction, &'static [DocumentClass], &'static [&'static str]);

/// Which roles may use which transaction (empty class list: any). Clerks (ISCO 44) may find a
/// patient and nothing else; only who dispenses may submit.
static ROLES: [RoleRow; 7] = [
    (Transaction::PatientDiscovery, &[], CLINICAL),
    (Transaction::PatientDiscovery, &[], &["44"]),
    (Transaction::Query, &[DocumentClass::EPrescription], DISPENSING),
    (Transaction::Query, &[], CLINICAL),
    (Transaction::Retrieve, &[], CLINICAL),
    (Transaction::Retrieve, &[DocumentClass::EPrescription], DISPENSING),
    (Transaction::Submit, &[DocumentClass::EDispensation, DocumentClass::Discard], DISPENSING),
];

const CLINICAL: &[&str] = &[
    "221", "2221", "2222", "2261", "2262", "2264", "2265", "2266", "2267", "2269", "3211", "3213",
];
const DISPENSING: &[&str] = &["221", "2262", "3213"];
