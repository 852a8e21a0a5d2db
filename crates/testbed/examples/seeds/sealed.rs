//! Seeds of what vaults read: statements, sealed messages, pouches, frames of a lane.

use anyhow::{Context as _, Result};
use bytes::Bytes;
use enclave::pouch::{PouchContext, PouchOpener, Suite};
use enclave::{Acceptance, Attestation, Delivery, Recipient, Vault};
use exchange::{Transaction, TransactionId};
use gateway::wire::{self, Inner};
use jiff::Timestamp;
use testbed::pki::Role;

use crate::World;

impl World {
    /// A frame that has a vault seal (`enclave::protocol`): request 2.
    fn frame(&self, said: &enclave::KeyStatement) -> Vec<u8> {
        let millis = |at: Timestamp| at.as_millisecond().to_be_bytes();
        let key = u32::try_from(said.key.len()).unwrap_or(0).to_be_bytes();
        let parts: [&[u8]; 14] = [
            &[2],
            b"DK",
            &millis(said.not_after),
            &key,
            &said.key,
            &millis(self.now),
            b"ESDK",
            &[2],
            &[7; 16],
            &[0],
            &[1; 32],
            // one piece of four bytes, with room for its tag
            &[1, 0, 0, 0, 4, 0],
            b"text",
            &[0; 16],
        ];
        parts.concat()
    }

    pub fn sealed(&self) -> Result<()> {
        let vault = Vault::new(self.denmark);
        let seal = self.pki.identity(self.denmark, Role::Seal).seal_key();
        let statement = vault.publish(&seal, self.now)?;
        self.put("statement", "published", statement.encode())?;
        let said = statement.said().context("our own statement can be read")?;
        self.put("statement", "said", said.encode())?;
        self.put("vault", "ping", b"\x01ping")?;
        for (name, bytes) in enclave::store::fuzzing::samples() {
            self.put("store", name, bytes)?;
        }
        // what comes on a lane: a ping of four bytes, and a doorbell for twelve in its region
        self.put("vault", "lane", b"\0\0\0\x05\x01ping\x80\0\0\x0c")?;
        self.put("vault", "seal", self.frame(&said))?;
        let accepted = Acceptance::software(&[Attestation::SimulatedInProcess]);
        let recipient =
            Recipient::verify(&statement, &self.pki.anchors(), self.denmark, self.now, &accepted)?;
        let address = enclave::Address {
            from: self.spain,
            to: self.denmark,
            transaction: Transaction::Retrieve,
            txid: TransactionId([7; 16]),
        };
        let inner = Inner {
            evidence: Bytes::from_static(b"evidence"),
            secrets: Bytes::from_static(b"secrets"),
            content: Bytes::from_static(b"<a/>"),
            parts: vec![ihe::mtom::Part {
                cid: "1@x".into(),
                mime: "text/xml".into(),
                bytes: Bytes::from_static(b"<b/>"),
            }],
        };
        let head = inner.head();
        self.put("sealed", "inner", &head)?;
        self.put("sealed", "pair", wire::pair(b"first", b"second"))?;
        let asker = Vault::new(self.spain);
        let pieces = inner.pieces(&head);
        let (sealed, _) =
            asker.seal_request(&recipient, address, Delivery::Node, &[1; 32], &pieces, self.now)?;
        self.put("sealed", "request", sealed)
    }

    pub fn pouch(&self) -> Result<()> {
        let address = enclave::Address {
            from: self.denmark,
            to: self.spain,
            transaction: Transaction::Retrieve,
            txid: TransactionId([7; 16]),
        };
        let (content_id, media_type) = ("document0@konfido", "text/xml");
        let context = PouchContext { address, part: 0, content_id, media_type };
        for (name, suite) in [("p256", Suite::P256), ("x25519", Suite::X25519)] {
            let opener = PouchOpener::generate(suite)?;
            self.put("pouch", &format!("{name}-key"), opener.public().encode())?;
            self.put("pouch", name, enclave::pouch::seal(opener.public(), &context, b"<b/>")?)?;
        }
        let hybrid = PouchOpener::generate(Suite::XWing)?;
        self.put("pouch", "x-wing", enclave::pouch::seal(hybrid.public(), &context, b"<b/>")?)
    }
}
