//! `konfido run`: check, bind, serve; SIGHUP reads certificates and keys again, SIGTERM stops.

use std::path::Path;

use anyhow::Context as _;
use enclave::Use;
use gateway::national::kept::keep_all;
use jiff::Timestamp;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::check::{self, Files};
use crate::config::{Config, ConfigError};
use crate::custody::Custody;
use crate::documents;
use crate::node::{Running, Setup, Sockets, start};

/// Serves until SIGTERM or Ctrl-C.
pub async fn run(file: &Path, mut config: Config, files: Files) -> anyhow::Result<()> {
    let (mut hangup, mut term) = (signal(SignalKind::hangup())?, signal(SignalKind::terminate())?);
    let (country, listen) = (config.country, config.listen);
    let (keeping, peers) = (config.keeping(), std::mem::take(&mut config.peers));
    let eid = config.eid.as_ref().map(|eid| eid.listen);
    let setup = setup(config, keeping, files);
    let eid = eid.zip(setup.eid.as_ref().map(|eid| &eid.pages));
    let sockets = Sockets::bind(&setup, listen, eid).await?;
    let (national, border, admin) = sockets.addresses()?;
    let policy = setup.acceptance.clone();
    let data = setup.data.clone();
    let running = start(setup, sockets, peers)?;
    policy.iter().try_for_each(|accepted| check::remember(&data, accepted))?;
    tracing::info!(%country, %national, %border, %admin, "node serves");
    while !stops(&mut hangup, &mut term).await {
        reload(file, &running);
    }
    tracing::info!("node stops: running requests may finish");
    running.stop().await;
    Ok(())
}

/// Waits for a signal; false when it only asks for a reload.
async fn stops(hangup: &mut Signal, term: &mut Signal) -> bool {
    tokio::select! {
        _ = hangup.recv() => false,
        _ = term.recv() => true,
        _ = tokio::signal::ctrl_c() => true,
    }
}

/// New certificates and lists, or the old ones and an error in the log.
fn reload(file: &Path, running: &Running) {
    let loaded = check::load_with_vault(file, Timestamp::now()).map_err(|report| {
        let found = report.downcast_ref::<ConfigError>();
        found.into_iter().flat_map(ConfigError::codes).for_each(|code| running.refused(code));
        anyhow::anyhow!("{report:?}")
    });
    match loaded.and_then(|(_, files)| running.reload(files)) {
        Ok(()) => tracing::info!(
            "certificates, keys, roots and revocation lists read again; the rest needs a restart"
        ),
        Err(error) => tracing::error!("nothing was reloaded: {error:#}"),
    }
}

fn setup(config: Config, keeping: Use, files: Files) -> Setup {
    Setup {
        country: config.country,
        community: config.community,
        repository: config.repository.as_str().to_owned(),
        data: config.data_dir,
        origin: config.origin,
        consumer: files.consumer,
        provider: files.provider,
        seal: files.seal,
        seal_anchors: files.seal_anchors,
        custody: files.custody,
        keeping,
        last_hop: config.vault.last_hop,
        acceptance: files.acceptance,
        tsm: config.attestation.is_some_and(|found| found.tsm),
        openncp: config.openncp,
        limits: config.limits,
        audit: config.audit,
        eid: files.eid,
        policy: config.policy,
        receipt_deadline: config.receipt_deadline,
        shared: config.shared,
        strict: config.strict,
    }
}

/// `konfido documents import`.
pub async fn import(config: &Config, custody: &Custody, dir: &Path) -> anyhow::Result<()> {
    use gateway::national::DocumentStore as _;
    let (patients, documents) = crate::import::read(dir)?;
    let counts = (patients.len(), documents.len());
    std::fs::create_dir_all(&config.data_dir)
        .with_context(|| format!("cannot make {}", config.data_dir.display()))?;
    let vault = custody.vault(config.country, config.keeping(), &config.data_dir)?;
    let store = documents::open(&config.data_dir, &vault)?;
    let documents = keep_all(&vault, documents).context("the vault does not keep documents")?;
    store.import(patients, documents).await?;
    store.close();
    println!("{} patients and {} documents imported", counts.0, counts.1);
    Ok(())
}
