//! From the attester to the verifier: what the simulated kernel quotes is verified, and no less.

use enclave::attest::{Evidence, Reason, Roots, verify};
use enclave::tsm::{Provider, enclave_report, report};
use exchange::SystemEntropy;
use testbed::vendors::kernel::{Kernel, Trouble};
use testbed::vendors::libos::LibraryOs;
use testbed::vendors::{amd, intel, now};

use super::judge;

fn roots() -> Roots {
    let ark = amd::Maker::new(amd::Product::Genoa, amd::Endorsement::Vcek, 5).ark.der();
    Roots {
        amd: vec![(enclave::attest::Product::Genoa, ark)],
        intel: intel::Maker::new(intel::Kind::Tdx10).root.der(),
        ..Roots::pinned()
    }
}

#[test]
fn a_report_of_sev_snp_brings_the_certificates_that_verify_it() {
    let kernel = Kernel::new(Provider::SevSnp, Trouble::None);
    let evidence = |privilege| {
        let report = report(&kernel, &SystemEntropy, &[0xda; 64], Some(privilege));
        Evidence::from(report.unwrap())
    };
    let none = enclave::attest::Collateral::None;
    let verified = verify(&evidence(0), &none, &roots(), now()).unwrap();
    assert_eq!(verified.claims().report_data, [0xda; 64]);
    // the host's table has no revocation lists, and nobody else's are looked at in its place
    let refusal = judge(&evidence(0), &none, &roots()).unwrap_err();
    assert_eq!(refusal.reason, Reason::RevocationUnknown);
    let refusal = verify(&evidence(1), &none, &roots(), now()).unwrap_err();
    assert_eq!(refusal.reason, Reason::Vmpl);
}

/// What travels, with Intel's collateral beside it.
fn sent(kernel: &Kernel) -> Evidence {
    let report = report(kernel, &SystemEntropy, &[0xda; 64], None).unwrap();
    let made = intel::Maker::new(intel::Kind::Tdx10).make();
    let collateral = made.collateral.json().into_bytes();
    Evidence { collateral, ..Evidence::from(report) }
}

#[test]
fn a_quote_of_tdx_is_verified_with_collateral_from_elsewhere_and_brings_its_event_log() {
    let kernel = Kernel::new(Provider::Tdx, Trouble::None);
    let (evidence, none) = (sent(&kernel), enclave::attest::Collateral::None);
    let verified = verify(&evidence, &none, &roots(), now()).unwrap();
    assert_eq!(verified.claims().report_data, [0xda; 64]);
    assert_eq!(verified.claims().events.as_ref().map(Vec::len), Some(6));
    let area = kernel.log().bytes();
    assert!(evidence.event_log.len() + 4096 == area.len(), "the filling of the area stays behind");
    // a system that measures more while it runs has no log that fits; its quote is as good
    let later = sent(&Kernel::new(Provider::Tdx, Trouble::None).extended_later());
    let verified = verify(&later, &none, &roots(), now()).unwrap();
    assert_eq!((later.event_log.len(), &verified.claims().events), (0, &None));
    // the invented boot is none of the released ones
    assert_eq!(judge(&evidence, &none, &roots()).unwrap_err().reason, Reason::Measurement);
}

#[test]
fn a_quote_under_gramine_is_verified_with_collateral_from_elsewhere() {
    let report = enclave_report(&LibraryOs::new("dcap"), &[0xda; 64]).unwrap();
    let collateral = intel::Maker::new(intel::Kind::Sgx).make().collateral.json().into_bytes();
    let evidence = Evidence { collateral, ..Evidence::from(report) };
    let none = enclave::attest::Collateral::None;
    assert_eq!(judge(&evidence, &none, &roots()).as_deref(), Ok("vault in an enclave"));
}
