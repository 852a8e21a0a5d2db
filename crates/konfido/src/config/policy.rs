//! `[policy]`: what a country decides by itself.

use exchange::RoleCode;
use identity::Policy;

use super::reader::{Faults, Section};

pub(super) fn read(section: Section<'_, '_>, faults: &Faults) -> Policy {
    let roles = section.optional::<Vec<String>>("extra_submitters");
    section.end();
    let mut policy = Policy::default();
    for role in roles.iter().flat_map(|at| &at.value) {
        match RoleCode::parse(role) {
            Ok(role) => policy.extra_submitters.push(role),
            Err(_) => faults.add(
                &roles.as_ref().expect("because a role of it is looked at").span,
                format!("{role} is no role of eHDSI"),
                Some("ISCO-08 codes, as in \"2262\" (pharmacist)"),
            ),
        }
    }
    policy
}
