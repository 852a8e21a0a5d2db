//! Connections that somebody else ends: here a double of the vault, which has the documents.

#![allow(clippy::unwrap_used, reason = "tests")]

mod world;

use std::io;
use std::io::{Read as _, Write as _};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use http::{Response, StatusCode};
use rustls::crypto::{WebPkiSupportedAlgorithms, aws_lc_rs};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, ServerConfig, ServerConnection};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use transport::client::ClientLimits;
use transport::hop::{By, Given, Hole, Holes, LastHop, Line, Room, Segment, Terminator, hole};
use transport::problem::{Body, respond};
use transport::server::{Bound, Limits, read_body};
use transport::tls::{Identity, ServerTls};
use world::{Authority, Running, client, connect, country, millis, start};

/// Ends connections in this process, and fills holes with what is here.
struct Double {
    config: Arc<ServerConfig>,
    documents: Vec<Vec<u8>>,
    room: Room,
    writes: AtomicUsize,
}

struct DoubleLine {
    tls: Mutex<(ServerConnection, bool)>,
    of: Arc<Double>,
}

impl Double {
    fn new(identity: &Identity, documents: Vec<Vec<u8>>, handshakes: usize) -> Arc<Self> {
        let chain = vec![CertificateDer::from_pem_slice(&identity.chain).unwrap()];
        let key = PrivateKeyDer::from_pem_slice(identity.key.pem().unwrap()).unwrap();
        let config = ServerConfig::builder_with_provider(aws_lc_rs::default_provider().into())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(Arc::new(Anybody))
            .with_single_cert(chain, key)
            .unwrap();
        let room = Room { connections: 100, handshakes };
        let writes = AtomicUsize::new(0);
        Arc::new(Self { config: Arc::new(config), documents, room, writes })
    }
}

struct Shared(Arc<Double>);

impl Terminator for Shared {
    fn open(&self, hints: &[Vec<u8>], bytes: &[u8]) -> io::Result<(Arc<dyn Line>, Given)> {
        assert_eq!(hints.len(), 1, "the names of our roots");
        let mut tls = ServerConnection::new(Arc::clone(&self.0.config)).unwrap();
        tls.set_buffer_limit(None);
        let line = DoubleLine { tls: Mutex::new((tls, false)), of: Arc::clone(&self.0) };
        let given = line.feed(bytes)?;
        Ok((Arc::new(line), given))
    }

    fn room(&self) -> Room {
        self.0.room
    }
}

impl Line for DoubleLine {
    fn feed(&self, mut bytes: &[u8]) -> io::Result<Given> {
        let (tls, shaken) = &mut *self.tls.lock().unwrap();
        let mut given = Given::default();
        while !bytes.is_empty() && !given.failed {
            tls.read_tls(&mut bytes)?;
            given.failed = tls.process_new_packets().is_err();
            match tls.reader().read_to_end(&mut given.plaintext) {
                Ok(_) => given.closed = true,
                Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
            }
        }
        while tls.wants_write() {
            tls.write_tls(&mut given.ciphertext)?;
        }
        if !tls.is_handshaking() && !given.failed && !std::mem::replace(shaken, true) {
            let chain = tls.peer_certificates().unwrap().iter().map(|der| der.to_vec()).collect();
            let group = tls.negotiated_key_exchange_group().map(|group| group.name().into());
            given.shaken = Some((chain, group));
        }
        Ok(given)
    }

    fn write(&self, segments: &[Segment<'_>]) -> io::Result<Vec<u8>> {
        self.of.writes.fetch_add(1, Ordering::Relaxed);
        let (tls, _) = &mut *self.tls.lock().unwrap();
        let total: usize = segments.iter().map(|segment| length(*segment)).sum();
        assert!(total <= 256 << 10, "{total} at once");
        for segment in segments {
            match *segment {
                Segment::Bytes(bytes) => tls.writer().write_all(bytes)?,
                Segment::Hole(Hole { document, .. }, start, length) => {
                    let document = &self.of.documents[usize::from(document)];
                    tls.writer().write_all(&document[start..start + length])?;
                }
            }
        }
        let mut out = Vec::new();
        while tls.wants_write() {
            tls.write_tls(&mut out)?;
        }
        Ok(out)
    }

    fn close(&self) -> Vec<u8> {
        let (tls, _) = &mut *self.tls.lock().unwrap();
        tls.send_close_notify();
        let mut out = Vec::new();
        tls.write_tls(&mut out).unwrap();
        out
    }
}

fn length(segment: Segment<'_>) -> usize {
    match segment {
        Segment::Bytes(bytes) => bytes.len(),
        Segment::Hole(_, _, length) => length,
    }
}

/// Whoever has the key of his certificate.
#[derive(Debug)]
struct Anybody;

fn known() -> WebPkiSupportedAlgorithms {
    aws_lc_rs::default_provider().signature_verification_algorithms
}

impl ClientCertVerifier for Anybody {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, Error> {
        rustls::crypto::verify_tls12_signature(message, certificate, signed, &known())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, Error> {
        rustls::crypto::verify_tls13_signature(message, certificate, signed, &known())
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        known().supported_schemes()
    }
}

/// A listener whose connections the double ends; each answer is `<`, the documents with `|` between, `>`.
async fn serve(double: &Arc<Double>, identity: &Identity, limits: Limits) -> Running {
    let tls = ServerTls::new(identity).unwrap();
    let last_hop = LastHop::default();
    last_hop.replace(Some(Arc::new(Shared(Arc::clone(double)))));
    let bound = Bound::tls("127.0.0.1:0".parse().unwrap(), tls.clone()).await.unwrap();
    let bound = bound.ended_by(last_hop);
    let (address, stop) = (bound.address().unwrap(), CancellationToken::new());
    let lengths: Vec<usize> = double.documents.iter().map(Vec::len).collect();
    let task = tokio::spawn(bound.serve(limits, stop.clone(), move |peer, request| {
        let lengths = lengths.clone();
        async move {
            assert!(request.extensions().get::<By>().is_some());
            assert_eq!(peer.unwrap().country(), Some(country("ES")));
            let body = read_body(request.into_body(), None, limits.body, limits.body_time).await;
            assert!(body.is_ok());
            with_holes(&lengths)
        }
    }));
    Running { address, tls, stop, task }
}

fn with_holes(lengths: &[usize]) -> Response<Body> {
    let (mut body, mut holes) = (vec!["<".into()], Vec::new());
    for (document, length) in (0..).zip(lengths) {
        body.extend(hole(*length));
        body.push("|".into());
        holes.push(Hole { document, base64: false, length: *length });
    }
    body.push(">".into());
    let mut response = respond(StatusCode::OK, "text/plain", body);
    response.extensions_mut().insert(Holes(holes));
    response
}

fn documents() -> Vec<Vec<u8>> {
    [3 << 20, 0, 7, 300_000]
        .map(|length| {
            (0..length).map(|at: u32| at.to_be_bytes()[2] ^ at.to_be_bytes()[3]).collect()
        })
        .to_vec()
}

fn expected() -> Vec<u8> {
    let mut all = b"<".to_vec();
    for document in documents() {
        all.extend_from_slice(&document);
        all.push(b'|');
    }
    all.push(b'>');
    all
}

#[tokio::test]
async fn documents_stand_where_the_holes_were_request_after_request() {
    let ca = Authority::new("root");
    let own = ca.identity("DK", 1);
    let double = Double::new(&own, documents(), 10);
    let running = serve(&double, &own, Limits::default()).await;
    let es = client(&running, None, &ca.identity("ES", 2), ClientLimits::default());
    for _ in 0..5 {
        let answer = es.post("/", "text/plain", world::body(100_000)).await.unwrap();
        assert!(answer.status == StatusCode::OK && answer.body == expected());
    }
    // several at once, on connections of their own
    let ask = || async { es.post("/", "text/plain", world::body(10)).await.unwrap().body };
    let all = tokio::join!(ask(), ask(), ask(), ask());
    assert!([all.0, all.1, all.2, all.3].iter().all(|body| *body == expected()));
}

#[tokio::test]
async fn a_short_answer_costs_few_calls() {
    let ca = Authority::new("root");
    let own = ca.identity("DK", 1);
    let double = Double::new(&own, vec![vec![7; 100_000]], 10);
    let running = serve(&double, &own, Limits::default()).await;
    let es = client(&running, None, &ca.identity("ES", 2), ClientLimits::default());
    for _ in 0..10 {
        assert_eq!(es.post("/", "text/plain", world::body(10)).await.unwrap().body.len(), 100_003);
    }
    let writes = double.writes.load(Ordering::Relaxed);
    assert!(writes <= 20, "{writes}");
}

#[tokio::test]
async fn a_slow_reader_gets_all_of_it_and_who_reads_nothing_is_cut() {
    let ca = Authority::new("root");
    let own = ca.identity("DK", 1);
    let double = Double::new(&own, documents(), 10);
    let limits = Limits { writes: millis(400), ..Limits::default() };
    let running = serve(&double, &own, limits).await;
    let asked = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    let mut slow = connect(&running, &ca).await;
    slow.write_all(asked).await.unwrap();
    let (mut all, mut some) = (Vec::new(), vec![0; 64 << 10]);
    loop {
        let length = slow.read(&mut some).await.unwrap();
        if length == 0 {
            break;
        }
        all.extend_from_slice(&some[..length]);
        tokio::time::sleep(millis(2)).await;
    }
    assert!(all.ends_with(&expected()));
    let mut stalled = connect(&running, &ca).await;
    for _ in 0..8 {
        stalled.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    }
    tokio::time::sleep(millis(1500)).await;
    let mut all = Vec::new();
    let _ = stalled.read_to_end(&mut all).await;
    assert!(all.len() < 8 * expected().len(), "{}", all.len());
}

#[tokio::test]
async fn holes_that_nobody_fills_are_no_answer() {
    let ca = Authority::new("root");
    let own = ca.identity("DK", 1);
    let answer = |_, _| async { with_holes(&[9]) };
    let running = start(&own, Limits::default(), answer).await;
    let es = client(&running, None, &ca.identity("ES", 2), ClientLimits::default());
    let answer = es.post("/", "text/plain", world::body(1)).await.unwrap();
    assert_eq!(
        (answer.status, &answer.body[..]),
        (StatusCode::INTERNAL_SERVER_ERROR, &b"failed\n"[..])
    );
}

#[tokio::test]
async fn who_comes_from_another_authority_is_refused_by_us() {
    let (ca, other) = (Authority::new("root"), Authority::new("other"));
    let own = ca.identity("DK", 1);
    let double = Double::new(&own, documents(), 10);
    let running = serve(&double, &own, Limits::default()).await;
    let mut stranger = other.identity("ES", 2);
    stranger.roots.clone_from(&own.roots);
    let es = client(&running, None, &stranger, ClientLimits::default());
    assert!(es.post("/", "text/plain", world::body(1)).await.is_err());
    let revoked = ca.identity("ES", 3);
    let mut listed = own.clone();
    listed.roots.extend(ca.revoke(3).into_bytes());
    running.tls.reload(&listed).unwrap();
    let es = client(&running, None, &revoked, ClientLimits::default());
    assert!(es.post("/", "text/plain", world::body(1)).await.is_err());
    let es = client(&running, None, &ca.identity("ES", 4), ClientLimits::default());
    assert!(es.post("/", "text/plain", world::body(1)).await.is_ok());
}

#[tokio::test]
async fn who_says_nothing_takes_no_turn_and_who_says_little_only_until_his_time_is_over() {
    let ca = Authority::new("root");
    let own = ca.identity("DK", 1);
    let double = Double::new(&own, documents(), 1);
    let limits = Limits { handshake: millis(600), ..Limits::default() };
    let running = serve(&double, &own, limits).await;
    let _silent = TcpStream::connect(running.address).await.unwrap();
    let es = client(&running, None, &ca.identity("ES", 2), ClientLimits::default());
    assert!(es.post("/", "text/plain", world::body(1)).await.is_ok());
    let mut halting = TcpStream::connect(running.address).await.unwrap();
    halting.write_all(&[0x16, 3, 1]).await.unwrap();
    tokio::time::sleep(millis(800)).await;
    let other = client(&running, None, &ca.identity("ES", 3), ClientLimits::default());
    assert!(other.post("/", "text/plain", world::body(1)).await.is_ok());
}
