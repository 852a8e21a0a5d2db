use exchange::Country;
use testbed::pki::{Pki, SealKind};

use super::*;

const TEXT: &str = r#"
[node]
country = "DK"
home_community_id = "1.2.208"
data_dir = "data"
[listen]
national = "127.0.0.1:0"
border = "127.0.0.1:0"
admin = "127.0.0.1:0"
[tls]
roots = "ca.pem"
service_consumer = { certificate = "dk/service-consumer.pem", key = "dk/service-consumer.key" }
service_provider = { certificate = "dk/service-provider.pem", key = "dk/service-provider.key" }
[seal]
certificate = "dk/seal.pem"
key = "dk/seal.key"
roots = "ca.pem"
"#;

fn messages(text: &str, now: Timestamp) -> Vec<String> {
    let countries = ["DK", "ES"].map(|c| Country::parse(c).unwrap());
    let made = Timestamp::from_second(1_800_000_000).unwrap();
    let folder = tempfile::tempdir().unwrap();
    Pki::new(&countries, SealKind::P256, made).write(folder.path()).unwrap();
    let config = Config::parse(&folder.path().join("konfido.toml"), text).unwrap();
    match files(&config, now, Custody::Here) {
        Ok(_) => Vec::new(),
        Err(error) => error.faults().iter().map(|fault| fault.message.clone()).collect(),
    }
}

#[test]
fn files_that_do_not_fit_are_told() {
    let made = Timestamp::from_second(1_800_000_000).unwrap();
    let later = Timestamp::from_second(1_900_000_000).unwrap();
    assert_eq!(messages(TEXT, made), [""; 0]);
    let table: &[(&str, &str, Timestamp, &[&str])] = &[
        ("dk/seal.key", "es/seal.key", made, &["does not belong"]),
        ("dk/seal.key", "dk/none.key", made, &["cannot read"]),
        ("dk/seal.pem", "es/seal.pem", made, &["of country ES"]),
        ("dk/seal.pem", "dk/seal.key", made, &["no certificate"]),
        ("dk/service-provider.key", "dk/seal.key", made, &["key and certificate cannot be used"]),
        (
            "dk/service-consumer.pem",
            "dk/service-provider.pem",
            made,
            &["does not lead to the roots", "cannot be used"],
        ),
        ("roots = \"ca.pem\"\nservice", "roots = \"dk/seal.key\"\nservice", made, &["no roots"]),
        ("DK", "DK", later, &["certificate expired", "certificate expired", "certificate expired"]),
    ];
    for (from, to, now, expected) in table {
        let found = messages(&TEXT.replacen(from, to, 1), *now);
        let all = expected.iter().all(|part| found.iter().any(|message| message.contains(part)));
        assert!(all && found.len() >= expected.len(), "{to}: {found:?}");
    }
}

const EID: &str = r#"
[eid]
listen = "127.0.0.1:0"
url = "https://localhost"
organisation = "Test"
page = "https://example.dk"
email = "eid@example.dk"
roots = "ca.pem"
pages = { certificate = "dk/service-provider.pem", key = "dk/service-provider.key" }
signing = { certificate = "dk/seal.pem", key = "dk/seal.key" }
encryption = { certificate = "dk/service-consumer.pem", key = "dk/service-consumer.key" }
[eid.light]
client = "c"
[eid.light.connector]
part = "specific"
url = "https://localhost/token"
countries = ["ES"]
request = { issuer = "a", secret_file = "ca.pem" }
response = { issuer = "b", secret_file = "/dev/null" }
"#;

#[test]
fn a_short_secret_of_the_light_interface_is_told() {
    let made = Timestamp::from_second(1_800_000_000).unwrap();
    let text = format!("{TEXT}{EID}");
    assert_eq!(messages(&text, made), ["the secret is shorter than 16 characters"]);
    assert_eq!(messages(&text.replace("/dev/null", "ca.pem"), made), [""; 0]);
    let found = messages(&text.replace("/dev/null", "none"), made);
    assert!(found.len() == 1 && found[0].contains("cannot read"), "{found:?}");
}
