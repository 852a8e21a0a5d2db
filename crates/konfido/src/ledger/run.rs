//! `konfido ledger run`: chain, engine, publisher, pages and the line to our gateway, in one process.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::Context as _;
use enclave::process::{Source, Spec};
use enclave::{Process, Use};
use exchange::Country;
use ledger::chain::Chain;
use ledger::cosign::{Cosigner, HeldEd25519, HeldMlDsa44, Kind, Signer, VerifierKey};
use ledger::member::{Genesis, Registry};
use ledger::order::{Order, Single};
use ledger::rules::Facts as _;
use ledger_consensus::{Agreed, Membership, Validator as Consensus};
use miette::IntoDiagnostic as _;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use transport::plain::Local;
use transport::server::{Bound, Limits};
use trust::private::{Holder, PrivateKey};
use zeroize::Zeroizing;

use super::member::{self, Member, cosigners, known};
use super::publish::{Inlet, Publisher};
use super::stamp::Stamper;
use super::watermark::{self, LOG};
use super::{keygen, line, pages};
use crate::config::{At, VAULT_USER, Validator};
use crate::custody;

/// The `[validator]` of a file.
pub fn validator(file: &Path) -> miette::Result<Validator> {
    let text = fs::read_to_string(file)
        .map_err(|error| miette::miette!("cannot read {}: {error}", file.display()))?;
    Ok(Validator::parse(file, &text)?)
}

/// Serves until SIGTERM or Ctrl-C; with a parent also until standard input ends.
pub async fn run(file: &Path, with_parent: bool) -> miette::Result<()> {
    let config = validator(file)?;
    let genesis = keygen::read(&config.genesis.value)?;
    genesis.check_signed().into_diagnostic()?;
    serve(config, &genesis, with_parent).await.map_err(|error| miette::miette!("{error:#}"))
}

async fn serve(config: Validator, genesis: &Genesis, with_parent: bool) -> anyhow::Result<()> {
    let mut term = signal(SignalKind::terminate())?;
    fs::create_dir_all(&config.data_dir)
        .with_context(|| format!("cannot make {}", config.data_dir.display()))?;
    // sockets first: whoever cannot bind has changed nothing
    let local =
        Local::bind(&config.socket).await.with_context(|| config.socket.display().to_string())?;
    let http = Bound::plain(config.http).await.with_context(|| config.http.to_string())?;
    let seed = keygen::seed(&config.consensus_key.value)?;
    let consensus = keygen::public(&seed).map_err(|report| anyhow::anyhow!("{report}"))?;
    let chain = Arc::new(watermark::open(&config, genesis, &consensus)?);
    let reader = chain.reader();
    let signers = Signers::open(&config)?;
    let tip = chain.tip();
    let own = own(&config.name.value, &reader.registry(), tip.height, &signers)?;
    let member = Arc::new(Member {
        name: config.name.value.clone(),
        chain: Arc::clone(&chain),
        http: http.address()?,
        tiles: config.data_dir.join(LOG),
        reader,
        order: OnceLock::new(),
    });
    let (inlet, outlet) = Publisher::inlet();
    let order = engine(&config, genesis, &chain, (seed, consensus), inlet.clone())?;
    let _ = member.order.set(Arc::downgrade(&order));
    let told = inlet.clone();
    chain.on_final(Box::new(move |_, tip| told.finalised(*tip)));
    let publisher = publisher(&member, consensus, own);
    let stop = CancellationToken::new();
    tokio::spawn(publisher.run(outlet, Arc::downgrade(&order)));
    let mut tasks = Vec::new();
    if let Some(stamps) = &config.stamps {
        let stamper = Stamper::new(Arc::clone(&member), stamps)?;
        tasks.push(tokio::spawn(stamper.run(stop.clone())));
    }
    let (address, limits) = (http.address()?, Limits::default());
    let shown = Arc::clone(&member);
    tasks.push(tokio::spawn(http.serve(limits, stop.clone(), move |_, request| {
        let member = Arc::clone(&shown);
        async move { line::blocking(move || pages::answer(&member, &request)).await }
    })));
    let (asked, ordering) = (Arc::clone(&member), Arc::clone(&order));
    tasks.push(tokio::spawn(local.serve(limits, stop.clone(), move |request| {
        line::answer(Arc::clone(&asked), Arc::clone(&ordering), limits, request)
    })));
    tracing::info!(member = %config.name.value, http = %address, members = %config.members,
        height = tip.height, size = tip.size, "validator serves");
    let failed = tokio::select! {
        _ = term.recv() => None,
        _ = tokio::signal::ctrl_c() => None,
        () = orphaned(with_parent) => None,
        why = ended(&order) => Some(why),
    };
    tracing::info!("validator stops");
    stop.cancel();
    // requests first; then the engine, which lets the publisher go
    for task in tasks {
        let _ = tokio::time::timeout(LAST, task).await;
    }
    tokio::task::spawn_blocking(move || drop(order)).await?;
    match failed {
        None => Ok(()),
        Some(why) => anyhow::bail!("the ledger's engine ended: {why}; what is final is kept"),
    }
}

/// Waits until standard input ends, if that is asked for.
async fn orphaned(with_parent: bool) {
    if !with_parent {
        return std::future::pending().await;
    }
    let (told, ended) = tokio::sync::oneshot::channel();
    // a thread of its own: the runtime would wait for one of its
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        let _ = told.send(());
    });
    let _ = ended.await;
}

/// Waits until the engine ends by itself.
async fn ended(order: &Arc<dyn Order>) -> String {
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        if let Some(why) = order.failure() {
            return why;
        }
    }
}

/// Who holds the cosigner's keys: a vault process, which dies with us.
struct Signers {
    ed25519: Held,
    pq: Option<Held>,
}

/// A key with its public half.
type Held = (Arc<dyn Holder>, Vec<u8>);

impl Signers {
    fn open(config: &Validator) -> anyhow::Result<Self> {
        let program = custody::program().context("no program for a vault")?;
        // it makes keys that are missing; here a missing one is a wrong path
        let place = |at: &At<PathBuf>| {
            let path = at.value.clone();
            anyhow::ensure!(
                path.exists(),
                "{} is missing: konfido ledger keygen makes it",
                path.display()
            );
            Ok(Source::File(path))
        };
        let mut keys = vec![(Use::Log, place(&config.cosigner_key)?)];
        if let Some(at) = &config.cosigner_key_pq {
            keys.push((Use::Cosign, place(at)?));
        }
        let country = Country::parse("EU")?;
        let (secret, user) = (false, VAULT_USER);
        let process = Process::start(Spec { country, program, keys, secret, user, store: None })?;
        let held = |number| match (process.key(number), process.public_of(number)) {
            (PrivateKey::Held(key), Some(public)) => Ok((key, public)),
            _ => anyhow::bail!("the vault has no cosigner's key"),
        };
        let pq = config.cosigner_key_pq.as_ref().map(|_| held(1)).transpose()?;
        Ok(Self { ed25519: held(0)?, pq })
    }
}

/// Our cosigners, which must be those that the registry names, if it names us already; and the log's
/// own signature, which C2SP asks for: any member may make it.
fn own(
    name: &str,
    registry: &Registry,
    height: u64,
    signers: &Signers,
) -> anyhow::Result<Vec<Cosigner>> {
    let (ledger, ed25519) = (registry.ledger(), &signers.ed25519);
    let full = member::cosigner_name(ledger, name);
    let mut keys = vec![
        VerifierKey::new(ledger, Kind::Log, &ed25519.1)?,
        VerifierKey::new(&full, Kind::Ed25519, &ed25519.1)?,
    ];
    if let Some((_, public)) = &signers.pq {
        keys.push(VerifierKey::new(&full, Kind::MlDsa44, public)?);
    }
    if let Some(row) = registry.at(height).members().iter().find(|row| row.name().as_str() == name)
    {
        let expected = cosigners(ledger, row);
        let wrong = keys[1..].iter().find(|key| !expected.contains(key));
        anyhow::ensure!(
            wrong.is_none(),
            "our cosigner's key is not the one that the ledger's registry names"
        );
        // without it there would be too few of its kind, and no checkpoint of anybody's
        let missing = expected.iter().find(|key| !keys.contains(key));
        anyhow::ensure!(
            missing.is_none(),
            "the ledger's registry names a key of ours that the configuration does not: \
             cosigner_key_ml_dsa_44"
        );
    }
    let cosigner = |key: VerifierKey| {
        let signer: Arc<dyn Signer> = match (key.kind(), &signers.pq) {
            (Kind::MlDsa44, Some((pq, _))) => Arc::new(HeldMlDsa44(Arc::clone(pq))),
            _ => Arc::new(HeldEd25519(Arc::clone(&ed25519.0))),
        };
        Cosigner::new(key, signer).context("the vault does not sign with the cosigner's key")
    };
    keys.into_iter().map(cosigner).collect()
}

fn publisher(member: &Arc<Member>, name: [u8; 32], own: Vec<Cosigner>) -> Publisher {
    let (voters, publishing) = (Arc::clone(member), Arc::clone(member));
    Publisher {
        origin: member.reader.registry().ledger().to_owned(),
        own,
        name,
        quorum: Box::new(move || {
            let registry = voters.reader.registry();
            let roll = registry.at(voters.chain.tip().height);
            (known(registry.ledger(), roll), roll.quorum())
        }),
        publish: Box::new(move |size, note| {
            publishing.chain.publish(size, note).map_err(|error| error.to_string())
        }),
    }
}

/// The engine that this ledger needs.
fn engine(
    config: &Validator,
    genesis: &Genesis,
    chain: &Arc<Chain>,
    (seed, own): (Zeroizing<[u8; 32]>, [u8; 32]),
    hear: Inlet,
) -> anyhow::Result<Arc<dyn Order>> {
    let hear = Arc::new(hear);
    if genesis.roll().members().len() == 1 {
        return Ok(Arc::new(Single::start(Arc::clone(chain), own, hear)?));
    }
    let agreed = Agreed { epoch: genesis.epoch_length(), ..Agreed::default() };
    let membership = Arc::new(Registered(Arc::clone(chain)));
    let (journal, witness) = watermark::engine(&config.data_dir);
    let engine = ledger_consensus::Config::new(
        seed,
        genesis.digest(),
        config.members,
        journal,
        witness,
        membership,
    );
    let local = config.members.ip().is_loopback();
    let engine = ledger_consensus::Config { agreed, local, private: config.private, ..engine };
    Ok(Arc::new(Consensus::start(Arc::clone(chain), engine, hear)?))
}

/// The members as the chain's registry has them.
struct Registered(Arc<Chain>);

impl Membership for Registered {
    fn members(&self) -> Vec<ledger_consensus::Member> {
        let registry = self.0.reader().registry();
        let roll = registry.at(self.0.tip().height + 1);
        let row = |member: &ledger::member::Member| {
            Some(ledger_consensus::Member {
                key: member.consensus_key()?,
                address: member.address().as_str().to_owned(),
                voting: member.is_voting(),
            })
        };
        roll.members().iter().filter_map(row).collect()
    }
}

/// What a task may take to end.
const LAST: Duration = Duration::from_secs(5);
