//! Raw TLS and raw HTTP/1.1: what a well-behaved client would never send.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use testbed::pki::Role;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;
use transport::tls::Identity;

use crate::circle::Circle;

/// Whose certificate the sender shows.
#[derive(Clone)]
pub enum Caller {
    /// One of the circle.
    Known(&'static str, Role),
    /// One that no root of the circle vouches for.
    Stranger(Arc<Identity>),
    /// None.
    Nobody,
    /// No TLS at all.
    Plaintext,
}

/// How the sender goes on after its bytes.
#[derive(Clone, Copy)]
pub enum Then {
    /// Waits for the answer.
    Wait,
    /// Sends no more and closes its side.
    Leave,
    /// Sends a byte a second, for this long.
    Drip(u64),
}

/// What is sent.
#[derive(Clone)]
pub struct Shot {
    pub caller: Caller,
    pub bytes: Vec<u8>,
    pub then: Then,
}

/// What came back.
pub struct Answer {
    /// HTTP status; none when the connection ended without an answer.
    pub status: Option<u16>,
    pub content_type: String,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// An HTTP request of one body.
pub fn post(path: &str, content_type: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: node\r\nContent-Type: {content_type}\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// Sends, and reads until the other side closes. A node that does neither fails the test.
pub async fn fire(circle: &Circle, at: SocketAddr, shot: &Shot) -> Answer {
    let socket = TcpStream::connect(at).await.expect("the node listens");
    socket.set_nodelay(true).unwrap();
    let raw = match &shot.caller {
        Caller::Plaintext => converse(socket, shot).await,
        Caller::Known(cc, role) => {
            encrypted(socket, circle, Some(&circle.identity(cc, *role)), shot).await
        }
        Caller::Stranger(identity) => encrypted(socket, circle, Some(identity), shot).await,
        Caller::Nobody => encrypted(socket, circle, None, shot).await,
    };
    parse(&raw)
}

async fn encrypted(
    socket: TcpStream,
    circle: &Circle,
    identity: Option<&Identity>,
    shot: &Shot,
) -> Vec<u8> {
    let connector = TlsConnector::from(Arc::new(config(&circle.roots(), identity)));
    let name = ServerName::try_from("127.0.0.1").unwrap();
    match connector.connect(name, socket).await {
        Ok(stream) => converse(stream, shot).await,
        Err(_) => Vec::new(),
    }
}

fn config(roots: &[u8], identity: Option<&Identity>) -> ClientConfig {
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(CertificateDer::pem_slice_iter(roots).map(Result::unwrap));
    let builder = ClientConfig::builder().with_root_certificates(store);
    match identity {
        None => builder.with_no_client_auth(),
        Some(identity) => {
            let chain = CertificateDer::pem_slice_iter(&identity.chain).map(Result::unwrap);
            let key = PrivateKeyDer::from_pem_slice(identity.key.pem().unwrap()).unwrap();
            builder.with_client_auth_cert(chain.collect(), key).unwrap()
        }
    }
}

/// Writes and reads at the same time: a node may answer before it has read everything.
async fn converse<S: AsyncRead + AsyncWrite>(stream: S, shot: &Shot) -> Vec<u8> {
    let (mut reader, mut writer) = tokio::io::split(stream);
    let write = async {
        if writer.write_all(&shot.bytes).await.is_err() || writer.flush().await.is_err() {
            return;
        }
        match shot.then {
            Then::Wait => {}
            Then::Leave => drop(writer.shutdown().await),
            Then::Drip(seconds) => {
                for _ in 0..seconds {
                    sleep(Duration::from_secs(1)).await;
                    if writer.write_all(b"x").await.is_err() || writer.flush().await.is_err() {
                        return;
                    }
                }
            }
        }
    };
    let read = async {
        let mut raw = Vec::new();
        // an end without close_notify is an end
        let _ = reader.read_to_end(&mut raw).await;
        raw
    };
    let both = async {
        tokio::pin!(write);
        tokio::pin!(read);
        tokio::select! {
            raw = &mut read => raw,
            () = &mut write => read.await,
        }
    };
    timeout(PATIENCE, both).await.expect("the node answers or closes")
}

fn parse(raw: &[u8]) -> Answer {
    let end = raw.windows(4).position(|w| w == b"\r\n\r\n");
    let Some(end) = end else {
        // nothing, or a TLS alert (RFC 8446 §6) to who speaks no TLS
        assert!(raw.is_empty() || raw[0] == 21, "the node said something that is not HTTP");
        return Answer { status: None, content_type: String::new(), body: Vec::new() };
    };
    let head = String::from_utf8_lossy(&raw[..end]).into_owned();
    let status = head.split(' ').nth(1).and_then(|s| s.parse().ok());
    let mut fields = head.lines().filter_map(|line| line.split_once(": "));
    let content_type = fields.find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    let content_type = content_type.map_or("", |(_, value)| value).to_owned();
    Answer { status, content_type, body: raw[end + 4..].to_vec() }
}

/// Longer than any limit of a node's that a case waits for.
const PATIENCE: Duration = Duration::from_secs(120);
