//! The attester of confidential VMs against a kernel that behaves as Linux' configfs-tsm does.
//! There is none on the machines that run this: every quote in here is simulated, and says so.

use std::error::Error as _;
use std::fs;

use enclave::attest::MAX_EVENT_LOG;
use enclave::tsm::{ATTEMPTS, Configfs, Provider, Tree, TsmError, enclave_report, report};
use exchange::SystemEntropy;
use testbed::vendors::kernel::{Kernel, Trouble};
use testbed::vendors::libos::LibraryOs;

const DATA: [u8; 64] = [0x42; 64];

#[test]
fn a_quote_carries_what_was_asked_for_and_calls_itself_simulated() {
    for (provider, privilege) in
        [(Provider::Tdx, None), (Provider::SevSnp, None), (Provider::SevSnp, Some(0))]
    {
        let kernel = Kernel::new(provider, Trouble::None);
        let report = report(&kernel, &SystemEntropy, &DATA, privilege).unwrap();
        assert_eq!(report.provider, provider);
        assert!(report.quote.windows(64).any(|part| part == DATA));
        assert_eq!(report.auxiliary.is_empty(), provider == Provider::Tdx);
        assert!(report.simulated);
        assert!(report.to_string().ends_with("simulated"), "{report}");
        assert_eq!(kernel.entries(), 0, "the entry is removed");
    }
}

#[test]
fn each_trouble_has_its_error_and_a_next_step_and_leaves_no_entry() {
    for (trouble, expected, hint) in [
        (Trouble::NoTree, "NotMounted", "mount -t configfs"),
        (Trouble::NoProvider, "NoProvider", "modprobe"),
        (Trouble::NotRoot, "Denied", "root"),
        (Trouble::HostBusy, "Busy", "qgsd"),
        (Trouble::HostSilent, "Silent", "qgsd"),
        (Trouble::DriverGone, "NoProvider", "modprobe"),
        (Trouble::Refused, "Refused(\"outblob\")", "privilege"),
        (Trouble::TooLong, "TooLong(\"outblob\")", "firmware"),
        (Trouble::Intruder(usize::MAX), "Contended", "something else writes"),
        (Trouble::LostWrites, "Contended", "something else writes"),
        (Trouble::StaleQuote, "OtherData", "something else writes"),
        (Trouble::UnknownProvider, "UnknownProvider(\"cca_guest\")", "tdx_guest"),
        (Trouble::PlainDirectory, "NotAKernel", "path"),
    ] {
        let kernel = Kernel::new(Provider::Tdx, trouble);
        let error = report(&kernel, &SystemEntropy, &DATA, None).unwrap_err();
        assert_eq!(format!("{error:?}"), expected, "{trouble:?}");
        assert!(error.hint().contains(hint), "{trouble:?}: {}", error.hint());
        assert_eq!(kernel.entries(), 0, "{trouble:?}: the entry is removed");
    }
}

#[test]
fn another_writer_in_our_entry_costs_attempts_and_never_a_wrong_quote() {
    for intrusions in 0..ATTEMPTS {
        let kernel = Kernel::new(Provider::SevSnp, Trouble::Intruder(intrusions));
        let report = report(&kernel, &SystemEntropy, &DATA, Some(0)).unwrap();
        assert!(report.quote.windows(64).any(|part| part == DATA), "after {intrusions}");
    }
    let kernel = Kernel::new(Provider::SevSnp, Trouble::Intruder(ATTEMPTS));
    let error = report(&kernel, &SystemEntropy, &DATA, Some(0)).unwrap_err();
    assert!(matches!(error, TsmError::Contended));
}

#[test]
fn privilege_levels_are_0_to_3_and_only_for_sev_snp() {
    let ask = |provider, level| {
        let kernel = Kernel::new(provider, Trouble::None);
        report(&kernel, &SystemEntropy, &DATA, Some(level)).map(|_| ())
    };
    assert!(matches!(ask(Provider::SevSnp, 4), Err(TsmError::Privilege)));
    assert!(matches!(ask(Provider::Tdx, 0), Err(TsmError::Refused("privlevel"))));
    assert!(ask(Provider::SevSnp, 3).is_ok());
}

/// The kernel's own part of the interface, without which the tests above would prove nothing.
#[test]
fn the_simulated_kernel_counts_writes_and_makes_the_quote_when_it_is_read() {
    let kernel = Kernel::new(Provider::SevSnp, Trouble::None);
    kernel.create("a").unwrap();
    assert!(kernel.create("a").is_err());
    let text = |attribute: &str| String::from_utf8(kernel.read("a", attribute).unwrap()).unwrap();
    assert_eq!(text("generation"), "0\n");
    let code = |result: std::io::Result<Vec<u8>>| result.unwrap_err().raw_os_error();
    assert_eq!(code(kernel.read("a", "outblob")), Some(22), "nothing was asked");
    kernel.write("a", "inblob", &[1; 63]).unwrap();
    assert_eq!(code(kernel.read("a", "outblob")), Some(22), "63 bytes are too few");
    assert_eq!(kernel.write("a", "inblob", &[1; 65]).unwrap_err().raw_os_error(), Some(27));
    kernel.write("a", "inblob", &[1; 64]).unwrap();
    let first = kernel.read("a", "outblob").unwrap();
    assert_eq!(first, kernel.read("a", "outblob").unwrap(), "read again, not made again");
    kernel.write("a", "privlevel", b"1").unwrap();
    assert_eq!(text("generation"), "3\n");
    assert_ne!(first, kernel.read("a", "outblob").unwrap(), "made anew after a write");
    assert!(kernel.read("a", "inblob").is_err() && kernel.write("a", "outblob", b"x").is_err());
}

#[test]
fn a_directory_that_is_no_kernels_tree_is_named_and_nothing_stays_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let missing = Configfs::at(&folder.path().join("no/such"));
    let error = report(&missing, &SystemEntropy, &DATA, None).unwrap_err();
    assert!(matches!(error, TsmError::NotMounted), "{error:?}");
    let plain = Configfs::at(folder.path());
    let error = report(&plain, &SystemEntropy, &DATA, None).unwrap_err();
    assert!(matches!(error, TsmError::NotAKernel), "{error:?}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    assert!(plain.simulated() && !Configfs::new().simulated());
}

/// Files in place of attributes: what the real tree's code reads, writes and refuses to make.
#[test]
fn attributes_are_read_with_a_limit_and_never_made() {
    let folder = tempfile::tempdir().unwrap();
    let tree = Configfs::at(folder.path());
    tree.create("a").unwrap();
    assert!(tree.write("a", "inblob", &DATA).is_err(), "no attribute, no file of ours");
    fs::write(folder.path().join("a/inblob"), b"").unwrap();
    tree.write("a", "inblob", &DATA).unwrap();
    assert_eq!(tree.read("a", "inblob").unwrap(), DATA);
    fs::write(folder.path().join("a/outblob"), vec![0; (64 << 10) + 1]).unwrap();
    let error = tree.read("a", "outblob").unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::FileTooLarge);
    assert!(error.source().is_none());
}

#[test]
fn an_enclave_under_gramine_is_quoted_and_calls_itself_simulated() {
    let report = enclave_report(&LibraryOs::new("dcap"), &DATA).unwrap();
    assert_eq!(report.provider, Provider::Sgx);
    assert_eq!(report.quote[48 + 320..][..64], DATA);
    assert!(report.to_string().ends_with("simulated"), "{report}");
    let error = enclave_report(&LibraryOs::new("none"), &DATA).unwrap_err();
    assert!(matches!(&error, TsmError::UnknownProvider(scheme) if scheme == "none"), "{error:?}");
    // this test runs in no enclave
    let error = enclave_report(&Configfs::gramine(), &DATA).unwrap_err();
    assert!(matches!(error, TsmError::NotGramine), "{error:?}");
    assert!(error.hint().contains("gramine-sgx"));
}

#[test]
fn the_firmwares_log_is_read_with_a_limit_and_may_be_missing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("CCEL");
    let tree = Configfs::at(folder.path()).with_event_log(&file);
    assert!(tree.event_log().is_empty(), "a machine without the table");
    fs::write(&file, [7; 100]).unwrap();
    assert_eq!(tree.event_log(), [7; 100]);
    fs::write(&file, vec![7; MAX_EVENT_LOG + 9]).unwrap();
    assert_eq!(tree.event_log().len(), MAX_EVENT_LOG + 1, "longer than any, and seen to be so");
    assert!(Configfs::at(folder.path()).event_log().is_empty(), "nobody named one");
}
