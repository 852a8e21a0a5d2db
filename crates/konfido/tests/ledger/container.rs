//! An export for a court.

use std::path::Path;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ledger::evidence::sha256;
use testbed::world::AGNETE;
use trust::certificate::Anchors;

use crate::left::printed;
use crate::{Left, found, ledger, refused};

/// The files of a zip, by another program; `None` where there is no Python.
pub fn unzipped(file: &Path, into: &Path) -> Option<()> {
    let python = Command::new("python3").args(["-m", "zipfile", "-e"]).arg(file).arg(into).output();
    let Ok(python) = python else {
        println!("skipped: no python3 to unpack the container");
        return None;
    };
    assert!(python.status.success(), "{}", String::from_utf8_lossy(&python.stderr));
    Some(())
}

#[test]
fn a_court_opens_the_container_with_tools_that_are_not_ours() {
    let left = Left::new();
    let (number, _) = found(&left.dk, &AGNETE.id().cx()).pop().unwrap();
    let out = left.dir().join("evidence.asice");
    let to = out.to_str().unwrap();
    printed(&ledger(&left.dk, &["export", &number, "--show", "patient,purpose", "--out", to]));
    let bytes = std::fs::read(&out).unwrap();
    assert_eq!(&bytes[30..69], b"mimetypeapplication/vnd.etsi.asic-e+zip");
    let has = |needle: &str| memchr::memmem::find(&bytes, needle.as_bytes()).is_some();
    assert!(has(AGNETE.number) && has("\"purpose\"") && !has("\"professional\""), "as chosen");
    let cose = left.dir().join("evidence.cose");
    let arguments = ["export", &number, "--format", "cose", "--out", cose.to_str().unwrap()];
    printed(&ledger(&left.dk, &arguments));
    let folder = left.dir().join("container");
    if unzipped(&out, &folder).is_some() {
        let read = |name: &str| std::fs::read(folder.join(name)).unwrap();
        assert_eq!(read("statement.cose"), std::fs::read(&cose).unwrap());
        let anchors = Anchors::from_pem(&std::fs::read(left.dir().join("pki/ca.pem")).unwrap());
        ledger::receipt::verify(&read("receipt.json"), &anchors.unwrap()).unwrap();
        let manifest = String::from_utf8(read("META-INF/ASiCManifest001.xml")).unwrap();
        for name in ["evidence.txt", "receipt.json", "statement.cose", "certificates.pem"] {
            let digest = STANDARD.encode(sha256(&read(name)));
            assert!(manifest.contains(name) && manifest.contains(&digest), "{name}: {manifest}");
        }
        openssl_accepts(&folder, &left.dir().join("pki/ca.pem"));
    }
    let unknown = ledger(&left.dk, &["export", &number, "--show", "diagnosis", "--out", to]);
    assert!(refused(&unknown).contains("no field diagnosis"));
    let shown = ["export", &number, "--format", "cose", "--show", "patient", "--out", to];
    assert!(refused(&ledger(&left.dk, &shown)).contains("shows no field"));
}

fn openssl_accepts(folder: &Path, roots: &Path) {
    let verify = |manifest: &Path| {
        Command::new("openssl")
            .args(["cms", "-verify", "-cades", "-binary", "-inform", "DER", "-purpose", "any"])
            .arg("-in")
            .arg(folder.join("META-INF/signature001.p7s"))
            .arg("-content")
            .arg(manifest)
            .arg("-CAfile")
            .arg(roots)
            .args(["-out", "/dev/null"])
            .output()
    };
    let manifest = folder.join("META-INF/ASiCManifest001.xml");
    let Ok(checked) = verify(&manifest) else {
        println!("skipped: no openssl to check the signature");
        return;
    };
    let said = String::from_utf8_lossy(&checked.stderr).into_owned();
    assert!(checked.status.success() && said.contains("CAdES Verification successful"), "{said}");
    let mut forged = std::fs::read(&manifest).unwrap();
    let at = forged.len() - 100;
    forged[at] ^= 1;
    let other = folder.join("forged.xml");
    std::fs::write(&other, forged).unwrap();
    assert!(!verify(&other).unwrap().status.success(), "a changed manifest");
}
