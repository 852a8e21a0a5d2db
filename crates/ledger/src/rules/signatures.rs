//! Who signed, whether they could, and whether the signatures are good.

use std::borrow::Borrow;

use exchange::Country;
use trust::verifying::{Batch, VerifyingKey};

use crate::entry::strict::{KEY, OFFER, RECEIPT};
use crate::entry::{Body, Entry, HALF, Half, Record, Signature, Signed};
use crate::evidence::EXCHANGE;
use crate::member::govern::GOVERN;
use crate::member::{Govern, Member, Registry, Roll};
use crate::rules::Reason;

/// Whether the signatures of these entries count and are good at this height, in their order. Depends
/// on nothing else, so that parts of a block can be verified on several threads, or ahead of time for
/// a height of the same epoch.
///
/// Ed25519 is verified together, so many entries at once cost less.
pub fn verify_signatures(
    registry: &Registry,
    height: u64,
    entries: &[impl Borrow<Entry>],
) -> Vec<Result<(), Reason>> {
    let roll = registry.at(height);
    let mut batch = Batch::default();
    // to whom each signature of the batch belongs
    let mut owners = Vec::new();
    let mut verdicts = Vec::with_capacity(entries.len());
    for (position, entry) in entries.iter().enumerate() {
        let verdict = checks(roll, height, entry.borrow().body()).and_then(|checks| {
            for check in &checks {
                let value = check.signed.value(check.signature);
                let message = |out: &mut Vec<u8>| {
                    check.signed.signed_bytes(check.signature, check.external, out);
                };
                if check.key.is_batched() {
                    batch.push_with(check.key, value, message);
                    owners.push(position);
                    continue;
                }
                let mut bytes = Vec::with_capacity(2048);
                message(&mut bytes);
                if !check.key.verifies(&bytes, value) {
                    return Err(Reason::Signature);
                }
            }
            Ok(())
        });
        verdicts.push(verdict);
    }
    for (position, good) in owners.into_iter().zip(batch.verify()) {
        if !good && verdicts[position].is_ok() {
            verdicts[position] = Err(Reason::Signature);
        }
    }
    verdicts
}

/// One signature to be verified.
struct Check<'e> {
    signed: &'e Signed,
    signature: &'e Signature,
    external: &'static [u8],
    key: &'e VerifyingKey,
}

/// All signatures of an entry, by who may have made them.
fn checks<'e>(roll: &'e Roll, height: u64, body: &'e Body) -> Result<Vec<Check<'e>>, Reason> {
    if let Body::Govern(govern) = body {
        govern_signers(roll, height, govern)?;
    } else {
        exchange_signers(roll, height, body)?;
    }
    let mut all = Vec::with_capacity(2);
    for (signed, external) in messages(body).into_iter().flatten() {
        for signature in signed.signatures() {
            let (_, key) = roll.signer(&signature.kid).ok_or(Reason::Signer)?;
            all.push(Check { signed, signature, external, key: key.key() });
        }
    }
    Ok(all)
}

/// The signed messages of an entry, with what is signed beside the payload.
fn messages(body: &Body) -> [Option<(&Signed, &'static [u8])>; 2] {
    let one = |signed, external: &'static str| [Some((signed, external.as_bytes())), None];
    match body {
        Body::Whole(record) | Body::Close(record) => one(record.signed(), EXCHANGE),
        Body::Half(half) => {
            [Some((half.record().signed(), EXCHANGE.as_bytes())), Some((half.signed(), HALF))]
        }
        Body::Govern(govern) => one(govern.signed(), GOVERN),
        Body::Offer(offer) => one(offer.signed(), OFFER),
        Body::Receipt(receipt) => one(receipt.signed(), RECEIPT),
        Body::Key(key) => one(key.signed(), KEY),
        Body::Open(_) | Body::Default(_) => [None, None],
    }
}

/// Whether an entry about an exchange names the right signers, in the right order.
pub(super) fn exchange_signers(roll: &Roll, height: u64, body: &Body) -> Result<(), Reason> {
    let is = |signed: &Signed, countries: &[Country]| {
        let of = |signature| signer(roll, height, signature).and_then(country);
        let found = signed.signatures().iter().map(of).collect::<Result<Vec<_>, _>>()?;
        if found == countries { Ok(()) } else { Err(Reason::Signer) }
    };
    match body {
        Body::Whole(record) | Body::Close(record) => {
            is(record.signed(), &[record.provider(), record.requester()])
        }
        Body::Half(half) => half_side(roll, height, half).map(|_| ()),
        Body::Offer(offer) => is(offer.signed(), &[offer.terms().provider]),
        Body::Receipt(receipt) => is(receipt.signed(), &[receipt.about().requester]),
        Body::Key(key) => is(key.signed(), &[key.about().provider]),
        Body::Open(_) | Body::Default(_) | Body::Govern(_) => Ok(()),
    }
}

/// Which side's half it is. The requester signs alone only what it got no answer to, or asked of a
/// country without KONFIDO (decision 0006).
pub(super) fn half_side(roll: &Roll, height: u64, half: &Half) -> Result<Country, Reason> {
    let record: &Record = half.record();
    let of = |signed: &Signed| match signed.signatures() {
        [only] => signer(roll, height, only).and_then(country),
        _ => Err(Reason::Signer),
    };
    let side = of(half.signed())?;
    let requester =
        side == record.requester() && (!record.is_bilateral() || record.is_unanswered());
    let known = side == record.provider() || requester;
    if known && of(record.signed())? == side { Ok(side) } else { Err(Reason::Signer) }
}

/// Whether a quorum of voting members signed, and nobody else.
pub(super) fn govern_signers(roll: &Roll, height: u64, govern: &Govern) -> Result<(), Reason> {
    let mut names = Vec::new();
    for signature in govern.signed().signatures() {
        let member = signer(roll, height, signature)?;
        // twice with two of its keys is still one vote, and in no form that we make
        if !member.is_voting() || names.contains(&member.name()) {
            return Err(Reason::Signer);
        }
        names.push(member.name());
    }
    if names.len() < roll.quorum() { Err(Reason::Quorum) } else { Ok(()) }
}

/// The member that a signature says it is of, if its key counts at this height.
fn signer<'r>(roll: &'r Roll, height: u64, signature: &Signature) -> Result<&'r Member, Reason> {
    let (member, key) = roll.signer(&signature.kid).ok_or(Reason::Signer)?;
    let counts = key.is_valid_at(height) && key.algorithm() == signature.algorithm;
    if counts { Ok(member) } else { Err(Reason::Signer) }
}

fn country(member: &Member) -> Result<Country, Reason> {
    member.name().country().ok_or(Reason::Signer)
}
