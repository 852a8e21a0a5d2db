//! Time-stamps of a validator's checkpoints: from an authority over HTTP to a receipt that holds, and
//! authorities that err. The same road with OpenSSL as authority and judge is `interop/c2sp`.

mod authority;
mod validator;

use std::fs;
use std::time::{Duration, Instant};

use ledger::proof::Proof;
use ledger::timestamp::{Expected, TimeStampToken, imprint};
use trust::certificate::Anchors;

use authority::{Authority, Does};
use validator::{PATIENCE, Validator, konfido, said};

fn installed(authority: &Authority) -> Validator {
    Validator::install(&format!("http://{}/stamps", authority.address), authority.root_pem())
}

/// Of `konfido verify`: the file, and whom the reader believes.
fn verify(at: &Validator, file: &str, more: &[&str]) -> std::process::Output {
    let (file, policy) = (at.file(file), at.file("policy"));
    konfido(&[&["verify", &file, "--policy", &policy], more].concat())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_checkpoint_is_stamped_and_receipt_and_proof_hold_by_the_stamp() {
    let authority = Authority::start(Does::Stamp);
    let mut validator = installed(&authority);
    validator.start().await;
    validator.grow().await;
    let proof = validator.stamped().await;
    fs::write(validator.file("receipt.json"), validator.receipt(&proof).await).unwrap();
    fs::write(validator.file("0.tlog-proof"), proof.to_string()).unwrap();
    let (roots, tsa, entry) =
        (validator.file("roots.pem"), validator.file("tsa.pem"), validator.file("entry"));
    let of_receipt = ["--roots", &roots, "--tsa-roots"];
    let of_proof = ["--entry", &entry, "--tsa-roots"];
    for (file, more) in [("receipt.json", &of_receipt[..]), ("0.tlog-proof", &of_proof)] {
        let told = said(&verify(&validator, file, &[more, &[&tsa]].concat()));
        assert!(told.contains("by CN=stamps, policy 1.2.3.4") && told.contains("holds"), "{told}");
        // the roots of seals are no roots of time-stamping authorities
        let other = verify(&validator, file, &[more, &[&roots], &["--json"]].concat());
        let told = String::from_utf8(other.stdout).unwrap();
        assert!(told.contains(r#""step":"time-stamp""#), "{told}");
    }
    let newer = Proof { extra: None, ..proof.clone() }.to_string();
    fs::write(validator.file("bare.tlog-proof"), newer).unwrap();
    said(&verify(&validator, "bare.tlog-proof", &of_proof[..2]));
    assert!(
        !verify(&validator, "bare.tlog-proof", &[&of_proof[..], &[&tsa]].concat()).status.success()
    );

    // the next checkpoint gets the next stamp
    validator.grow().await;
    let next = validator.stamped().await;
    assert_eq!(next.index, 1);
    assert_ne!(next.extra, proof.extra);
    // what was stamped is served when the authority is gone, and after a restart
    authority.does(Does::Fails);
    assert!(validator.stop().0.success());
    validator.start().await;
    assert_eq!(validator.stamped().await, next);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_authority_that_errs_stamps_nothing_and_delays_no_checkpoint() {
    let authority = Authority::start(Does::Garbage);
    let mut validator = installed(&authority);
    validator.start().await;
    for (does, why) in [
        (Does::Garbage, "not the DER of a time-stamp"),
        (Does::Half, "not the DER of a time-stamp"),
        (Does::Page, "not the DER of a time-stamp"),
        (Does::Fails, "the authority answers 503"),
        (Does::Refuses, "the time-stamping authority refused: status 2"),
        (Does::Floods, "it is too large"),
        (Does::OtherDigest, "time-stamp is over other bytes"),
        (Does::OtherNonce, "its nonce differs"),
        (Does::Stranger, "no valid path"),
    ] {
        authority.does(does);
        let before = validator.log().len();
        let took = validator.grow().await;
        assert!(took < SOON, "{does:?} delays a checkpoint by {took:?}");
        until_said(&validator, before, why).await;
        assert!(!validator.tiles().join("stamped.json").exists(), "{does:?} is taken for a stamp");
        assert_eq!(validator.get("/v1/entries/0/proof?stamped").await, None);
        assert!(validator.get("/v1/entries/0/proof").await.is_some());
    }
    // one that says nothing holds up neither checkpoints nor what comes after it
    authority.does(Does::Hangs);
    let before = validator.log().len();
    let from = Instant::now();
    while !validator.log()[before..].contains("no answer in time") {
        let took = validator.grow().await;
        assert!(took < SOON, "silence delays a checkpoint by {took:?}");
        assert!(from.elapsed() < PATIENCE * 2, "it waits for ever");
        // one checkpoint a second
        tokio::time::sleep(Duration::from_millis(1100)).await;
    }
    authority.does(Does::Stamp);
    let proof = validator.stamped().await;
    let token = TimeStampToken::read(&proof.extra.unwrap()).unwrap();
    let roots = Anchors::from_pem(authority.root_pem().as_bytes()).unwrap();
    token.verify(imprint(&proof.checkpoint), &roots, Expected::default()).unwrap();
    let size: u64 = proof.checkpoint.lines().nth(1).unwrap().parse().unwrap();
    assert_eq!(size, validator.published().await, "over the newest");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_validator_stops_while_its_authority_is_silent() {
    let authority = Authority::start(Does::Hangs);
    let mut validator = installed(&authority);
    validator.start().await;
    validator.grow().await;
    // it looks after two seconds, and waits then
    tokio::time::sleep(Duration::from_millis(3500)).await;
    let (status, took) = validator.stop();
    assert!(status.success(), "{}", validator.log());
    assert!(took < SOON, "{took:?}");
}

/// It ran, and there was never a checkpoint.
#[test]
fn a_validator_that_lacks_a_key_that_the_ledger_names_says_so_at_its_start() {
    let validator = Validator::install("http://127.0.0.1:1", "");
    let (file, key) = (validator.file("ledger.toml"), "cosigner_key_ml_dsa_44");
    let text = fs::read_to_string(&file).unwrap();
    let without: Vec<&str> = text.lines().filter(|line| !line.starts_with(key)).collect();
    assert_eq!(without.len() + 1, text.lines().count());
    fs::write(&file, without.join("\n")).unwrap();
    let done = konfido(&["ledger", "run", "--config", &file]);
    let told = String::from_utf8(done.stderr).unwrap();
    assert!(!done.status.success() && told.contains(key), "{told}");
}

async fn until_said(validator: &Validator, from: usize, why: &str) {
    let until = Instant::now() + PATIENCE;
    while !validator.log()[from..].contains(why) {
        assert!(Instant::now() < until, "{why} is not said: {}", &validator.log()[from..]);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// More than a checkpoint takes on a busy machine, less than an authority has time for its answer.
const SOON: Duration = Duration::from_secs(15);
