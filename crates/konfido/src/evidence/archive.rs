//! What every export needs: the node's log, the certificates and the salts of one exchange.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, ensure};
use exchange::{Country, Digest, Side};
use ledger::journal::Row;
use ledger::log::Log;
use ledger::receipt::{self, Receipt};
use ledger::{Field, JointStatement, RequestStatement, Secrets, Settled};
use trust::certificate::{Anchors, Certificate};
use trust::chain::Chain;
use trust::cose;
use trust::seal::SealKey;

use crate::custody::Custody;
use crate::seals;

/// Where a node keeps what it can prove, and whose seals it believes.
pub struct Archive<'a> {
    /// Data folder of the node.
    pub data: &'a Path,
    /// Name of its log.
    pub origin: &'a str,
    /// Its seal.
    pub seal: &'a SealKey,
    /// Roots of seals.
    pub anchors: &'a Anchors,
    /// Who holds the key of its log.
    pub custody: &'a Custody,
}

/// A record that stands in the log. No `Debug`: salts and values.
pub struct Record<'a> {
    anchors: &'a Anchors,
    /// The journal's row.
    pub row: &'a Row,
    /// The log that holds the record.
    pub log: Log,
    /// Place in it.
    pub index: u64,
    /// Seals of those who may have signed, provider first.
    pub chains: Vec<Chain>,
    /// The seal under the request's own statement.
    pub asker: Option<Chain>,
    /// Salts and values.
    pub secrets: Secrets,
}

impl<'a> Archive<'a> {
    /// Opens the record of a row, whose secrets these are; none when they were erased.
    pub fn record(&self, row: &'a Row, secrets: Secrets) -> anyhow::Result<Record<'a>> {
        let index = row
            .index
            .context("the exchange is not in the log yet: try again when it is settled")?;
        if matches!(self.custody, Custody::Here) {
            let key = self.data.join("log.key");
            ensure!(key.exists(), "{} is not there: has this node run?", key.display());
        }
        let log = self.custody.log(&self.data.join("log"), self.origin, &Arc::default())?;
        let mut chains = vec![self.own(&cose::claimed_signers(&row.statement)?)?];
        if !row.peer_certificate.is_empty() {
            let peer = Chain::from_der(&row.peer_certificate)?;
            chains.insert(usize::from(row.side == Side::A), peer);
        }
        let asked_by = cose::claimed_signer(&row.request).ok();
        let asker = match row.side {
            Side::B => Some(self.own(asked_by.as_slice())?),
            Side::A => chains.get(1).cloned(),
        };
        Ok(Record { anchors: self.anchors, row, log, index, chains, asker, secrets })
    }

    /// Our seal among these; it may have been renewed since.
    fn own(&self, named: &[Digest]) -> anyhow::Result<Chain> {
        for leaf in named {
            if let Some(chain) = seals::find(self.data, *leaf)? {
                return Ok(chain);
            }
        }
        Ok(Chain::of(self.seal))
    }
}

impl Record<'_> {
    /// Roots of seals.
    pub fn anchors(&self) -> &Anchors {
        self.anchors
    }

    /// The receipt, after it verified, showing these fields.
    pub fn receipt(&self, fields: &[Field]) -> anyhow::Result<Vec<u8>> {
        let (_, signers) = self.settled()?;
        let leaves = signers.iter().map(|chain| chain.leaf());
        let above = signers.iter().flat_map(|chain| chain.intermediates());
        let receipt = Receipt::export(
            &self.row.statement,
            self.row.at,
            &leaves.chain(above).collect::<Vec<_>>(),
            self.index,
            &self.log,
            &self.secrets,
            fields,
        )?;
        let json = receipt.to_json()?;
        receipt::verify(&json, self.anchors)
            .context("the receipt would not verify; was the seal certificate replaced since?")?;
        Ok(json)
    }

    /// The verified record, with the seals of those who did sign, provider first.
    pub fn settled(&self) -> anyhow::Result<(Settled, Vec<&Chain>)> {
        let all: Vec<&Chain> = self.chains.iter().collect();
        let alone = all.iter().map(|one| vec![*one]);
        std::iter::once(all.clone())
            .chain(alone)
            .find_map(|signers| Some((self.signed_by(&signers)?, signers)))
            .context("the record would not verify; was the seal certificate replaced since?")
    }

    fn signed_by(&self, signers: &[&Chain]) -> Option<Settled> {
        let leaves: Vec<&Certificate> = signers.iter().map(|chain| chain.leaf()).collect();
        let above: Vec<Certificate> =
            signers.iter().flat_map(|chain| chain.intermediates()).cloned().collect();
        let row = self.row;
        Settled::verify_chained(&row.statement, &leaves, &above, self.anchors, row.at).ok()
    }

    /// Whether the requester signed its request in a statement of its own, which the record names.
    pub fn request_is_signed(&self, record: &JointStatement) -> bool {
        let (request, at) = (&self.row.request, self.row.at);
        let asked = self.asker.as_ref().and_then(|chain| {
            RequestStatement::verify_chained(request, chain, self.anchors, at).ok()
        });
        asked.is_some_and(|asked| record.request.is_some_and(|named| named.0 == asked.digest))
    }

    /// The seal of a country.
    pub fn chain(&self, country: Country) -> Option<&Chain> {
        self.chains.iter().find(|chain| chain.leaf().country() == Some(country))
    }
}
