//! A node whose seal key is in a token. The lane runs with `--features pkcs11` and SoftHSM2.

use std::path::Path;
use std::process::{Command, Output};

use exchange::Country;
use jiff::Timestamp;
use testbed::pki::{Pki, SealKind};

const MODULE: &str = "/usr/lib/softhsm/libsofthsm2.so";
const PIN: &str = "246810";

/// The files of Denmark, and a configuration that finds its seal key in the token.
fn configure(folder: &Path) -> String {
    let countries = ["DK", "ES"].map(|c| Country::parse(c).unwrap());
    Pki::new(&countries, SealKind::P256, Timestamp::now()).write(folder).unwrap();
    std::fs::write(folder.join("pin"), PIN).unwrap();
    let pair =
        |name: &str| format!("{{ certificate = \"dk/{name}.pem\", key = \"dk/{name}.key\" }}");
    let text = format!(
        "[node]\ncountry = \"DK\"\nhome_community_id = \"1.2.208\"\ndata_dir = \"data\"\n\
         [listen]\nnational = \"127.0.0.1:0\"\nborder = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\n\
         [tls]\nroots = \"ca.pem\"\nservice_consumer = {}\nservice_provider = {}\n\
         [seal]\ncertificate = \"dk/seal.pem\"\nroots = \"ca.pem\"\n\
         [seal.pkcs11]\nmodule = \"{MODULE}\"\ntoken = \"konfido\"\nlabel = \"seal\"\npin_file = \"pin\"\n",
        pair("service-consumer"),
        pair("service-provider"),
    );
    let file = folder.join("konfido.toml");
    std::fs::write(&file, text).unwrap();
    file.to_str().unwrap().to_owned()
}

fn check(config: &str, folder: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_konfido"))
        .args(["check", "--config", config])
        .env("SOFTHSM2_CONF", folder.join("softhsm2.conf"))
        .output()
        .unwrap()
}

/// What it said, without the breaks and borders of a terminal.
fn said(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr).replace('│', " ");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(not(feature = "pkcs11"))]
#[test]
fn a_build_without_tokens_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let output = check(&configure(folder.path()), folder.path());
    let said = said(&output);
    assert!(!output.status.success() && said.contains("built without"), "{said}");
    assert!(!said.contains(PIN));
}

#[cfg(feature = "pkcs11")]
#[test]
fn a_seal_in_a_token_fits_its_certificate_or_the_fault_is_told() {
    if !Path::new(MODULE).exists() {
        println!("skipped: no SoftHSM2");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let config = configure(folder);
    let tokens = folder.join("tokens");
    std::fs::create_dir(&tokens).unwrap();
    let conf = format!("directories.tokendir = {}\nlog.level = ERROR\n", tokens.display());
    std::fs::write(folder.join("softhsm2.conf"), conf).unwrap();
    let util = |arguments: &[&str]| {
        let conf = folder.join("softhsm2.conf");
        let status =
            Command::new("softhsm2-util").args(arguments).env("SOFTHSM2_CONF", conf).output();
        let output = status.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    let before = check(&config, folder);
    assert!(said(&before).contains("there is not one token konfido"), "{}", said(&before));
    util(&["--init-token", "--free", "--label", "konfido", "--so-pin", "13579", "--pin", PIN]);
    let import = |country: &str, id: &str, label: &str| {
        let key = folder.join(country).join("seal.key");
        let key = key.to_str().unwrap();
        util(&["--import", key, "--token", "konfido", "--label", label, "--id", id, "--pin", PIN]);
    };
    import("dk", "01", "seal");
    let good = check(&config, folder);
    assert!(good.status.success(), "{}", said(&good));
    import("es", "02", "spain");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text.replace("\"seal\"\npin", "\"spain\"\npin")).unwrap();
    let other = check(&config, folder);
    assert!(said(&other).contains("does not sign for the certificate"), "{}", said(&other));
    for output in [before, good, other] {
        assert!(!said(&output).contains(PIN));
    }
}
