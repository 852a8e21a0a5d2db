//! A portal asks a stand-in for its node with a pouch's key: real TLS, real messages.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use enclave::Address;
use enclave::pouch::{self as enclave_pouch, PouchContext, PouchKey, PouchOpener, Suite};
use exchange::{Country, Document, Purpose, SystemEntropy, Transaction, TransactionId};
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use ihe::mtom::Package;
use ihe::soap::{self, SOAP12};
use ihe::xca::{Errors, RetrieveResponse};
use jiff::Timestamp;
use testbed::assertions::{Issuer, Visit};
use testbed::pki::{Pki, Role, SealKind};
use testbed::portal::{Portal, PortalError};
use testbed::pouch::{self, PouchError};
use testbed::world::{AGNETE, Land, MONTSERRAT};
use tokio_util::sync::CancellationToken;
use transport::client::{Client, ClientLimits};
use transport::problem::{Body, respond};
use transport::server::{Bound, Limits};
use transport::tls::{ClientTls, ServerTls};

const SUMMARY: &str = "<ClinicalDocument>Agnete</ClinicalDocument>";

/// What the stand-in does with an answer, once its vault has sealed it.
type Change = Arc<Mutex<Option<fn(&mut Package)>>>;

/// A node whose vault has opened Denmark's answer, and seals the document for the key of the question.
async fn answer(request: Request<Incoming>, change: Change) -> Response<Body> {
    let content_type = request.headers()["content-type"].to_str().unwrap().to_owned();
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let question = Package::parse(&content_type, body).unwrap();
    let key = pouch::named(&question).unwrap();
    let documents = vec![Document {
        unique_id: "PS-1".into(),
        repository: "1.2".into(),
        mime: "text/xml".into(),
        bytes: Bytes::from_static(SUMMARY.as_bytes()),
    }];
    let said = RetrieveResponse { errors: Errors::default(), documents };
    let (body, parts) = said.render(&AGNETE.land().community());
    let action = Transaction::Retrieve.response_action();
    let header = soap::Header { action, message_id: "urn:uuid:1", ..soap::Header::default() };
    let mut answer = Package { root: soap::render(&header, &[], &body).into(), parts };
    if let Some(key) = key {
        seal(&mut answer, &key);
    }
    if let Some(change) = change.lock().unwrap().take() {
        change(&mut answer);
    }
    let (content_type, body) = answer.write(action);
    respond(StatusCode::OK, &content_type, body)
}

fn seal(answer: &mut Package, key: &PouchKey) {
    let (from, to) = countries();
    let txid = TransactionId([7; 16]);
    let address = Address { from, to, transaction: Transaction::Retrieve, txid };
    let part = &mut answer.parts[0];
    let context = PouchContext { address, part: 0, content_id: &part.cid, media_type: &part.mime };
    part.bytes = enclave_pouch::seal(key, &context, &part.bytes).unwrap().into();
    part.mime = enclave_pouch::MEDIA_TYPE.into();
}

fn countries() -> (Country, Country) {
    (Country::parse("DK").unwrap(), Country::parse("ES").unwrap())
}

struct Stand {
    portal: Portal,
    visit: Visit,
    change: Change,
}

impl Stand {
    async fn start() -> Self {
        let (denmark, spain) = countries();
        let pki = Pki::new(&[spain, denmark], SealKind::P256, Timestamp::now());
        let tls = ServerTls::new(&pki.tls(spain, Role::ServiceProvider)).unwrap();
        let bound = Bound::tls(([127, 0, 0, 1], 0).into(), tls).await.unwrap();
        let url = format!("https://{}", bound.address().unwrap());
        let change = Change::default();
        let noted = Arc::clone(&change);
        tokio::spawn(bound.serve(
            Limits::default(),
            CancellationToken::new(),
            move |_, request| answer(request, Arc::clone(&noted)),
        ));
        let tls = ClientTls::new(&pki.tls(spain, Role::OpenncpClient)).unwrap();
        let portal = Portal {
            client: Client::new(&url, Some(spain), tls, ClientLimits::default()),
            prefix: "/dk".into(),
            own: Land::of(spain).unwrap().community(),
            other: Land::of(denmark).unwrap().community(),
        };
        let seal = Arc::new(pki.identity(spain, Role::Seal).seal_key());
        let visit = Issuer::new(spain, seal).visit(
            &MONTSERRAT,
            Some(&AGNETE.id()),
            Purpose::Treatment,
            Timestamp::now(),
            &SystemEntropy,
        );
        Self { portal, visit, change }
    }

    async fn retrieve(&self, opener: &PouchOpener) -> Result<RetrieveResponse, PortalError> {
        let asked = ("1.2", "PS-1");
        self.portal.retrieve_by_pouch(&self.visit, asked, countries(), opener).await
    }

    async fn refused(&self, change: fn(&mut Package)) -> PouchError {
        *self.change.lock().unwrap() = Some(change);
        let opener = PouchOpener::generate(Suite::P256).unwrap();
        match self.retrieve(&opener).await {
            Err(PortalError::Pouch(error)) => error,
            Err(other) => panic!("refused for another reason: {other}"),
            Ok(_) => panic!("it was taken"),
        }
    }
}

#[tokio::test]
async fn a_portal_that_names_a_key_gets_a_document_that_only_it_can_read() {
    let stand = Stand::start().await;
    for suite in Suite::ALL {
        *stand.change.lock().unwrap() = Some(|answer| {
            let (_, sent) = answer.write("");
            let seen = |text: &str| sent.windows(text.len()).any(|all| all == text.as_bytes());
            assert!(seen("application/vnd.konfido.pouch") && !seen("Agnete"));
        });
        let opener = PouchOpener::generate(suite).unwrap();
        let response = stand.retrieve(&opener).await.unwrap();
        let [document] = response.documents.as_slice() else { panic!("one document") };
        assert_eq!(
            (document.bytes.as_ref(), document.mime.as_str()),
            (SUMMARY.as_bytes(), "text/xml")
        );
    }
    // and one that names none is answered as ever
    let response = stand.portal.retrieve(&stand.visit, "1.2", "PS-1").await.unwrap();
    assert_eq!(response.documents[0].bytes, SUMMARY);
}

#[tokio::test]
async fn a_document_that_comes_otherwise_is_refused() {
    let stand = Stand::start().await;
    let damaged = stand.refused(|answer| {
        let mut bytes = answer.parts[0].bytes.to_vec();
        *bytes.last_mut().unwrap() ^= 1;
        answer.parts[0].bytes = bytes.into();
    });
    assert!(matches!(damaged.await, PouchError::Closed(0, _)));
    let in_the_open = stand.refused(|answer| {
        answer.parts[0].mime = "text/xml".into();
        answer.parts[0].bytes = Bytes::from_static(b"<ClinicalDocument/>");
    });
    assert!(matches!(in_the_open.await, PouchError::Open(0)));
    let in_the_message = stand.refused(|answer| {
        let root = String::from_utf8(answer.root.to_vec()).unwrap();
        let start = root.find("<xop:Include").unwrap();
        let end = start + root[start..].find("/>").unwrap() + 2;
        answer.root = [&root[..start], "PGEvPg==", &root[end..]].concat().into();
        answer.parts.clear();
    });
    assert!(matches!(in_the_message.await, PouchError::Open(0)));
    let another_key = stand.refused(|answer| {
        answer.parts[0].bytes = Bytes::from_static(SUMMARY.as_bytes());
        answer.parts[0].mime = "text/xml".into();
        seal(answer, PouchOpener::generate(Suite::P256).unwrap().public());
    });
    assert!(matches!(another_key.await, PouchError::Closed(0, _)));
}

#[tokio::test]
async fn a_key_that_is_not_one_is_seen_before_anybody_is_asked() {
    let stand = Stand::start().await;
    let visit = &stand.visit;
    let plain = testbed::portal::envelope(Transaction::Retrieve, visit, "<b/>", Vec::new());
    let root = String::from_utf8(plain.root.to_vec()).unwrap();
    for text in ["", "!", "ABAAAQAC", "AAAA"] {
        let block = format!("<p:Pouch xmlns:p=\"{}\">{text}</p:Pouch>", enclave_pouch::NAMESPACE);
        let asked = root.replace("</env:Header>", &format!("{block}</env:Header>"));
        assert!(asked.contains(SOAP12) && asked.contains(&block));
        assert!(pouch::named(&Package::bare(asked)).is_err(), "{text}");
    }
}
