//! An OpenNCP behind the country of affiliation that writes its documents into the message, as base64
//! and not as attachments: the asking country's vault writes them there again, over the connection that it
//! ends, and its own OpenNCP reads the very bytes that the other one wrote.

use std::net::SocketAddr;
use std::process::Command;
use std::sync::{Arc, Mutex};

use anyhow::{Context as _, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use exchange::{Document, Entropy as _, SystemEntropy, Transaction};
use http::StatusCode;
use ihe::mtom::Package;
use ihe::soap;
use ihe::xca::RetrieveResponse;
use testbed::pki::{Pki, Role};
use testbed::site::Site;
use tokio_util::sync::CancellationToken;
use transport::problem::respond;
use transport::server::{Bound, Limits};
use transport::tls::ServerTls;

use crate::client::Client;
use crate::last_hop::deliveries;
use crate::node::Node;
use crate::store::run;
use crate::{PATIENCE, install};

#[test]
fn documents_that_stand_as_base64_in_a_message_come_to_the_own_openncp_byte_for_byte() {
    run(inline());
}

async fn inline() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let (es, dk, pki) = install(folder.path()).await?;
    let behind = OpenNcp::start(&pki, &dk).await?;
    let toml = std::fs::read_to_string(es.config())?;
    std::fs::write(es.config(), format!("{toml}\n[vault]\nlast_hop = \"vault\"\n"))?;
    let toml = std::fs::read_to_string(dk.config())?;
    let national = format!("connector = \"openncp\"\nurl = \"https://{}\"\n", behind.address);
    std::fs::write(dk.config(), format!("{toml}\n[national]\n{national}"))?;
    let client = Client::new(&pki, &es, &dk)?;
    let (b, a) = (Node::start(&es, None).await?, Node::start(&dk, None).await?);
    let mut asked = 0;
    // each remainder of three; less than a record of TLS, many, and more than the vault takes at once
    for sizes in [&[1][..], &[2, 3], &[15_999, 1_000_000, 4], &[0], &[700_001]] {
        for attached in 0..=sizes.len().min(2) {
            let documents: Vec<Document> = sizes.iter().map(|size| document(&dk, *size)).collect();
            let answer = answer(&documents, attached);
            behind.answers(answer.clone());
            let heard = Heard::of(&es, &pki, &dk, &client).await?;
            let what = format!("{sizes:?}, {attached} of them attached");
            ensure!(
                heard.0 == documents.iter().map(|d| d.bytes.clone()).collect::<Vec<_>>(),
                "{what}"
            );
            if attached == 0 {
                // the whole message, and not only its documents
                let (content_type, body) = (&heard.1, &heard.2);
                ensure!(content_type.starts_with("application/soap+xml"), "{what}: {content_type}");
                ensure!(*body == answer.root, "{what}: the message is another one");
                by_curl(folder.path(), &es, &client, body)?;
                asked += 2 * usize::from(has_curl());
            }
            asked += 1;
        }
    }
    // a MIME tool's base64, in lines: the documents are the same, the lines are not
    let documents = [document(&dk, 10_000)];
    let one = answer(&documents, 0);
    let text = STANDARD.encode(&documents[0].bytes);
    let lines = text
        .as_bytes()
        .chunks(76)
        .map(|line| std::str::from_utf8(line).expect("because base64 is ASCII"));
    let lines = lines.collect::<Vec<_>>().join("\r\n");
    let root = String::from_utf8(one.root.to_vec())?.replace(&text, &lines);
    behind.answers(Package { root: root.into(), parts: Vec::new() });
    let heard = Heard::of(&es, &pki, &dk, &client).await?;
    ensure!(heard.0 == [documents[0].bytes.clone()] && heard.2 == one.root, "in lines");
    b.stop().await?;
    a.stop().await?;
    let said = deliveries(&es).await?;
    ensure!(
        said.len() == asked.min(5) && said.iter().all(|one| one.starts_with("vault-tls ")),
        "{said:?}"
    );
    behind.stop.cancel();
    Ok(())
}

/// Any bytes.
fn document(dk: &Site, size: usize) -> Document {
    let mut bytes = vec![0; size];
    SystemEntropy.fill(&mut bytes);
    let unique_id = format!("{}^PS-DK1", dk.land.repository);
    let repository = dk.land.repository.to_owned();
    Document { unique_id, repository, mime: "application/pdf".into(), bytes: bytes.into() }
}

/// An answer whose first `attached` documents are attachments; the others stand in it.
fn answer(documents: &[Document], attached: usize) -> Package {
    let response =
        RetrieveResponse { documents: documents.to_vec(), ..RetrieveResponse::default() };
    let community = exchange::Oid::parse("1.2.208").expect("because it is one");
    let (mut body, mut parts) = response.render(&community);
    for part in parts.split_off(attached) {
        let from = body.rfind(&format!(
            "<xop:Include xmlns:xop=\"http://www.w3.org/2004/08/xop/include\" href=\"cid:{}\"",
            part.cid
        ));
        let from = from.expect("because render writes it");
        let until = from + body[from..].find('>').expect("because it is XML") + 1;
        body.replace_range(from..until, &STANDARD.encode(&part.bytes));
    }
    let header = soap::Header {
        action: Transaction::Retrieve.response_action(),
        message_id: "urn:uuid:7d9f5a06-6d34-4c0f-9f0c-8f6f0d0a9a55",
        ..soap::Header::default()
    };
    Package { root: soap::render(&header, &[], &body).into(), parts }
}

/// Documents, content type and body.
struct Heard(Vec<Bytes>, String, Bytes);

impl Heard {
    async fn of(es: &Site, pki: &Pki, dk: &Site, client: &Client) -> anyhow::Result<Self> {
        let (content_type, body) = client.message();
        let path = format!("/dk{}", Transaction::Retrieve.service_path());
        let portal = es.portal(pki, dk)?;
        let answer = portal.client.post(&path, &content_type, body).await?;
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        ensure!(answer.status == StatusCode::OK, "{}", &text[..text.len().min(2000)]);
        let package = Package::parse(&answer.content_type, answer.body.clone())?;
        let xml = trust::xml::Xml::parse_bytes(&package.root, &trust::xml::Limits::MESSAGE)?;
        let payload = soap::Envelope::read(&xml)?.payload.context("an empty Body")?;
        let attachments = ihe::mtom::Attachments::new(&package.parts);
        let read = RetrieveResponse::parse(payload, &attachments)?;
        let documents = read.documents.into_iter().map(|document| document.bytes).collect();
        Ok(Self(documents, answer.content_type, answer.body))
    }
}

fn has_curl() -> bool {
    Command::new("curl").arg("--version").output().is_ok()
}

/// The same by a client that we did not write, over both versions of TLS.
fn by_curl(
    folder: &std::path::Path,
    es: &Site,
    client: &Client,
    expected: &Bytes,
) -> anyhow::Result<()> {
    if !has_curl() {
        println!("skipped: no curl");
        return Ok(());
    }
    let file = |name: &str| es.dir.join("pki").join(name);
    let stem = format!("es/{}", Role::OpenncpClient.stem());
    for version in [["--tlsv1.2", "--tls-max", "1.2"], ["--tlsv1.3", "--tls-max", "1.3"]] {
        let (content_type, body) = client.message();
        std::fs::write(folder.join("message"), body)?;
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--http1.1", "--max-time", "20"]).args(version);
        curl.arg("--cacert").arg(file("ca.pem")).arg("--cert").arg(file(&format!("{stem}.pem")));
        curl.arg("--key").arg(file(&format!("{stem}.key")));
        curl.args(["--header", &format!("Content-Type: {content_type}"), "--data-binary"]);
        curl.arg(format!("@{}", folder.join("message").display()));
        let service = Transaction::Retrieve.service_path();
        curl.arg(format!("https://{}/dk{service}", es.national));
        let said = tokio::task::block_in_place(|| curl.output())?;
        ensure!(said.status.success(), "{version:?}: {}", String::from_utf8_lossy(&said.stderr));
        ensure!(said.stdout == *expected, "{version:?}: curl read something else");
    }
    Ok(())
}

/// The OpenNCP behind Denmark's node, which answers as it is told.
struct OpenNcp {
    address: SocketAddr,
    answer: Arc<Mutex<Package>>,
    stop: CancellationToken,
}

impl OpenNcp {
    async fn start(pki: &Pki, dk: &Site) -> anyhow::Result<Self> {
        let server = ServerTls::new(&pki.tls(dk.land.country(), Role::OpenncpServer))?;
        let bound = Bound::tls(([127, 0, 0, 1], 0).into(), server).await?;
        let (address, stop) = (bound.address()?, CancellationToken::new());
        let answer = Arc::new(Mutex::new(Package::default()));
        let told = Arc::clone(&answer);
        let limits = Limits { request: PATIENCE, ..Limits::default() };
        tokio::spawn(bound.serve(limits, stop.clone(), move |_, _| {
            let package = told.lock().expect("because nobody panics with it").clone();
            async move {
                let (content_type, body) = package.write(Transaction::Retrieve.response_action());
                respond(StatusCode::OK, &content_type, body)
            }
        }));
        Ok(Self { address, answer, stop })
    }

    fn answers(&self, package: Package) {
        *self.answer.lock().expect("because nobody panics with it") = package;
    }
}
