//! What a dishonest country of treatment would send, past its own node: nothing is released, and
//! the country of affiliation's journal stays as it was.

use enclave::key::Statement;
use enclave::{Address, Delivery, Recipient};
use exchange::{Country, DocumentClass, Side, SystemEntropy, Transaction, TransactionId};
use gateway::outbound::SEALED_PATH;
use gateway::recipient::VAULT_KEY_PATH;
use gateway::wire::{self, Inner};
use ihe::mtom::Package;
use ihe::xca::QueryRequest;
use ledger::journal::{Journal as _, Row};
use ledger::{Field, RequestStatement, Secrets, Settled};
use testbed::assertions::Visit;
use testbed::pki::Role;
use testbed::portal::envelope;
use testbed::world::AGNETE;
use trust::chain::Chain;
use trust::seal::SealKey;

use crate::circle::{Circle, Post, dk, es};

/// What a sealed request says of itself.
struct Claim {
    txid: TransactionId,
    signed: Vec<u8>,
    certificates: Vec<u8>,
    secrets: Vec<u8>,
}

/// Spain's vault and seal in the hands of somebody who does not keep to the protocol.
struct Forger<'c> {
    circle: &'c Circle,
    spain: &'c Post,
    visit: Visit,
    body: String,
    /// Values of an honest request with this body and these assertions.
    values: Vec<(Field, String)>,
}

const FIELDS: [Field; 5] =
    [Field::Patient, Field::Professional, Field::Purpose, Field::Assertions, Field::Request];

impl<'c> Forger<'c> {
    /// Learns from one honest exchange what the values of this request are.
    async fn new(circle: &'c Circle, spain: &'c Post) -> (Self, Row) {
        let classes = vec![DocumentClass::PatientSummary];
        let body = QueryRequest { patient: AGNETE.id(), classes }.render();
        let visit = circle.visit();
        circle.send(&envelope(Transaction::Query, &visit, &body, Vec::new())).await;
        let row = spain.newest(Side::B).await.unwrap();
        let secrets = spain.node.secrets(&row).await.unwrap().unwrap();
        let value = |field| Some((field, secrets.disclose(field)?.1.to_owned()));
        let values = FIELDS.into_iter().filter_map(value).collect();
        (Self { circle, spain, visit, body, values }, row)
    }

    /// An honest claim with these values; each attack changes one thing about it.
    fn claim(
        &self,
        values: &[(Field, String)],
        change: impl FnOnce(&mut RequestStatement),
    ) -> Claim {
        let txid = TransactionId::random(&SystemEntropy);
        let secrets = Secrets::draw(values.iter().cloned(), &SystemEntropy);
        let commitments = secrets.commitments();
        let mut statement =
            RequestStatement::new(txid, Transaction::Query, es(), dk(), commitments);
        change(&mut statement);
        let seal = &self.spain.node.sealing().seal;
        let (signed, certificates) = (statement.sign(seal).unwrap(), Chain::of(seal).der());
        Claim { txid, signed, certificates, secrets: secrets.encode() }
    }

    /// The values of the honest request, but for this one.
    fn with(&self, field: Field, value: &str) -> Vec<(Field, String)> {
        let swap =
            |(f, v): &(Field, String)| (*f, if *f == field { value.into() } else { v.clone() });
        self.values.iter().map(swap).collect()
    }

    fn honest(&self) -> Claim {
        self.claim(&self.values, |_| ())
    }

    fn seal_of(&self, country: &str) -> SealKey {
        let country = Country::parse(country).unwrap();
        self.circle.pki.identity(country, Role::Seal).seal_key()
    }

    /// Whether Denmark answers a message with this claim, under a fresh MessageID.
    async fn is_answered(&self, claim: Claim) -> bool {
        let (node, client) = (&self.spain.node, self.circle.client(es(), dk()));
        let published = client.get(VAULT_KEY_PATH).await.unwrap();
        let statement = Statement::decode(&published.body).unwrap();
        let accepted = enclave::Acceptance::software(&enclave::Attestation::ALL);
        let now = node.clock.now();
        let to = Recipient::verify(&statement, &node.seal_anchors, dk(), now, &accepted).unwrap();
        let message = envelope(Transaction::Query, &self.visit, &self.body, Vec::new());
        let root = message.root;
        let start = std::str::from_utf8(&root).unwrap().find(&self.body).unwrap();
        let content = start..start + self.body.len();
        let inner = Inner {
            evidence: wire::pair(&claim.signed, &claim.certificates),
            secrets: claim.secrets.into(),
            content: root.slice(content.clone()),
            parts: Vec::new(),
        };
        let (from, transaction) = (es(), Transaction::Query);
        let address = Address { from, to: dk(), transaction, txid: claim.txid };
        let bound = wire::bound(&root, content.clone());
        let (sealing, head) = (node.sealing(), inner.head());
        let sealed = sealing.vault.seal_request(
            &to,
            address,
            Delivery::Node,
            &bound,
            &inner.pieces(&head),
            now,
        );
        let (ciphertext, _) = sealed.unwrap();
        let (kind, body) =
            wire::seal_package(&root, content, ciphertext).write(transaction.request_action());
        let answer = client.post(SEALED_PATH, &kind, body).await.unwrap();
        let package = Package::parse(&answer.content_type, answer.body).unwrap();
        wire::split_package(&package).is_ok()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_that_is_not_about_this_message_by_this_country_releases_nothing() {
    let circle = Circle::new();
    let (spain, denmark) = (circle.start(es()).await, circle.start(dk()).await);
    let (forger, _) = Forger::new(&circle, &spain).await;
    assert!(forger.is_answered(forger.honest()).await, "the forger can speak");
    let italian = forger.seal_of("IT");
    let country = |code| Country::parse(code).unwrap();
    let with = |field, value: &str| forger.with(field, value);
    let honest = || forger.honest();
    let mut attacks: Vec<(&str, Claim)> = vec![
        ("Spain lies about the request's digest", {
            forger.claim(&with(Field::Request, &"0".repeat(64)), |_| ())
        }),
        ("about the patient", forger.claim(&with(Field::Patient, "1^^^&1.2.3&ISO"), |_| ())),
        ("about the purpose", forger.claim(&with(Field::Purpose, "EMERGENCY"), |_| ())),
        ("signs less than it sends", forger.claim(&forger.values[1..], |_| ())),
        ("another transaction", {
            forger.claim(&forger.values, |said| said.transaction = "ITI-39".into())
        }),
        ("in the name of Italy", forger.claim(&forger.values, |s| s.requester = country("IT"))),
        ("to Italy", forger.claim(&forger.values, |s| s.provider = country("IT"))),
        ("salts of another", Claim { secrets: honest().secrets, ..honest() }),
        ("under another number", Claim { signed: honest().signed, ..honest() }),
        ("with Italy's certificate", {
            Claim { certificates: Chain::of(&italian).der(), ..honest() }
        }),
        ("nothing signed", Claim { signed: Vec::new(), ..honest() }),
        ("no certificate", Claim { certificates: Vec::new(), ..honest() }),
    ];
    let mut by_italy = honest();
    let own = Secrets::decode(&by_italy.secrets).unwrap().commitments();
    let said = RequestStatement::new(by_italy.txid, Transaction::Query, es(), dk(), own);
    by_italy.signed = said.sign(&italian).unwrap();
    by_italy.certificates = Chain::of(&italian).der();
    attacks.push(("signed by Italy", by_italy));
    let mut endless = honest();
    endless.certificates = endless.certificates.repeat(Chain::INTERMEDIATES + 2);
    attacks.push(("an endless chain", endless));
    let before = denmark.journal.newest(100).await.unwrap().len();
    for (what, claim) in attacks {
        assert!(!forger.is_answered(claim).await, "{what}");
    }
    assert_eq!(denmark.journal.newest(100).await.unwrap().len(), before, "no row of any of them");
    spain.stop().await;
    denmark.stop().await;
}

/// Spain chooses the number: with one that it used before it would wipe out Denmark's proof of the
/// first answer, for which it gave no receipt.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_number_used_twice_does_not_wipe_out_the_first_proof() {
    let circle = Circle::new();
    let (spain, denmark) = (circle.start(es()).await, circle.start(dk()).await);
    let (forger, first) = Forger::new(&circle, &spain).await;
    let proof = denmark.newest(Side::A).await.unwrap();
    assert_eq!(proof.txid, first.txid);
    // the same signed request under a fresh MessageID
    let first_secrets = spain.node.secrets(&first).await.unwrap().unwrap();
    let again = Claim {
        txid: first.txid,
        signed: first.request.clone(),
        certificates: Chain::of(&spain.node.sealing().seal).der(),
        secrets: ASKED.map(|field| salts_of(&first_secrets, field)).concat(),
    };
    assert!(!forger.is_answered(again).await, "the same signed request");
    // another request under the number
    let mut other = forger.claim(&forger.values, |said| said.txid = first.txid.to_string());
    other.txid = first.txid;
    assert!(!forger.is_answered(other).await, "another request");
    let kept = denmark.journal.row(first.txid, Side::A).await.unwrap().unwrap();
    assert_eq!((kept.request, kept.statement), (proof.request, proof.statement));
    assert_eq!(denmark.journal.newest(100).await.unwrap().len(), 1);
    spain.stop().await;
    denmark.stop().await;
}

/// The request's fields in the order in which they are encoded.
const ASKED: [Field; 5] =
    [Field::Professional, Field::Purpose, Field::Assertions, Field::Request, Field::Patient];

/// One field as it travels.
fn salts_of(secrets: &Secrets, field: Field) -> Vec<u8> {
    Secrets::decode(&secrets.encode()).unwrap().only(field).encode()
}

/// Denmark does not recognise anybody in it, but has Spain's signature under the request.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_of_nobody_is_refused_and_kept() {
    let circle = Circle::new();
    let (spain, denmark) = (circle.start(es()).await, circle.start(dk()).await);
    let (mut forger, _) = Forger::new(&circle, &spain).await;
    let long_ago = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(48);
    forger.visit = circle.visit_of(&AGNETE, long_ago);
    let claim = forger.honest();
    let txid = claim.txid;
    assert!(forger.is_answered(claim).await, "with a sealed refusal");
    let row = denmark.journal.row(txid, Side::A).await.unwrap().unwrap();
    let seal = denmark.node.sealing().seal.certificate().clone();
    let anchors = circle.pki.anchors();
    let signed = Settled::verify(&row.statement, &[&seal], &anchors, row.at).unwrap();
    assert_eq!(signed.statement.outcome, "1001", "as a plain request would be refused");
    let mut lie = forger.claim(&forger.with(Field::Patient, "1^^^&1.2.3&ISO"), |_| ());
    assert!(!forger.is_answered(lie).await, "a patient whom the body does not name");
    lie = forger.honest();
    lie.secrets = forger.honest().secrets;
    assert!(!forger.is_answered(lie).await, "nor is a claim about something else believed");
    spain.stop().await;
    denmark.stop().await;
}

/// Nobody's assertions verify, so Spain may claim what it likes of people: a megabyte, or a name.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn denmark_keeps_no_name_that_it_could_not_verify() {
    let circle = Circle::new();
    let (spain, denmark) = (circle.start(es()).await, circle.start(dk()).await);
    let (mut forger, _) = Forger::new(&circle, &spain).await;
    let long_ago = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(48);
    forger.visit = circle.visit_of(&AGNETE, long_ago);
    let claim = forger.claim(&forger.with(Field::Professional, &"x".repeat(1 << 20)), |_| ());
    let txid = claim.txid;
    assert!(forger.is_answered(claim).await, "with a sealed refusal");
    let row = denmark.journal.row(txid, Side::A).await.unwrap().unwrap();
    let kept = row.secrets.asked.len() + row.secrets.answered.len();
    assert!(kept < 1024, "{kept} bytes are kept");
    let secrets = denmark.node.secrets(&row).await.unwrap().unwrap();
    let shown = FIELDS.into_iter().filter(|field| secrets.disclose(*field).is_some());
    assert_eq!(shown.collect::<Vec<_>>(), [Field::Request]);
    assert!(secrets.disclose(Field::Answer).is_some());
    spain.stop().await;
    denmark.stop().await;
}
