use super::super::*;
use super::worlds::{DEADLINE, offer_entry, one_of_each, terms};
use super::{PARTIES, T, reason};
use crate::entry::Half;
use crate::entry::strict::Offer;
use crate::evidence::NO_ANSWER;
use crate::fixtures::shared::{Shared, seal, statement};

pub(super) fn verdict(shared: &Shared, entry: &Entry) -> Result<(), Reason> {
    verify_signatures(&shared.registry(), 1, std::slice::from_ref(entry)).remove(0)
}

#[test]
fn every_kind_by_every_algorithm_verifies_and_no_byte_can_change() {
    let shared = Shared::new();
    let offered = offer_entry(&shared, T);
    let mut changed = 0;
    for (name, entry) in one_of_each(&shared, &offered) {
        assert_eq!(verdict(&shared, &entry), Ok(()), "{name}");
        let bytes = entry.encode();
        for at in 0..bytes.len() {
            let mut other = bytes.to_vec();
            other[at] ^= 1;
            // what is unsigned may name another exchange, or be the other unsigned kind
            let Ok(read) = Entry::decode(&other) else { continue };
            if !matches!(read.body(), Body::Open(_) | Body::Default(_)) {
                // a whole record may say that it closes: the table knows the difference
                let same = entry.kind() != read.kind() && at == 1;
                assert!(same || verdict(&shared, &read).is_err(), "{name}, byte {at}");
                changed += 1;
            }
        }
    }
    assert!(changed > 500, "{changed} damaged entries were still in form");
}

#[test]
fn all_verdicts_of_a_block_are_in_order() {
    let shared = Shared::new();
    let mut entries: Vec<Entry> =
        (0..20).map(|n| shared.whole([n; 16], PARTIES.0, PARTIES.1)).collect();
    for wrong in [3, 11, 19] {
        let mut bytes = entries[wrong].encode().to_vec();
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        entries[wrong] = Entry::decode(&bytes).unwrap();
    }
    entries.insert(5, Entry::open(T));
    let verdicts = verify_signatures(&shared.registry(), 1, &entries);
    let wrong: Vec<_> = (0..21).filter(|at| verdicts[*at].is_err()).collect();
    assert_eq!(wrong, [3, 12, 20]);
    let one_by_one: Vec<_> = entries.iter().map(|entry| verdict(&shared, entry)).collect();
    assert_eq!(verdicts, one_by_one);
}

#[test]
fn each_side_signs_what_is_its_to_sign() {
    let shared = Shared::fast();
    let answered = statement(T, PARTIES.0, PARTIES.1, "answered");
    let unanswered = statement(T, PARTIES.0, PARTIES.1, NO_ANSWER);
    let refused = |entry: Entry, what: &str| {
        assert_eq!(verdict(&shared, &entry), Err(Reason::Signer), "{what}");
        assert_eq!(reason(shared.facts().block(1, &[entry])), Reason::Signer, "{what}");
    };
    let half = |record: &[u8], by: &str| Half::entry(record, DEADLINE, &shared.seals[by]).unwrap();
    refused(Entry::whole(&shared.sign(&answered, &["ES", "DK"])).unwrap(), "the wrong order");
    refused(Entry::whole(&shared.sign(&answered, &["DK", "IT"])).unwrap(), "a third country");
    refused(half(&shared.sign(&answered, &["ES"]), "ES"), "the requester states an answer");
    refused(half(&shared.sign(&answered, &["IT"]), "IT"), "a third country's half");
    refused(half(&shared.sign(&answered, &["DK"]), "ES"), "a deadline by the other side");
    refused(half(&shared.sign(&unanswered, &["ES"]), "DK"), "a deadline by the other side");
    let offer = Offer::entry(&terms(T, DEADLINE), &shared.seals["ES"]).unwrap();
    refused(offer, "an offer by who would receive it");
    assert!(Entry::whole(&shared.sign(&unanswered, &["DK", "ES"])).is_err(), "nobody signs that");
    assert!(Entry::whole(&shared.sign(&answered, &["DK"])).is_err(), "one signature");
    assert!(Entry::whole(&shared.sign(&answered, &["DK", "DK"])).is_err(), "one twice");
}

#[test]
fn a_strangers_seal_counts_for_nothing() {
    let mut shared = Shared::fast();
    let registry = shared.registry();
    shared.seals.insert("DK", seal("DK", &rcgen::PKCS_ED25519));
    let whole = shared.whole(T, PARTIES.0, PARTIES.1);
    let verdicts = verify_signatures(&registry, 1, std::slice::from_ref(&whole));
    assert_eq!(verdicts, [Err(Reason::Signer)]);
    assert_eq!(reason(shared_facts(registry).block(1, &[whole])), Reason::Signer);
}

fn shared_facts(registry: Arc<Registry>) -> crate::fixtures::shared::Memory {
    crate::fixtures::shared::Memory { registry, txs: BTreeMap::new() }
}
