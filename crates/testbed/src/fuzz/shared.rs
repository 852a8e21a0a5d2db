//! The shared ledger: entries, signatures, genesis files and governance, as a member that lies may send
//! them.

use std::sync::{Arc, LazyLock};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use ledger::entry::{Entry, TxId};
use ledger::member::{Genesis, Registry, govern::Statement};
use ledger::rules::{Draft, Effects, Facts, FactsError, Tx, apply, verify_signatures};
use trust::seal::Scheme;
use trust::verifying::{Batch, VerifyingKey};

/// An entry: read as what it is, judged without a panic, and a record of it that can be kept.
pub fn entry(data: &[u8]) -> bool {
    if let Some(tx) = Tx::decode(data) {
        assert_eq!(tx.encode(), data, "one record has one encoding");
    }
    let Ok(entry) = Entry::decode(data) else { return false };
    assert_eq!(entry.encode(), data, "one entry has one encoding");
    let mut facts = Kept { registry: Arc::clone(&REGISTRY), effects: Effects::default() };
    for height in [1, 2, 90, 1 << 40] {
        let both = [entry.clone(), entry.clone().padded(1024)];
        let verdicts = verify_signatures(&facts.registry, height, &both);
        assert_eq!(verdicts[0], verdicts[1], "padding changes no verdict");
        let again = verify_signatures(&facts.registry, height, &both[..1]);
        assert_eq!(verdicts[0], again[0], "alone as among others");
        let mut draft = Draft::new(&facts, height, height);
        let pushed = draft.push(&entry).is_ok();
        assert_eq!(pushed, apply(&facts, height, height, &both[..1]).is_ok());
        if pushed {
            let effects = draft.effects();
            for (txid, tx) in &effects.txs {
                assert_eq!((Some(*txid), Tx::decode(&tx.encode())), (entry.txid(), Some(*tx)));
            }
            assert!(apply(&facts, height, height, &both).is_err(), "nothing stands twice");
            facts.effects = effects;
        }
    }
    true
}

/// Ed25519 signatures of [`SIGNED`], each behind its key (32 and 64 bytes): among as many good ones as are
/// verified in eight lanes, where the processor has them, each is judged as it is alone.
pub fn batch(data: &[u8]) -> bool {
    let (records, _) = data.as_chunks::<96>();
    let known = records.iter().take(LANES).filter_map(|record| {
        let (key, signature) = record.split_at(32);
        let key = VerifyingKey::from_raw(Scheme::Ed25519, key)?;
        Some((key.verifies(SIGNED, signature), key, signature))
    });
    let known: Vec<_> = known.collect();
    let (key, signature) = &*GOOD;
    let mut all = Batch::default();
    known.iter().for_each(|(_, key, signature)| all.push(key, SIGNED, signature));
    (0..LANES).for_each(|_| all.push(key, SIGNED, signature));
    let alone = known.iter().map(|one| one.0);
    assert!(all.verify().into_iter().eq(alone.clone().chain([true; LANES])));
    alone.into_iter().any(|good| good)
}

/// A genesis file.
pub fn genesis(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else { return false };
    let Ok(genesis) = Genesis::parse(text) else { return false };
    let again = Genesis::parse(&genesis.to_toml()).expect("because we wrote it");
    assert_eq!(again, genesis);
    assert_eq!(again.digest(), genesis.digest());
    let registry = genesis.registry();
    assert_eq!(Registry::decode(&registry.encode()), Some(registry));
    let _ = genesis.check_signed();
    true
}

/// A change that a member asks others to sign, and a registry as a store keeps it.
pub fn govern(data: &[u8]) -> bool {
    if let Some(registry) = Registry::decode(data) {
        assert_eq!(registry.encode(), data, "one registry has one encoding");
        return true;
    }
    let Some(statement) = Statement::of(data) else { return false };
    for height in [1, 99, 100, 1 << 40] {
        let Ok(ours) = Statement::new(&REGISTRY, height, statement.change().clone()) else {
            continue;
        };
        assert_eq!(ours.change(), statement.change());
        let replayed = Registry::replay(&GENESIS, [(height, statement.change())]);
        let registry = replayed.expect("because it could be signed");
        assert_eq!(Registry::decode(&registry.encode()), Some(registry));
    }
    true
}

/// What an entry changed, kept.
struct Kept {
    registry: Arc<Registry>,
    effects: Effects,
}

impl Facts for Kept {
    fn tx(&self, txid: TxId) -> Result<Option<Tx>, FactsError> {
        Ok(self.effects.txs.iter().find(|row| row.0 == txid).map(|row| row.1))
    }

    fn due(&self, _: u64, _: usize) -> Result<Vec<TxId>, FactsError> {
        Ok(Vec::new())
    }

    fn registry(&self) -> Arc<Registry> {
        Arc::clone(&self.registry)
    }
}

/// The members who signed the seeds.
static GENESIS: LazyLock<Genesis> = LazyLock::new(|| {
    let text = include_str!("../../../../fuzz/seeds/genesis/four");
    Genesis::parse(text).expect("because it was written by the example")
});

static REGISTRY: LazyLock<Arc<Registry>> = LazyLock::new(|| Arc::new(GENESIS.registry()));

/// What the signatures of [`batch`] are of.
pub const SIGNED: &[u8] = b"Zcash";
/// More than are verified in eight lanes.
const LANES: usize = 130;
static GOOD: LazyLock<(VerifyingKey, Vec<u8>)> = LazyLock::new(|| {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).expect("because it has 32 bytes");
    let key = VerifyingKey::from_raw(Scheme::Ed25519, pair.public_key().as_ref());
    (key.expect("because it is a key"), pair.sign(SIGNED).as_ref().to_vec())
});
