//! A ledger in each state of an exchange, and an entry of each kind that could follow.

use exchange::{Country, Transaction, TransactionId};

use super::super::*;
use super::{PARTIES, T};
use crate::entry::strict::{Offer, SEALED_KEY, Terms, key_commitment};
use crate::evidence::sha256;
use crate::fixtures::shared::{Memory, Shared};

pub(super) const CIPHERTEXT: &[u8] = b"what only R's vault will read";
pub(super) const VAULT: &[u8] = b"public key of R's vault";
pub(super) const SEALED: [u8; SEALED_KEY] = [0xc3; SEALED_KEY];
/// Deadline of halves and offers; the key's runs [`LAST`] blocks further.
pub(super) const DEADLINE: u64 = 20;
pub(super) const LAST: u64 = 31;

pub(super) fn terms(txid: TxId, deadline: u64) -> Terms {
    Terms {
        txid: TransactionId(txid),
        transaction: Transaction::Retrieve,
        requester: Country::parse(PARTIES.0).unwrap(),
        provider: Country::parse(PARTIES.1).unwrap(),
        ciphertext: sha256(CIPHERTEXT),
        key: key_commitment(&[1; 32], &[2; 32]),
        recipient: sha256(VAULT),
        deadline,
    }
}

pub(super) fn offer_entry(shared: &Shared, txid: TxId) -> Entry {
    Offer::entry(&terms(txid, DEADLINE), &shared.seals[PARTIES.1]).unwrap()
}

pub(super) fn offer(entry: &Entry) -> &Offer {
    let Body::Offer(offer) = entry.body() else { panic!("an offer") };
    offer
}

/// One entry of each kind about exchange [`T`], by who may make it; halves of both sides.
pub(super) fn one_of_each(shared: &Shared, offered: &Entry) -> Vec<(&'static str, Entry)> {
    let (es, dk) = (&shared.seals[PARTIES.0], &shared.seals[PARTIES.1]);
    let about = offer(offered);
    vec![
        ("whole", shared.whole(T, PARTIES.0, PARTIES.1)),
        ("provider's half", shared.answered(T, PARTIES, DEADLINE + 15)),
        ("requester's half", shared.unanswered(T, PARTIES, DEADLINE + 15)),
        ("half alone", shared.alone(T, PARTIES, PARTIES.1)),
        ("close", shared.close(T, PARTIES.0, PARTIES.1)),
        ("open", Entry::open(T)),
        ("offer", Offer::entry(&terms(T, DEADLINE + 15), dk).unwrap()),
        ("receipt", about.receipt(CIPHERTEXT, VAULT, es).unwrap().unwrap()),
        ("key", about.release(&SEALED, dk).unwrap()),
        ("default", Entry::default_of(T)),
    ]
}

/// A ledger in which [`T`] is in each state that can be, named.
pub(super) fn one_in_each_state(shared: &Shared, offered: &Entry) -> Vec<(&'static str, Memory)> {
    let entries: BTreeMap<_, _> = one_of_each(shared, offered).into_iter().collect();
    let half = shared.answered(T, PARTIES, DEADLINE);
    let asked = shared.unanswered(T, PARTIES, DEADLINE);
    let paths: [(&str, &[(u64, &Entry)]); 14] = [
        ("nothing", &[]),
        ("whole", &[(1, &entries["whole"])]),
        ("alone", &[(1, &entries["half alone"])]),
        ("half of the provider", &[(1, &half)]),
        ("half of the requester", &[(1, &asked)]),
        ("halves of both", &[(1, &half), (2, &asked)]),
        ("open", &[(1, &half), (DEADLINE + 1, &entries["open"])]),
        ("closed", &[(1, &half), (DEADLINE, &entries["close"])]),
        ("closed late", &[(1, &half), (DEADLINE + 1, &entries["close"])]),
        ("offered", &[(1, offered)]),
        ("receipted", &[(1, offered), (DEADLINE, &entries["receipt"])]),
        ("released", &[(1, offered), (DEADLINE, &entries["receipt"]), (30, &entries["key"])]),
        ("lapsed", &[(1, offered), (DEADLINE + 1, &entries["default"])]),
        (
            "defaulted",
            &[(1, offered), (DEADLINE, &entries["receipt"]), (LAST, &entries["default"])],
        ),
    ];
    paths
        .into_iter()
        .map(|(name, path)| {
            let mut facts = shared.facts();
            for (height, entry) in path {
                facts.block(*height, std::slice::from_ref(*entry)).expect(name);
            }
            (name, facts)
        })
        .collect()
}
