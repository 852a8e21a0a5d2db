//! What we accept of a peer's vault: its evidence, held against our policy.

use std::sync::Arc;

use exchange::{Country, DocumentClass, Permission, Transaction};
use jiff::Timestamp;

use crate::attest::{
    Appraised, AssuranceClass, Collateral, Evidence, Kind, Policy, Question, Reason, Roots, verify,
};
use crate::statement::KeyStatement;
use crate::{Attestation, VaultError};

/// What is accepted of a peer.
#[derive(Clone)]
pub struct Acceptance {
    software: Vec<Attestation>,
    policy: Option<Arc<Policy>>,
    collateral: Arc<Collateral>,
    roots: Arc<Roots>,
}

/// What stands behind a key, verified. Made by [`Acceptance::appraise`] only.
#[derive(Debug, Clone)]
pub(crate) enum Standing {
    /// Nothing but the peer's word. No rule that asks for hardware looks here.
    Software,
    /// Evidence that our policy takes.
    Appraised(Box<Appraised>),
}

impl Acceptance {
    /// No policy: software of these kinds, and no hardware, as nothing says which.
    pub fn software(kinds: &[Attestation]) -> Self {
        let (collateral, roots) = (Arc::new(Collateral::None), Arc::new(Roots::pinned()));
        Self { software: kinds.to_vec(), policy: None, collateral, roots }
    }

    /// What a policy takes, software included; evidence that brings no collateral is verified
    /// with ours. The TPMs that the policy registers are among the roots from here on.
    pub fn policy(policy: Arc<Policy>, collateral: Arc<Collateral>, roots: Arc<Roots>) -> Self {
        let roots = Arc::new(Roots::clone(&roots).registered(&policy));
        Self { software: Vec::new(), policy: Some(policy), collateral, roots }
    }

    /// The policy's number, where there is one.
    pub fn policy_version(&self) -> Option<u64> {
        self.policy.as_ref().map(|policy| policy.version())
    }

    /// Verifies the evidence of a statement and holds it against the policy.
    pub(crate) fn appraise(
        &self,
        statement: &KeyStatement,
        evidence: &Evidence,
        country: Country,
        now: Timestamp,
    ) -> Result<Standing, VaultError> {
        let refused = |refusal: crate::attest::Refusal| VaultError::Evidence(refusal.reason);
        let verified = verify(evidence, &self.collateral, &self.roots, now).map_err(refused)?;
        let report_data = statement.report_data();
        if let Some(policy) = &self.policy {
            let question = Question { country, report_data: &report_data, now };
            let appraised = policy.appraise(verified, &question).map_err(refused)?;
            return Ok(Standing::Appraised(Box::new(appraised)));
        }
        if verified.claims().report_data != report_data {
            return Err(VaultError::Evidence(Reason::ReportData));
        }
        if evidence.kind != Kind::Software {
            return Err(VaultError::Key("evidence of hardware, and no policy that takes it"));
        }
        let known = Attestation::ALL.into_iter().find(|known| known.name() == statement.home);
        known
            .filter(|known| self.software.contains(known))
            .map(|_| Standing::Software)
            .ok_or(VaultError::Key("attestation is not accepted by policy"))
    }

    /// Whether a document of this class may be sealed for a key with this standing.
    pub(crate) fn permit(
        &self,
        class: DocumentClass,
        standing: &Standing,
        now: Timestamp,
    ) -> Result<(), VaultError> {
        match (&self.policy, standing) {
            (None, Standing::Software) => Ok(()),
            (Some(policy), Standing::Appraised(appraised)) => policy
                .permit(class, appraised, now)
                .map_err(|refusal| VaultError::Evidence(refusal.reason)),
            // the policy came or went after the key was checked
            _ => Err(VaultError::Key("was checked under another policy")),
        }
    }
}

impl Acceptance {
    /// As [`Acceptance::permit`], for a document of any class that is asked for: of which one it is,
    /// nobody has said, and a class without a rule is refused.
    pub(crate) fn permit_all(&self, standing: &Standing, now: Timestamp) -> Result<(), VaultError> {
        let asked = |class| Permission::required(Transaction::Retrieve, Some(class)).is_some();
        let mut classes = DocumentClass::all().filter(|class| asked(*class));
        classes.try_for_each(|class| self.permit(class, standing, now))
    }
}

impl Standing {
    pub(crate) fn class(&self) -> AssuranceClass {
        match self {
            Self::Software => AssuranceClass::Software,
            Self::Appraised(appraised) => appraised.class(),
        }
    }

    pub(crate) fn valid_until(&self) -> Timestamp {
        match self {
            Self::Software => Timestamp::MAX,
            Self::Appraised(appraised) => appraised.valid_until(),
        }
    }
}

impl std::fmt::Debug for Acceptance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.policy {
            Some(policy) => write!(f, "Acceptance(policy {})", policy.version()),
            None => write!(f, "Acceptance({:?})", self.software),
        }
    }
}
