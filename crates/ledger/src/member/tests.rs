//! Who takes part: the file that begins a ledger, and what changes its members.

mod changes;
mod governing;
mod motions;

use super::*;
use crate::fixtures::shared::{EPOCH, Shared, TERMS, ed25519, name, seal, voter};
use crate::member::raw::from_hex;

#[test]
fn the_file_is_read_as_it_was_written_and_signed_by_all() {
    let shared = Shared::new();
    let mut genesis = shared.genesis.clone();
    assert_eq!(Genesis::parse(&genesis.to_toml()).unwrap(), genesis);
    for (signed, country) in ["DK", "ES", "EU", "IT"].into_iter().enumerate() {
        assert_eq!(genesis.signers().len(), signed);
        let missing = genesis.check_signed();
        assert_eq!(missing, Err(genesis::GenesisError::Unsigned(name(country))));
        genesis = genesis.signed(&shared.seals[country]).unwrap();
    }
    assert_eq!(genesis.check_signed(), Ok(()));
    assert_eq!(genesis.digest(), shared.genesis.digest(), "signatures do not change it");
    let text = genesis.to_toml();
    assert_eq!(Genesis::parse(&text).unwrap(), genesis);
    assert!(text.contains(&format!("# digest: {}", raw::hex(&genesis.digest()))), "{text}");
    assert!(genesis.clone().signed(&seal("DK", &rcgen::PKCS_ED25519)).is_err(), "a stranger");
}

#[test]
fn comments_and_order_do_not_change_what_is_signed_and_every_value_does() {
    let shared = Shared::new();
    let sign = |genesis: Genesis, seal| genesis.signed(seal).unwrap();
    let genesis = shared.seals.values().fold(shared.genesis.clone(), sign);
    let text = genesis.to_toml();
    let relaxed = format!("# a remark\n{}", text.replace(" = ", "   =  "));
    assert_eq!(Genesis::parse(&relaxed).unwrap(), genesis);
    let mut changes = 0;
    for (at, line) in text.lines().enumerate() {
        let Some((key, value)) = line.split_once(" = ").filter(|_| !line.starts_with('#')) else {
            continue;
        };
        let other = match value {
            "true" => "false".to_owned(),
            _ if value.starts_with('"') => other_text(key, value),
            number => (number.parse::<u64>().unwrap() + 1).to_string(),
        };
        let lines = text.lines().enumerate();
        let changed: Vec<_> = lines
            .map(|(n, line)| if n == at { format!("{key} = {other}") } else { line.to_owned() })
            .collect();
        // either no genesis, or none that these members have signed
        let read = Genesis::parse(&changed.join("\n"));
        assert!(read.is_err(), "{key} = {value} -> {other}");
        changes += 1;
    }
    assert!(changes > 40, "{changes}");
}

/// Another value of the same form.
fn other_text(key: &str, value: &str) -> String {
    let bare = value.trim_matches('"');
    match key {
        "name" | "by" => "\"FI\"".to_owned(),
        "address" => "\"192.0.2.1:1\"".to_owned(),
        "ledger" => "\"other.example\"".to_owned(),
        "algorithm" if bare == "EdDSA" => "\"ES256\"".to_owned(),
        "algorithm" => "\"EdDSA\"".to_owned(),
        "format" => "\"konfido-ledger-genesis/2\"".to_owned(),
        "consensus_key" | "cosigner_ed25519" => format!("\"{}\"", raw::hex(&ed25519())),
        _ => {
            let mut bytes = from_hex(bare).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            format!("\"{}\"", raw::hex(&bytes))
        }
    }
}

#[test]
fn a_file_of_another_form_is_refused_with_its_place() {
    let text = Shared::fast().genesis.to_toml();
    for (what, from, to) in [
        ("an unknown key", "epoch_length", "owner = \"Agnete\"\nepoch_length"),
        ("an unknown key of a member", "voting = true", "voting = true\ncontact = \"Agnete\""),
        ("no epochs", "epoch_length = 100", "epoch_length = 0"),
        ("a lower-case name", "name = \"DK\"", "name = \"dk\""),
        ("two members of one name", "name = \"DK\"", "name = \"ES\""),
        ("a name of words", "name = \"DK\"", "name = \"AGNETE LUND\""),
        ("no ledger", "ledger = \"ledger.konfido.example\"", "ledger = \"\""),
        ("deadlines of nothing", "half_min = 5", "half_min = 0"),
        ("bounds the wrong way", "half_min = 5", "half_min = 51"),
        ("another version", "genesis/1", "genesis/2"),
        ("upper-case digits", "kid = \"", "kid = \"AB"),
    ] {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text, "{what}");
        assert!(Genesis::parse(&changed).is_err(), "{what}");
    }
    let error = Genesis::parse("format = 1").unwrap_err().to_string();
    assert!(error.contains("line 1"), "{error}");
    assert!(Genesis::parse(&" ".repeat(2 << 20)).is_err(), "too long");
}

/// The encoding that is signed may never change. The keys are those of RFC 8032 §7.1; the digest was
/// made by a CBOR encoder of another language (maps in the order of the file, RFC 8949 §4.2 otherwise).
#[test]
fn a_known_genesis_has_its_known_digest() {
    let key = |text: &str| <[u8; 32]>::try_from(from_hex(text).unwrap()).unwrap();
    let keys = [
        key("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"),
        key("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"),
        key("fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025"),
    ];
    let text = format!(
        "format = \"konfido-ledger-genesis/1\"\nledger = \"ledger.example\"\nepoch_length = 1000\n\
         [terms]\nhalf_min = 1\nhalf_max = 2\noffer_min = 3\noffer_max = 4\nkey_blocks = 5\n\
         [[member]]\nname = \"DK\"\nvoting = true\naddress = \"127.0.0.1:9000\"\n\
         consensus_key = \"{}\"\ncosigner_ed25519 = \"{}\"\nmeasurement = \"{}\"\n\
         [[member.evidence_key]]\nkid = \"{}\"\nalgorithm = \"EdDSA\"\npublic = \"{}\"\nuntil = 9\n\
         [[member]]\nname = \"EDPS\"\nvoting = false\naddress = \"edps.example:1\"\n",
        raw::hex(&keys[0]),
        raw::hex(&keys[1]),
        "ab".repeat(48),
        "cd".repeat(32),
        raw::hex(&keys[2]),
    );
    let genesis = Genesis::parse(&text).unwrap();
    assert_eq!(raw::hex(&genesis.digest()), KNOWN);
    assert_eq!(Genesis::parse(&genesis.to_toml()).unwrap(), genesis);
    assert_eq!(genesis.roll().quorum(), 1);
}

const KNOWN: &str = "cc4387505fceb877bf2f7111e4eb7fd0b4790f0b5d17d11cd49d6344a534792f";

#[test]
fn members_that_could_not_work_are_refused() {
    let shared = Shared::fast();
    let good = |country: &str| voter(country, &shared.seals[country]);
    let one = |member: Member| Genesis::new("ledger.example", EPOCH, TERMS, vec![member]);
    assert!(one(good("DK")).is_ok());
    let weak = Some(Raw32({
        let mut identity = [0; 32];
        identity[0] = 1;
        identity
    }));
    let same = good("DK").consensus_key;
    let keys = good("DK").evidence_keys;
    for (what, member, error) in [
        ("no consensus key", Member { consensus_key: None, ..good("DK") }, MemberError::Incomplete),
        ("no cosigner", Member { cosigner_ed25519: None, ..good("DK") }, MemberError::Incomplete),
        ("no seal", Member { evidence_keys: Vec::new(), ..good("DK") }, MemberError::Incomplete),
        ("a key of everybody's", Member { consensus_key: weak, ..good("DK") }, MemberError::Key),
        ("half an ML-DSA key", good("DK").with_ml_dsa_44(vec![1; 656]), MemberError::Key),
        ("half a measurement", good("DK").with_measurement(vec![1; 24]), MemberError::Measurement),
        (
            "one key for two purposes",
            Member { consensus_key: same, cosigner_ed25519: same, ..good("DK") },
            MemberError::Twice,
        ),
        (
            "one seal twice",
            Member { evidence_keys: [&keys[..], &keys[..]].concat(), ..good("DK") },
            MemberError::Twice,
        ),
        ("no vote", Member::observer(name("DK"), good("DK").address), MemberError::Count),
    ] {
        assert_eq!(one(member).err(), Some(error), "{what}");
    }
    let many = (0..9).map(|_| EvidenceKey::of(seal("DK", &rcgen::PKCS_ED25519).certificate(), 0));
    let many = Member { evidence_keys: many.map(Result::unwrap).collect(), ..good("DK") };
    assert_eq!(one(many).err(), Some(MemberError::ManyKeys));
    let shared_key = Member { consensus_key: good("DK").consensus_key, ..good("ES") };
    let mut dk = good("DK");
    dk.consensus_key = shared_key.consensus_key;
    let both = Genesis::new("ledger.example", EPOCH, TERMS, vec![dk, shared_key]);
    assert_eq!(both.err(), Some(MemberError::Twice));
}

/// With more members than their engines have room for all validators ended, and could not start again.
#[test]
fn no_change_makes_more_members_than_there_may_be() {
    let shared = Shared::fast();
    let observer = |n: usize| {
        let address = Address::parse("192.0.2.9:1").unwrap();
        Member::observer(name(&format!("M{n}")), address)
    };
    let members = (1..MAX_MEMBERS).map(observer).chain([voter("DK", &shared.seals["DK"])]);
    let genesis = Genesis::new("ledger.example", EPOCH, TERMS, members.collect()).unwrap();
    let registry = genesis.registry();
    let join = |n| Change::Join(Box::new(observer(n)));
    assert_eq!(registry.changed(1, &join(MAX_MEMBERS)).err(), Some(MemberError::Count));
    let left = registry.changed(1, &Change::Leave(name("M1"))).unwrap();
    assert!(left.changed(1, &join(MAX_MEMBERS)).is_ok());
}

#[test]
fn quorums_of_any_two_have_an_honest_member_in_common() {
    let shared = Shared::fast();
    for (voting, quorum) in
        [(1, 1), (2, 2), (3, 3), (4, 3), (5, 4), (6, 5), (7, 5), (10, 7), (27, 19)]
    {
        let members = (0..voting)
            .map(|n| {
                let seal = seal("DK", &rcgen::PKCS_ED25519);
                Member { name: name(&format!("M{n}")), ..voter("DK", &seal) }
            })
            .chain([Member::observer(name("EDPS"), voter("DK", &shared.seals["DK"]).address)])
            .collect();
        let genesis = Genesis::new("ledger.example", EPOCH, TERMS, members).unwrap();
        assert_eq!(genesis.roll().quorum(), quorum, "{voting}");
        let faulty = (voting - 1) / 3;
        assert!(2 * quorum - voting > faulty && quorum <= voting - faulty, "{voting}");
    }
}
