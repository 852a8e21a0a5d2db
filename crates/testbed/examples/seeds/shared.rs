//! Seeds of the shared ledger: a genesis, one entry of each kind, changes of its registry.

use anyhow::{Context as _, Result};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use exchange::{Country, Transaction, TransactionId};
use ledger::entry::strict::{Offer, SEALED_KEY, Terms, key_commitment};
use ledger::entry::{Body, Entry, Half};
use ledger::evidence::sha256;
use ledger::member::{Address, Change, Govern, Name, Raw, govern::Statement};
use testbed::fuzz::shared::SIGNED;
use testbed::members::Members;
use trust::cose;

use crate::World;

impl World {
    pub fn shared(&self) -> Result<()> {
        let addresses: Vec<String> = (1..=4).map(|n| format!("192.0.2.{n}:9000")).collect();
        let members = Members::new(&addresses, 100);
        self.put("genesis", "four", members.genesis.to_toml())?;
        let whole = members.exchange(1, 0, 0);
        let Body::Whole(record) = whole.body() else { anyhow::bail!("a whole record") };
        let close = Entry::close(record.signed().bytes())?;
        let half = cose::sign(members.seal(0), record.signed().payload(), b"konfido-exchange/1")?;
        let half = Half::entry(&half, 20, members.seal(0))?;
        let open = Entry::open(record.txid());
        for (name, entry) in
            [("whole", whole.padded(1024)), ("close", close), ("half", half), ("open", open)]
        {
            self.put("entry", name, entry.encode())?;
        }
        let signed = (1..=3).flat_map(|seed: u8| {
            let pair =
                Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).expect("because of its length");
            [pair.public_key().as_ref(), pair.sign(SIGNED).as_ref()].concat()
        });
        self.put("batch", "three", signed.collect::<Vec<u8>>())?;
        self.strict(&members)?;
        self.govern(&members)
    }

    fn strict(&self, members: &Members) -> Result<()> {
        let terms = Terms {
            txid: TransactionId([7; 16]),
            transaction: Transaction::Retrieve,
            requester: Country::parse("ES")?,
            provider: Country::parse("DK")?,
            ciphertext: sha256(b"ciphertext"),
            key: key_commitment(&[1; 32], &[2; 32]),
            recipient: sha256(b"vault"),
            deadline: 20,
        };
        let entry = Offer::entry(&terms, members.seal(0))?;
        let Body::Offer(offer) = entry.body() else { anyhow::bail!("an offer") };
        let receipt = offer.receipt(b"ciphertext", b"vault", members.seal(1));
        let key = offer.release(&[0xc3; SEALED_KEY], members.seal(0))?;
        self.put("entry", "receipt", receipt.context("it is this document")??.encode())?;
        self.put("entry", "key", key.encode())?;
        self.put("entry", "default", Entry::default_of([7; 16]).encode())?;
        self.put("entry", "offer", entry.encode())
    }

    fn govern(&self, members: &Members) -> Result<()> {
        let registry = members.genesis.registry();
        let italy = || Name::parse("IT");
        for (name, change) in [
            ("leave", Change::Leave(italy()?)),
            ("address", Change::Address(italy()?, Address::parse("[2001:db8::1]:9000")?)),
            ("measurement", Change::Measurement(italy()?, Some(Raw(vec![0xab; 48])))),
        ] {
            let statement = Statement::new(&registry, 3, change)?;
            let votes = (0..3).map(|member| statement.sign(members.seal(member)));
            let votes = votes.collect::<Result<Vec<_>, _>>()?;
            self.put("govern", name, &votes[0])?;
            self.put("entry", name, Govern::entry(&votes)?.encode())?;
        }
        self.put("govern", "registry", registry.encode())
    }
}
