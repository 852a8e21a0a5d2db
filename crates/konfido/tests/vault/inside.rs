//! From within: whoever has taken over the process gets nowhere.

use enclave::attack::Attack;
use tempfile::tempdir;

use super::Known;

#[test]
fn a_vault_that_does_what_it_may_not_is_killed_and_comes_back() {
    let (known, folder) = (Known::new(), tempdir().unwrap());
    let process = known.vault(folder.path());
    for (died, attack) in Attack::ALL.into_iter().enumerate() {
        let (before, starts) = (process.id(), process.starts());
        assert_eq!(starts, u64::try_from(died).unwrap() + 1);
        let error = process.attack(attack).expect_err("survived");
        assert_eq!(error.kind(), std::io::ErrorKind::UnexpectedEof, "{attack:?}: {error}");
        // the next who asks starts it again
        process.ping(b"there?").unwrap();
        assert_ne!(process.id(), before, "{attack:?}");
    }
}

#[test]
fn garbage_on_a_lane_is_an_error_and_changes_nothing() {
    let vault = enclave::Vault::new(exchange::Country::parse("DK").unwrap());
    let mut random = 1_u64;
    for length in 0..2_000_usize {
        let frame: Vec<u8> = (0..length)
            .map(|_| {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (random >> 33).to_le_bytes()[0]
            })
            .collect();
        // the first byte says what it is: every request gets its garbage
        let op = u8::try_from(length % 24).unwrap();
        let frame = [&[op], &frame[..]].concat();
        // a ping is answered whatever it carries
        assert!(!vault.takes_frame(&frame) || op == 1, "{op} with {length} bytes");
    }
}
