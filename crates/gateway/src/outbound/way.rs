//! How a request reaches the other country: sealed for its attested vault, or plainly.

use enclave::pouch::MEDIA_TYPE;
use enclave::{Address, Addressee, Delivered, Delivery, Recipient, VaultError};
use exchange::{Code, Refusal, Side, Transaction};
use ihe::mtom::Package;
use transport::Peer;
use trust::chain::Chain;

use super::evidence::Recorded;
use crate::last_hop::{Released, VaultLine};
use crate::message::{Facts, Message};
use crate::national::openncp::{relay, unreachable_peer};
use crate::node::{Node, PeerCountry, Sealing};
use crate::recipient::{self, unacceptable};
use crate::wire::{self, Inner};

/// Proof of step 3. Made by [`attest`] only.
pub(super) enum Way {
    /// Sealed for this vault.
    Sealed(Box<Recipient>),
    /// Plain IHE over mutual TLS: the policy row allows it.
    Plain(()),
}

/// An answer, opened, with the evidence that came with it (empty on the plain way).
pub(super) struct Answer {
    pub(super) released: Released,
    pub(super) content: std::ops::Range<usize>,
    pub(super) evidence: bytes::Bytes,
    pub(super) secrets: bytes::Bytes,
    /// For whom its documents are.
    pub(super) delivery: Delivery,
    /// SHA-256 of each document, where our node does not see them.
    pub(super) digests: Vec<[u8; 32]>,
    /// On the plain way: the eHDSI code if the answer refuses.
    pub(super) refused: Option<String>,
    /// The seal that vouches for the vault which answered; `None` on the plain way. After a restart
    /// or a renewal of the peer's it is another than the one that we attested first.
    pub(super) provider: Option<Chain>,
    /// Who answered, by TLS.
    pub(super) from: Option<Peer>,
}

/// Step 3: the peer's checked vault key, good enough for what is sent to it; or the plain way.
pub(super) async fn attest(node: &Node, peer: &PeerCountry, facts: &Facts) -> Result<Way, Refusal> {
    if !peer.konfido {
        let hint = match (peer.allow_plain, &facts.pouch) {
            (true, None) => return Ok(Way::Plain(())),
            (true, Some(_)) => "that country has no vault that fills a pouch; ask without one",
            (false, _) => "policy does not allow plain exchange with that country",
        };
        return Err(Refusal::new(Code::ErrorPolicyViolation, hint));
    }
    let known = recipient::of(node, peer).await?;
    if let (Transaction::Submit, Some(class)) = (facts.transaction, facts.class) {
        let permitted = known.permits(class, node.clock.now());
        permitted.map_err(|error| unacceptable(node, peer, Side::B, error))?;
    }
    Ok(Way::Sealed(Box::new(known)))
}

impl Way {
    /// Who reads the documents of the answer: a clinician, if she gave a key; else who holds the certificate
    /// of a connection that our vault ends; else our node, as far as it can be helped.
    pub(super) fn addressee<'a>(
        &self,
        asking: &Asking<'a>,
        line: Option<&'a VaultLine>,
    ) -> Addressee<'a> {
        let line = line.map(VaultLine::connection);
        let line = line.filter(|line| line.is_of(&asking.sealing.vault));
        match (self, &asking.facts.pouch, line) {
            (Self::Sealed(_), Some(key), _) => Addressee::Pouch(key),
            (Self::Sealed(_), None, Some(line)) if asking.facts.is_retrieve() => {
                Addressee::Tls(line)
            }
            _ => Addressee::Node,
        }
    }
}

/// A request that is recorded.
pub(super) struct Asking<'a> {
    pub(super) node: &'a Node,
    pub(super) sealing: &'a Sealing,
    pub(super) peer: &'a PeerCountry,
    pub(super) facts: &'a Facts,
    pub(super) recorded: &'a Recorded,
}

impl Asking<'_> {
    /// Sends the request and opens the answer.
    pub(super) async fn ask_and_open(
        &self,
        way: &Way,
        to: Addressee<'_>,
        message: &Message,
    ) -> Result<Answer, Refusal> {
        let recipient = match way {
            Way::Plain(()) => return self.plainly(message).await,
            Way::Sealed(recipient) => recipient,
        };
        if let Some(answer) = self.sealed(recipient, to, message).await? {
            return Ok(answer);
        }
        // the peer has restarted: its old key is gone, the request was not opened; what comes after a
        // restart may stand on less
        let Way::Sealed(fresh) = attest(self.node, self.peer, self.facts).await? else {
            let hint = "policy changed during the request";
            return Err(Refusal::new(Code::ErrorPolicyViolation, hint));
        };
        let answer = self.sealed(&fresh, to, message).await?;
        let hint = "the other country's vault does not know its key";
        answer.ok_or_else(|| Refusal::new(Code::ErrorSecGeneric, hint))
    }

    async fn plainly(&self, message: &Message) -> Result<Answer, Refusal> {
        let transaction = self.facts.transaction;
        let path = transaction.service_path();
        let (package, from) = relay(&self.peer.client, path, transaction, &message.package).await?;
        let (content, refused) = crate::message::read_answer(&package).map_err(|e| broken(&e))?;
        let (evidence, secrets, digests) = Default::default();
        let (released, delivery, provider) = (package.into(), Delivery::Node, None);
        Ok(Answer {
            released,
            content,
            evidence,
            secrets,
            delivery,
            digests,
            refused,
            provider,
            from,
        })
    }

    /// `None`: the peer does not hold the key that we sealed for.
    async fn sealed(
        &self,
        recipient: &Recipient,
        to: Addressee<'_>,
        message: &Message,
    ) -> Result<Option<Answer>, Refusal> {
        let Self { node, sealing, peer, facts, recorded } = self;
        let root = &message.package.root;
        let inner = Inner {
            evidence: recorded.evidence(sealing),
            secrets: recorded.secrets(),
            content: root.slice(facts.content.clone()),
            parts: message.package.parts.clone(),
        };
        let address = Address {
            from: node.country,
            to: peer.country,
            transaction: facts.transaction,
            txid: recorded.txid(),
        };
        let bound = wire::bound(root, facts.content.clone());
        let (head, delivery) = (inner.head(), to.delivery());
        let pieces = inner.pieces(&head);
        let (ciphertext, pending) = sealing
            .vault
            .seal_request(recipient, address, delivery, &bound, &pieces, node.clock.now())
            .map_err(vault)?;
        let package = wire::seal_package(root, facts.content.clone(), ciphertext);
        let (content_type, body) = package.pieces(facts.transaction.request_action());
        let answer = peer
            .client
            .post_pieces(SEALED_PATH, &content_type, body)
            .await
            .map_err(|e| unreachable_peer(&e))?;
        if answer.status == http::StatusCode::MISDIRECTED_REQUEST {
            peer.forget_recipients();
            return Ok(None);
        }
        let package = Package::parse(&answer.content_type, answer.body).map_err(|e| broken(&e))?;
        let Ok((place, ciphertext)) = wire::split_package(&package) else {
            return Err(refused_in_the_clear(&package));
        };
        let bound = wire::bound(&package.root, place.clone());
        let Delivered { mut pieces, digests, held } =
            sealing.vault.open_response(pending, &ciphertext, &bound, to).map_err(vault)?;
        pieces.extend(held.iter().map(|_| bytes::Bytes::new()));
        let mut inner = Inner::decode(pieces).map_err(|e| broken(&e.into()))?;
        if facts.pouch.is_some() {
            inner.parts.iter_mut().for_each(|part| MEDIA_TYPE.clone_into(&mut part.mime));
        }
        let package = wire::restore(&package.root, place.clone(), &inner);
        let content = place.start..place.start + inner.content.len();
        // what was sealed must be the Body that our OpenNCP will read: the evidence is about nothing else
        let (body, _) = crate::message::read_answer(&package).map_err(|e| broken(&e))?;
        if body != content {
            return Err(super::evidence::mismatch("what was sealed is not the body of the answer"));
        }
        Ok(Some(Answer {
            released: Released { package, held },
            content,
            evidence: inner.evidence,
            secrets: inner.secrets,
            delivery,
            digests,
            refused: None,
            provider: Some(recipient.chain().clone()),
            from: answer.peer,
        }))
    }
}

/// The peer refused before it could open anything: its code is passed on.
fn refused_in_the_clear(package: &Package) -> Refusal {
    let code = crate::message::read_answer(package).ok().and_then(|(_, code)| code);
    let code = code.as_deref().and_then(Code::of_wire).unwrap_or(Code::ErrorSecGeneric);
    Refusal::new(code, "the other country refused the request")
        .with_detail("unsealed refusal by the peer")
}

fn broken(error: &ihe::MessageError) -> Refusal {
    Refusal::new(Code::ErrorGeneric, "the other country's answer cannot be read")
        .with_detail(error.to_string())
}

fn vault(error: VaultError) -> Refusal {
    let hint = "the sealed answer does not open; it was not delivered";
    Refusal::new(Code::ErrorSecDataIntegrityNotEnsured, hint).with_detail(error.to_string())
}

/// Where a KONFIDO node takes sealed messages.
pub const SEALED_PATH: &str = "/konfido/v1/sealed";
