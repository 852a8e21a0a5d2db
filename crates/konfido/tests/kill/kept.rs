//! Documents that Denmark's vault keeps: whether its node's memory and files ever hold one.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context as _, ensure};
use exchange::{DocumentClass, Entropy as _, Purpose, SystemEntropy};
use gateway::national::{DocumentStore as _, intake};
use ihe::xdr::Submission;
use jiff::Timestamp;
use testbed::assertions::{Issuer, Visit};
use testbed::documents::{self, Header};
use testbed::memory::{finds, spellings};
use testbed::pki::{Pki, Role, SealKind};
use testbed::portal::Portal;
use testbed::seed;
use testbed::site::Site;
use testbed::world::{AGNETE, Clinician, JORDI, LANDS, MONTSERRAT};
use transport::client::{Client, ClientLimits};
use transport::tls::ClientTls;

use crate::node::Node;
use crate::watch::Watch;

#[test]
fn a_thousand_documents_pass_and_the_answering_node_holds_none() {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(4).enable_all().build().unwrap();
    runtime.block_on(pass()).unwrap();
}

#[test]
fn documents_under_another_key_are_not_served_and_it_is_said_why() {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(another_key()).unwrap();
}

#[test]
fn a_document_that_is_written_to_another_patients_name_does_not_leave() {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(moved()).unwrap();
}

#[test]
fn a_store_of_the_first_release_is_kept_at_the_start_and_served() {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(of_the_first_release()).unwrap();
}

#[test]
fn documents_are_imported_beside_a_node_whose_keys_are_in_its_sealed_store() {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(beside()).unwrap();
}

async fn pass() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let stage = Stage::set(folder.path())?;
    let (es, dk) = (&stage.es, &stage.dk);
    // as an operator brings documents in: the command's own vault keeps them
    let import = folder.path().join("import");
    seed::write_import(&import, dk.land.country())?;
    fs::write(import.join("documents/PS-DK1.xml"), stage.summary())?;
    ensure!(stage.is_in(&import)?, "the search finds what is in a file");
    ensure!(stage.konfido(&["documents", "import"], Some(&import))?.status.success(), "import");
    ensure!(!stage.is_in(&dk.data())?, "imported, a document lies in a file");

    let (b, a) = (Node::start(es, None).await?, Node::start(dk, None).await?);
    let sealed = es.portal(&stage.pki, dk)?;
    let seen = stage.dumped_while(&a, &sealed, RETRIEVALS).await?;
    ensure!(seen == 0, "the memory of Denmark's node held a document in {seen} dumps");
    stage.submit(&sealed).await?;
    ensure!(!stage.is_in(&dk.data())?, "a dispensation from abroad lies in a file");
    // not even when it is asked in plain IHE: no row allows that
    let plain = stage.plainly()?;
    ensure!(stage.retrieve(&plain).await.is_err(), "a document left plainly");
    b.stop().await?;
    a.stop().await?;
    ensure!(!stage.is_in(&dk.data())?, "stopped, it lies in a file");

    // the same search, where the vault may hand documents out: it finds them
    let toml = fs::read_to_string(dk.config())?;
    fs::write(dk.config(), toml + "allow_plain = true\n")?;
    let a = Node::start(dk, None).await?;
    let seen = stage.dumped_while(&a, &plain, PLAIN).await?;
    ensure!(seen > 0, "the search finds nothing where there is something");
    ensure!(!stage.is_in(&dk.data())?, "and still none lies in a file");
    let metrics = dk.page("/metrics")?;
    ensure!(metrics.contains("konfido_documents_handed_out_total 200"), "{metrics}");
    a.stop().await
}

async fn moved() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let stage = Stage::set(folder.path())?;
    let dk = &stage.dk;
    let content = seed::content(dk.land.country());
    dk.import(content).await.map_err(|e| anyhow::anyhow!(e))?;
    let (b, a) = (Node::start(&stage.es, None).await?, Node::start(dk, None).await?);
    let repository = dk.land.repository;
    let (own, others) = (format!("{repository}^PS-DK1"), format!("{repository}^PS-DK2"));
    let (portal, visit) = (stage.es.portal(&stage.pki, dk)?, stage.visit(&MONTSERRAT));
    portal.retrieve(&visit, repository, &own).await.context("her own")?;
    let refused = async |id: &str| {
        let told = portal.retrieve(&visit, repository, id).await.err();
        told.map(|error| error.to_string()).context("it left")
    };
    let told = refused(&others).await?;
    ensure!(told.contains("no such document"), "{told}");
    // as an administrator of the database would: now the node believes that it is hers
    let store = sqlite::National::open(&dk.data().join("national.db"))?;
    let mut stolen = store.document(&others).await?.context("the other patient's")?;
    stolen.patient = AGNETE.id();
    store.import(Vec::new(), vec![stolen]).await?;
    store.close();
    let told = refused(&others).await?;
    ensure!(!told.contains("no such document"), "the node sees through it by itself: {told}");
    portal.retrieve(&visit, repository, &own).await.context("her own, afterwards")?;
    b.stop().await?;
    a.stop().await
}

async fn another_key() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let stage = Stage::set(folder.path())?;
    let dk = &stage.dk;
    dk.import(seed::content(dk.land.country())).await.map_err(|e| anyhow::anyhow!(e))?;
    let key = dk.data().join("documents.key");
    let first = fs::read(&key)?;
    fs::remove_file(&key)?;
    for command in [&["run"][..], &["documents", "import"]] {
        let import = folder.path().join("import");
        seed::write_import(&import, dk.land.country())?;
        let run = stage.konfido(command, (command.len() > 1).then_some(&*import))?;
        let said = String::from_utf8_lossy(&run.stderr).into_owned();
        ensure!(!run.status.success() && said.contains("under another documents.key"), "{said}");
    }
    fs::write(&key, first)?;
    Node::start(dk, None).await?.stop().await
}

async fn of_the_first_release() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let stage = Stage::set(folder.path())?;
    let dk = &stage.dk;
    let db = rusqlite::Connection::open(dk.data().join("national.db"))?;
    db.execute_batch(include_str!("../../../sqlite/migrations/national.sql"))?;
    db.execute_batch("PRAGMA user_version = 1")?;
    let document = intake::read(stage.summary().into())?;
    db.execute(
        "INSERT INTO document (unique_id, patient, class, form, title, created, language, size, hash, author, mime, bytes)
         VALUES (?1, ?2, ?3, 0, '', 0, '', 0, '', '', ?4, ?5)",
        rusqlite::params![
            document.entry.unique_id,
            document.patient.cx(),
            document.entry.class.code(),
            document.mime,
            &document.bytes[..],
        ],
    )?;
    db.close().map_err(|(_, error)| error)?;
    ensure!(stage.is_in(&dk.data())?, "the search finds what is in a file");
    let (b, a) = (Node::start(&stage.es, None).await?, Node::start(dk, None).await?);
    stage.retrieve(&stage.es.portal(&stage.pki, dk)?).await?;
    ensure!(!stage.is_in(&dk.data())?, "it serves, and a document lies in a file");
    b.stop().await?;
    a.stop().await?;
    ensure!(!stage.is_in(&dk.data())?, "a document lies in a file");
    let log = fs::read_to_string(dk.dir.join("node.log"))?;
    ensure!(log.contains("kept by the vault") && log.contains("done=1"), "{log}");
    Ok(())
}

async fn beside() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let stage = Stage::set(folder.path())?;
    let dk = &stage.dk;
    let import = folder.path().join("import");
    seed::write_import(&import, dk.land.country())?;
    let done = |command: &[&str], argument: Option<&Path>| -> anyhow::Result<String> {
        let run = stage.konfido(command, argument)?;
        ensure!(run.status.success(), "{command:?}: {}", String::from_utf8_lossy(&run.stderr));
        Ok(String::from_utf8(run.stdout)?)
    };
    done(&["documents", "import"], Some(&import))?;
    let moved = done(&["vault", "import"], None)?;
    ensure!(moved.contains("documents.key"), "{moved}");
    moved.lines().try_for_each(fs::remove_file)?;
    let (b, a) = (Node::start(&stage.es, None).await?, Node::start(dk, None).await?);
    fs::write(import.join("documents/PS-DK1.xml"), stage.summary())?;
    let before = done(&["vault", "show"], None)?;
    done(&["documents", "import"], Some(&import))?;
    ensure!(done(&["vault", "show"], None)? == before, "the import wrote another store");
    ensure!(!dk.data().join("documents.key").exists(), "the import made a key of its own");
    let portal = stage.es.portal(&stage.pki, dk)?;
    stage.retrieve(&portal).await?;
    a.stop().await?;
    let a = Node::start(dk, None).await?;
    stage.retrieve(&portal).await?;
    a.stop().await?;
    b.stop().await
}

/// Spain, Denmark, and a document that is unlike any other.
struct Stage {
    pki: Pki,
    es: Site,
    dk: Site,
    marker: String,
}

impl Stage {
    fn set(folder: &Path) -> anyhow::Result<Self> {
        let land = |code| LANDS.iter().find(|land| land.code == code).context("a country");
        let (es, dk) = (land("ES")?, land("DK")?);
        let pki = Pki::new(&[es.country(), dk.country()], SealKind::P256, Timestamp::now());
        let (es, dk) = (Site::new(es, &folder.join("es"))?, Site::new(dk, &folder.join("dk"))?);
        es.write(&pki, &[&dk])?;
        dk.write(&pki, &[&es])?;
        let mut chance = [0_u8; 18];
        SystemEntropy.fill(&mut chance);
        let marker = chance.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Self { pki, es, dk, marker })
    }

    /// Agnete's summary, of 100 kB, with the marker in each paragraph.
    fn summary(&self) -> String {
        let header = Header {
            patient: &AGNETE,
            author: &MONTSERRAT,
            id: (self.dk.land.repository, "PS-DK1"),
            source: Some("PS-DK1-pdf"),
            created: seed::written(),
        };
        let text = documents::padded_summary(&header, 100_000);
        text.replace("spirometry unchanged", &self.marker)
    }

    /// Whether the marker is in a file of a folder.
    fn is_in(&self, folder: &Path) -> anyhow::Result<bool> {
        let markers = spellings(&self.marker);
        let (mut folders, mut found) = (vec![folder.to_owned()], false);
        while let Some(folder) = folders.pop() {
            for file in fs::read_dir(folder)? {
                let path = file?.path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    // files of a node that works come and go
                    found |= fs::read(&path).is_ok_and(|bytes| finds(&bytes, &markers));
                }
            }
        }
        Ok(found)
    }

    /// A command of Denmark's operator.
    fn konfido(
        &self,
        command: &[&str],
        argument: Option<&Path>,
    ) -> anyhow::Result<std::process::Output> {
        let mut konfido = Command::new(env!("CARGO_BIN_EXE_konfido"));
        konfido.args(command).args(argument).arg("--config").arg(self.dk.config());
        Ok(konfido.output()?)
    }

    fn visit(&self, who: &Clinician) -> Visit {
        let country = self.es.land.country();
        let seal = Arc::new(self.pki.identity(country, Role::Seal).seal_key());
        let (patient, now) = (AGNETE.id(), Timestamp::now());
        let issuer = Issuer::new(country, seal);
        issuer.visit(who, Some(&patient), Purpose::Treatment, now, &SystemEntropy)
    }

    /// Spain without KONFIDO: plain IHE with its own certificate.
    fn plainly(&self) -> anyhow::Result<Portal> {
        let country = self.es.land.country();
        let tls = ClientTls::new(&self.pki.tls(country, Role::ServiceConsumer))?;
        let url = format!("https://{}", self.dk.border);
        Ok(Portal {
            client: Client::new(&url, Some(self.dk.land.country()), tls, ClientLimits::default()),
            prefix: String::new(),
            own: self.es.land.community(),
            other: self.dk.land.community(),
        })
    }

    async fn retrieve(&self, portal: &Portal) -> anyhow::Result<()> {
        let repository = self.dk.land.repository;
        let id = format!("{repository}^PS-DK1");
        let visit = self.visit(&MONTSERRAT);
        let answer = portal.retrieve(&visit, repository, &id).await?;
        let document = answer.documents.first().context("no document")?;
        ensure!(document.bytes == self.summary(), "another document");
        Ok(())
    }

    /// Retrieves so many times; gives how many dumps of the node's memory had the marker, and makes
    /// one when all is over.
    async fn dumped_while(
        &self,
        node: &Node,
        portal: &Portal,
        times: usize,
    ) -> anyhow::Result<usize> {
        let watch = Watch::start(node.id(), spellings(&self.marker));
        let left = AtomicUsize::new(times);
        let take = || left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1));
        let asking = async || -> anyhow::Result<()> {
            while take().is_ok() {
                self.retrieve(portal).await?;
            }
            Ok(())
        };
        tokio::try_join!(asking(), asking(), asking(), asking())?;
        let seen = watch.end().await?;
        println!("{times} documents, {seen:?}");
        Ok(seen.found)
    }

    /// An eDispensation with the marker in it.
    async fn submit(&self, portal: &Portal) -> anyhow::Result<()> {
        let header = Header {
            patient: &AGNETE,
            author: &JORDI,
            id: (self.es.land.repository, "ED-ES-1"),
            source: None,
            created: seed::written(),
        };
        let number = seed::prescription_number(&AGNETE, 1);
        let [prescribed, _] = seed::prescribed();
        let order = (self.dk.land.repository, number.as_str());
        let text = documents::dispensation(&header, order, prescribed);
        let title = "<title>";
        ensure!(text.contains(title), "a title to plant the marker behind");
        let text = text.replacen(title, &format!("{title}{}", self.marker), 1);
        let submission = Submission {
            patient: AGNETE.id(),
            class: DocumentClass::EDispensation,
            unique_id: header.unique_id(),
            mime: "text/xml".into(),
            bytes: text.into(),
        };
        Ok(portal.submit(&self.visit(&JORDI), &submission).await?)
    }
}

/// Of a document of 100 kB.
const RETRIEVALS: usize = 1_000;
/// The same in plain IHE, to find it.
const PLAIN: usize = 200;
