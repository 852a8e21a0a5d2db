//! The files of `[eid]`.

use std::path::PathBuf;

use enclave::Use;
use exchange::Country;
use identity::mask::SearchMask;
use identity::matching::{self, Table};
use jiff::Timestamp;
use transport::tls::{ClientTls, Identity, ServerTls};
use trust::certificate::Certificate;
use trust::encryption::DecryptionKey;
use trust::private::PrivateKey;
use trust::seal::SealKey;

use super::{anchors, bytes, fits, key, light, register};
use crate::config::{At, Eid, Faults, Pair, Party, Wallet};
use crate::custody::Custody;
use crate::eid::{PartySetup, Setup, WalletSetup};

/// Key and chain.
type Read = (PrivateKey, Vec<u8>);

pub(super) fn eid(
    eid: &Eid,
    country: Country,
    now: Timestamp,
    custody: &Custody,
    faults: &Faults,
) -> Option<Setup> {
    let pages = pages(eid, custody, faults);
    let own = keys(eid, now, custody, faults);
    let parties = |parties: &[Party]| -> Option<Vec<PartySetup>> {
        let of = |party: &Party| {
            let (country, metadata) = (party.country, party.metadata.clone());
            let signers = certificates(&party.signers, faults)?;
            Some(PartySetup { country, metadata, signers, levels: party.levels })
        };
        parties.iter().map(of).collect()
    };
    let register = register::register(eid.register.as_ref(), country, faults);
    let wallet = eid.wallet.as_ref().map(|found| wallet(found, custody, faults));
    let matching = matching(eid, faults);
    let light = eid.light.as_ref().map(|found| light::light(found, faults));
    let (providers, connectors) = (parties(&eid.providers), parties(&eid.connectors));
    let (signing, encryption) = own?;
    Some(Setup {
        light: light.map_or(Some(None), |light| light.map(Some))?,
        wallet: wallet.map_or(Some(None), |wallet| wallet.map(Some))?,
        matching: matching?,
        register: register?,
        url: eid.url.clone(),
        contact: eid.contact.clone(),
        pages: pages?,
        signing,
        encryption,
        certified: eid.certified,
        providers: providers?,
        connectors: connectors?,
        applications: eid.applications.clone(),
    })
}

fn read(purpose: Use, pair: &Pair, custody: &Custody, faults: &Faults) -> Option<Read> {
    let key = key(purpose, &pair.key, custody, faults);
    let chain = bytes(&pair.certificate, faults);
    Some((key?, chain?))
}

/// TLS of the pages, and the roots of those from whom we fetch.
fn pages(eid: &Eid, custody: &Custody, faults: &Faults) -> Option<Identity> {
    let (roots, pair) = (bytes(&eid.roots, faults), read(Use::Sign, &eid.pages, custody, faults));
    let (roots, (key, chain)) = (roots?, pair?);
    let pages = Identity { chain, key, roots };
    fits(&eid.pages, ServerTls::public(&pages), faults);
    if let Err(error) = ClientTls::anonymous(&pages.roots) {
        faults.add(&eid.roots.span, format!("no roots: {error}"), None);
    }
    Some(pages)
}

/// What we sign with, and what answers are sealed for.
fn keys(eid: &Eid, now: Timestamp, custody: &Custody, faults: &Faults) -> Option<(Read, Read)> {
    let read = |purpose, pair: &Pair| read(purpose, pair, custody, faults);
    let signing = read(Use::Sign, &eid.signing);
    let encryption = read(Use::Unwrap, &eid.encryption);
    if let Some((key, chain)) = &signing {
        fits(&eid.signing, SealKey::new(key, chain), faults);
    }
    if let Some((key, _)) = &encryption {
        fits(&eid.encryption, DecryptionKey::new(key), faults);
    }
    for (pair, found) in [(&eid.signing, &signing), (&eid.encryption, &encryption)] {
        let all = found.as_ref().and_then(|_| certificates(&pair.certificate, faults));
        let first = all.and_then(|all| all.into_iter().next());
        if first.is_some_and(|first| now > first.not_after()) {
            faults.add(&pair.certificate.span, "certificate expired", Some("renew it"));
        }
    }
    signing.zip(encryption)
}

fn certificates(at: &At<PathBuf>, faults: &Faults) -> Option<Vec<Certificate>> {
    let found = Certificate::from_pem(&bytes(at, faults)?).ok().filter(|all| !all.is_empty());
    if found.is_none() {
        faults.add(&at.span, "no certificate", Some("PEM, one CERTIFICATE block each"));
    }
    found
}

fn wallet(wallet: &Wallet, custody: &Custody, faults: &Faults) -> Option<WalletSetup> {
    let access = read(Use::Sign, &wallet.access, custody, faults);
    if let Some((key, chain)) = &access {
        fits(&wallet.access, SealKey::new(key, chain), faults);
    }
    let roots = |(country, at): &(Country, At<PathBuf>)| Some((*country, anchors(at, faults)?.1));
    let issuers = wallet.issuers.iter().map(roots).collect::<Option<_>>();
    Some(WalletSetup { access: access?, issuers: issuers? })
}

fn matching(eid: &Eid, faults: &Faults) -> Option<Table> {
    let rows = eid.matching.iter().map(|row| {
        let mask = row.mask.as_ref().map(|at| {
            let text = String::from_utf8(bytes(at, faults)?).unwrap_or_default();
            let told = |error| faults.add(&at.span, format!("no search mask: {error}"), None);
            SearchMask::parse(&text).map_err(told).ok()
        });
        let mask = mask.map_or(Some(None), |mask| mask.map(Some))?;
        Some(matching::Rule { country: row.country, ways: row.ways.clone(), mask })
    });
    let span = &eid.roots.span;
    let help = "each country once, at least one way, and its own mask";
    let told = |_| faults.add(span, "[[eid.patient]] rows do not fit", Some(help));
    Table::new(rows.collect::<Option<_>>()?).map_err(told).ok()
}
