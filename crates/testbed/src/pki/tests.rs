use std::os::unix::fs::PermissionsExt as _;

use trust::certificate::Usage;

use super::*;

fn now() -> Timestamp {
    "2026-11-21T03:00:00Z".parse().unwrap()
}

fn dk() -> Country {
    Country::parse("DK").unwrap()
}

fn usage(role: Role) -> Usage {
    match role {
        Role::Seal => Usage::Seal,
        Role::ServiceConsumer | Role::OpenncpClient => Usage::TlsClient,
        Role::ServiceProvider | Role::OpenncpServer => Usage::TlsServer,
    }
}

#[test]
fn every_certificate_is_trusted_for_its_role() {
    let pki = Pki::of_the_world(now());
    let anchors = pki.anchors();
    for ((country, role), identity) in &pki.identities {
        let certificate = identity.certificate();
        assert_eq!(certificate.country(), Some(*country));
        anchors
            .verify(certificate, &[], usage(*role), now())
            .unwrap_or_else(|e| panic!("{country} {role:?}: {e}"));
        assert_eq!(identity.seal_key().certificate().fingerprint(), certificate.fingerprint());
    }
    assert_eq!(pki.identities.len(), 4 * 5, "three countries and the Commission, each role");
}

#[test]
fn rsa_seals_sign_too() {
    let pki = Pki::new(&[dk()], SealKind::Rsa3072, now());
    let seal = pki.identity(dk(), Role::Seal);
    pki.anchors().verify(seal.certificate(), &[], Usage::Seal, now()).unwrap();
    assert_eq!(seal.seal_key().xml_scheme(), trust::seal::Scheme::Rs256);
}

#[test]
fn faults_are_found_where_they_are() {
    let pki = Pki::new(&[dk()], SealKind::P256, now());
    for role in [Role::ServiceConsumer, Role::ServiceProvider, Role::Seal] {
        for fault in [Fault::Expired, Fault::NotYetValid, Fault::OtherAuthority, Fault::WrongUsage]
        {
            // any extended key usage is tolerated in a seal certificate
            let expected = role == Role::Seal && fault == Fault::WrongUsage;
            let identity = pki.faulty(dk(), role, fault);
            let accepted =
                pki.anchors().verify(identity.certificate(), &[], usage(role), now()).is_ok();
            assert_eq!(accepted, expected, "{role:?} {fault:?}");
        }
        let weak = pki.faulty(dk(), role, Fault::WeakKey);
        assert_eq!(weak.certificate().country(), Some(dk()));
        assert!(weak.key_pem().is_empty());
    }
}

#[test]
fn keys_on_disk_are_for_their_owner_only() {
    let dir = tempfile::tempdir().unwrap();
    let pki = Pki::new(&[dk()], SealKind::P256, now());
    pki.write(dir.path()).unwrap();
    pki.write(dir.path()).unwrap();
    for role in Role::ALL {
        let key = dir.path().join(format!("dk/{}.key", role.stem()));
        assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
        let chain = fs::read(key.with_extension("pem")).unwrap();
        SealKey::from_pem(&fs::read(key).unwrap(), &chain).unwrap();
    }
    Anchors::from_pem(&fs::read(dir.path().join("ca.pem")).unwrap()).unwrap();
}
