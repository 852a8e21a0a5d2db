//! A time-stamping authority (RFC 3161 over HTTP) that does as it is told.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
use jiff::Timestamp;
use rcgen::{BasicConstraints, CertificateParams, CustomExtension, DnType, IsCa, Issuer, KeyPair};

/// What it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Does {
    Stamp,
    /// Bytes that are no DER.
    Garbage,
    /// Half of a good answer.
    Half,
    /// 503.
    Fails,
    /// A page, as from a captive portal.
    Page,
    /// Over other bytes.
    OtherDigest,
    /// For another request.
    OtherNonce,
    /// Under a root that nobody configured.
    Stranger,
    /// Says that it will not.
    Refuses,
    /// More bytes than any stamp has.
    Floods,
    /// Takes the request, and says nothing.
    Hangs,
}

pub struct Authority {
    pub address: SocketAddr,
    does: Arc<Mutex<Does>>,
    root: Root,
}

impl Authority {
    pub fn start(does: Does) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (root, stranger) = (Root::new(), Root::new());
        let (does, ours) = (Arc::new(Mutex::new(does)), root.signer());
        let told = Arc::clone(&does);
        let theirs = stranger.signer();
        std::thread::spawn(move || {
            let mut held = Vec::new();
            for stream in listener.incoming().flatten() {
                let does = *told.lock().unwrap();
                let signer = if does == Does::Stranger { &theirs } else { &ours };
                held.extend(answer(stream, does, signer));
            }
        });
        Self { address, does, root }
    }

    pub fn does(&self, what: Does) {
        *self.does.lock().unwrap() = what;
    }

    pub fn root_pem(&self) -> &str {
        &self.root.pem
    }
}

/// Answers one request; gives the connection back if it is to stay open in silence.
fn answer(mut stream: TcpStream, does: Does, signer: &Signer) -> Option<TcpStream> {
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let (head, request) = read(&mut stream)?;
    assert!(head.starts_with("POST /stamps HTTP/1.1\r\n"), "{head}");
    assert!(head.to_ascii_lowercase().contains("content-type: application/timestamp-query"));
    // TimeStampReq as our client writes it: the digest, then the nonce
    let (imprint, nonce): ([u8; 32], [u8; 16]) =
        (request[24..56].try_into().unwrap(), request[58..74].try_into().unwrap());
    let body = match does {
        Does::Hangs => return Some(stream),
        Does::Fails | Does::Page => b"<html>later</html>".to_vec(),
        Does::Garbage => (0..250_u8).flat_map(|n| [0x55, n]).collect(),
        Does::Refuses => der(0x30, &[&der(0x30, &[&[2, 1, 2]])]),
        Does::Floods => vec![0x30; 200_000],
        Does::OtherDigest => signer.token([7; 32], nonce),
        Does::OtherNonce => signer.token(imprint, [0x41; 16]),
        Does::Half => {
            let whole = signer.token(imprint, nonce);
            whole[..whole.len() / 2].to_vec()
        }
        Does::Stamp | Does::Stranger => signer.token(imprint, nonce),
    };
    let status = if does == Does::Fails { "503 Service Unavailable" } else { "200 OK" };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/timestamp-reply\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    // it may have gone
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body));
    None
}

/// Head and body of a request; nothing if it ends early.
fn read(stream: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let (mut bytes, mut more) = (Vec::new(), [0; 4096]);
    loop {
        let count = stream.read(&mut more).unwrap_or(0);
        bytes.extend_from_slice(&more[..count]);
        if let Some(at) = memchr::memmem::find(&bytes, b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..at]).into_owned();
            let mut lines = head.lines().filter_map(|line| line.split_once(": "));
            let length = lines.find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
            let length: usize = length.map_or(0, |(_, length)| length.parse().unwrap());
            if bytes.len() >= at + 4 + length {
                return Some((head + "\r\n", bytes[at + 4..].to_vec()));
            }
        }
        if count == 0 {
            return None;
        }
    }
}

struct Root {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// The authority's key and certificate.
struct Signer {
    key: EcdsaKeyPair,
    certificate: Vec<u8>,
}

impl Root {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name = name("stamps root");
        let pem = params.self_signed(&key).unwrap().pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    /// For time-stamps alone (RFC 3161 §2.3).
    fn signer(&self) -> Signer {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name = name("stamps");
        params.serial_number = Some(SERIAL.to_vec().into());
        let usage = [0x30, 10, 6, 8, 0x2b, 6, 1, 5, 5, 7, 3, 8];
        let mut usage = CustomExtension::from_oid_content(&[2, 5, 29, 37], usage.to_vec());
        usage.set_criticality(true);
        params.custom_extensions.push(usage);
        let certificate = params.signed_by(&key, &self.issuer).unwrap().der().to_vec();
        let der = key.serialize_der();
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &der).unwrap();
        Signer { key, certificate }
    }
}

impl Signer {
    /// `TimeStampResp`: `SignedData` (RFC 5652 §5.1) over `TSTInfo` (RFC 3161 §2.4.2).
    fn token(&self, imprint: [u8; 32], nonce: [u8; 16]) -> Vec<u8> {
        let time = Timestamp::now().strftime("%Y%m%d%H%M%SZ").to_string();
        let info = der(
            0x30,
            &[
                &[2, 1, 1],
                &[6, 3, 0x2a, 3, 4],
                &der(0x30, &[&SHA_256, &der(4, &[&imprint])]),
                &[2, 1, 77],
                &der(0x18, &[time.as_bytes()]),
                &der(2, &[&nonce]),
            ],
        );
        let attribute = |oid: &[u8], value: &[u8]| der(0x30, &[oid, &der(0x31, &[value])]);
        let bound = der(0x30, &[&der(4, &[&sha256(&self.certificate)])]);
        let attributes = [
            attribute(&CONTENT_TYPE, &TST_INFO),
            attribute(&MESSAGE_DIGEST, &der(4, &[&sha256(&info)])),
            attribute(&SIGNING_CERTIFICATE_V2, &der(0x30, &[&der(0x30, &[&bound])])),
        ]
        .concat();
        let signed = der(0x31, &[&attributes]);
        let signature = self.key.sign(&SystemRandom::new(), &signed).unwrap();
        let signer = der(
            0x30,
            &[
                &[2, 1, 1],
                &der(0x30, &[&issuer_name(), &der(2, &[&SERIAL])]),
                &SHA_256,
                &der(0xa0, &[&attributes]),
                &der(0x30, &[&ECDSA_SHA_256]),
                &der(4, &[signature.as_ref()]),
            ],
        );
        let data = der(
            0x30,
            &[
                &[2, 1, 3],
                &der(0x31, &[&SHA_256]),
                &der(0x30, &[&TST_INFO, &der(0xa0, &[&der(4, &[&info])])]),
                &der(0xa0, &[&self.certificate]),
                &der(0x31, &[&signer]),
            ],
        );
        let token = der(0x30, &[&SIGNED_DATA, &der(0xa0, &[&data])]);
        der(0x30, &[&der(0x30, &[&[2, 1, 0]]), &token])
    }
}

fn name(common: &str) -> rcgen::DistinguishedName {
    let mut name = rcgen::DistinguishedName::new();
    name.push(DnType::CommonName, common);
    name
}

/// As rcgen writes the root's: one attribute, UTF-8.
fn issuer_name() -> Vec<u8> {
    let common = der(0x30, &[&[6, 3, 0x55, 4, 3], &der(0x0c, &[b"stamps root"])]);
    der(0x30, &[&der(0x31, &[&common])])
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    digest(&SHA256, bytes).as_ref().try_into().unwrap()
}

fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let length = content.len().to_be_bytes();
    let head: &[u8] = match content.len() {
        ..0x80 => &length[7..],
        0x80..0x100 => &[0x81, length[7]],
        _ => &[0x82, length[6], length[7]],
    };
    [&[tag], head, &content].concat()
}

const SERIAL: [u8; 4] = [0x11, 2, 3, 4];
/// id-sha256 with NULL.
const SHA_256: [u8; 15] = [0x30, 13, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1, 5, 0];
const ECDSA_SHA_256: [u8; 10] = [6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
const SIGNED_DATA: [u8; 11] = [6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 13, 1, 7, 2];
const TST_INFO: [u8; 13] = [6, 11, 0x2a, 0x86, 0x48, 0x86, 0xf7, 13, 1, 9, 16, 1, 4];
const CONTENT_TYPE: [u8; 11] = [6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 13, 1, 9, 3];
const MESSAGE_DIGEST: [u8; 11] = [6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 13, 1, 9, 4];
const SIGNING_CERTIFICATE_V2: [u8; 13] = [6, 11, 0x2a, 0x86, 0x48, 0x86, 0xf7, 13, 1, 9, 16, 2, 47];
