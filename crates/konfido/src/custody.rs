//! Who holds a node's private keys: its vault process, which reads their files itself, or the node
//! (`[vault] home = "here"`; tests).

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use enclave::process::{Source, Spec, StartError};
use enclave::store::{Access, witness_line};
use enclave::{Process, Use, Vault, keyfile};
use exchange::{Country, Entropy, SystemEntropy};
use identity::session::{OwnSecret, Secret};
use ledger::log::{Log, LogError, LogKey};
use trust::private::{Holder, PrivateKey};
use trust::seal::Scheme;
use zeroize::Zeroizing;

use crate::config::{Config, Home, Quoting};
use crate::node::Setup;

/// The holder. No `Debug`: it leads to keys.
#[derive(Clone)]
pub enum Custody {
    /// The node itself: simulated.
    Here,
    /// A vault process, and what belongs to it.
    Vault(Process, Around),
}

/// What belongs to a vault process.
#[derive(Clone, Default)]
pub struct Around {
    /// The files whose keys it holds, in the order of their numbers.
    files: Vec<(Use, PathBuf)>,
    /// A TPM makes evidence about it.
    quotes: Option<Quoting>,
}

impl Custody {
    /// Starts the vault process of a configuration: the node's, which writes its store.
    pub fn start(config: &Config) -> Result<Self, StartError> {
        Self::open(config, Access::Write)
    }

    /// For a command that works beside a node: a vault process of its own, which leaves the store as
    /// it is.
    pub fn beside(config: &Config) -> Result<Self, StartError> {
        Self::open(config, Access::Read)
    }

    /// For a command: the keys in the store through a vault process, those in files by ourselves.
    pub fn look(config: &Config) -> Result<Self, StartError> {
        if config.store().is_expected() { Self::open(config, Access::Read) } else { Ok(Self::Here) }
    }

    fn open(config: &Config, access: Access) -> Result<Self, StartError> {
        let place = config.store();
        if config.vault.home == Home::Here && place.is_there() {
            let said = "[vault] home = \"here\" does not go with a vault.sealed in data_dir";
            return Err(StartError::Refused(said.into()));
        }
        let Some(program) = program().filter(|_| config.vault.home == Home::Process) else {
            return Ok(Self::Here);
        };
        std::fs::create_dir_all(&config.data_dir)?;
        let keys = keys(config);
        let process = Process::start(Spec {
            country: config.country,
            program,
            keys: keys
                .iter()
                .map(|(of, name, path)| (*of, Source::Named(name.clone(), path.clone())))
                .collect(),
            secret: config.vault.secret,
            user: config.vault.user,
            store: Some((place, access)),
        })?;
        let files = keys.into_iter().map(|(of, _, path)| (of, path)).collect();
        let quotes = config.attestation.as_ref().and_then(|found| found.quotes.clone());
        Ok(Self::Vault(process, Around { files, quotes }))
    }

    /// Moves keys that were made a moment ago into a vault process: the demo's.
    pub fn lodge(setup: &mut Setup) -> anyhow::Result<Self> {
        let Some(program) = program() else { return Ok(Self::Here) };
        std::fs::create_dir_all(&setup.data)?;
        let mut keys = vec![
            (Use::Derive, Source::File(setup.data.join(SESSION_KEY))),
            (Use::Log, Source::File(setup.data.join(LOG_KEY))),
        ];
        let mut places = held(setup);
        for (purpose, key) in &mut places {
            if let PrivateKey::Pem(pem) = key {
                keys.push((*purpose, Source::Bytes(Arc::clone(pem))));
            }
        }
        keys.push((setup.keeping, Source::File(setup.data.join(DOCUMENTS_KEY))));
        keys.push((Use::Patients, Source::File(setup.data.join(PATIENTS_KEY))));
        let country = setup.country;
        let (secret, user) = (false, crate::config::VAULT_USER);
        let process = Process::start(Spec { country, program, keys, secret, user, store: None })?;
        let mut number = LOG;
        for (_, key) in held(setup) {
            if matches!(key, PrivateKey::Pem(_)) {
                number += 1;
                *key = process.key(number);
            }
        }
        Ok(Self::Vault(process, Around::default()))
    }

    /// The key in a file, to be used for this. One file may have two uses.
    pub fn key(&self, purpose: Use, file: &Path) -> io::Result<PrivateKey> {
        match self {
            Self::Here => std::fs::read(file).map(PrivateKey::from),
            Self::Vault(process, around) => around
                .files
                .iter()
                .position(|known| known.0 == purpose && known.1 == file)
                .and_then(|number| u16::try_from(number).ok())
                .map(|number| process.key(number))
                .ok_or_else(|| io::Error::other("the vault does not have it")),
        }
    }

    /// The vault that seals and opens, and keeps documents under the key in this folder.
    pub fn vault(&self, country: Country, keeping: Use, data: &Path) -> anyhow::Result<Vault> {
        Ok(match self {
            Self::Here => {
                let key = keyfile::key(data, DOCUMENTS_KEY, DOCUMENTS_LOST, &SystemEntropy)?;
                let patients = keyfile::key(data, PATIENTS_KEY, PATIENTS_LOST, &SystemEntropy)?;
                let keys = [(keeping, &key[..]), (Use::Patients, &patients[..])];
                Vault::holding(country, &keys)?
            }
            Self::Vault(process, around) => attested(Vault::of(process.clone()), around),
        })
    }

    /// The log in a folder; its key is beside it, or with whom `holder` names.
    pub fn log(
        &self,
        folder: &Path,
        origin: &str,
        holder: &Arc<LogHolder>,
    ) -> Result<Log, LogError> {
        self.lend(holder);
        match self {
            Self::Here => Log::open(folder, origin, &folder.with_file_name(LOG_KEY)),
            Self::Vault(process, _) => {
                let public = process.public_of(LOG).ok_or(LogError::Key)?;
                let says = Arc::clone(holder);
                let key = LogKey::new(Arc::clone(holder) as Arc<dyn Holder>, public);
                Log::open_with(folder, origin, key.saying(Arc::new(move || says.line())))
            }
        }
    }

    /// From now on the log is signed in this custody.
    pub fn lend(&self, holder: &LogHolder) {
        if let Self::Vault(process, _) = self {
            holder.0.store(Some(Arc::new(process.clone())));
        }
    }

    /// The secret of sessions.
    pub fn secret(&self, data: &Path, entropy: &dyn Entropy) -> io::Result<Arc<dyn Secret>> {
        Ok(match self {
            Self::Here => {
                let key = keyfile::key(data, SESSION_KEY, "end all sessions", entropy)?;
                Arc::new(OwnSecret::new(&key))
            }
            Self::Vault(process, _) => Arc::new(HeldSecret(process.clone())),
        })
    }
}

/// Signs the log in the vault of the moment: the log outlives a reload, which starts a new one.
#[derive(Default)]
pub struct LogHolder(ArcSwapOption<Process>);

impl LogHolder {
    /// What each checkpoint says of the vault's sealed store.
    fn line(&self) -> Option<String> {
        self.0.load_full()?.counter().map(witness_line)
    }
}

impl Holder for LogHolder {
    fn sign(&self, scheme: Scheme, message: &[u8]) -> Option<Vec<u8>> {
        match self.0.load_full()?.key(LOG) {
            PrivateKey::Held(key) => key.sign(scheme, message),
            PrivateKey::Pem(_) => None,
        }
    }
}

/// The keys of a node, in the order of their numbers: use, name in the sealed store, file. A key of
/// the configuration has its path there as the name, so that it fits wherever the folder is.
pub fn keys(config: &Config) -> Vec<(Use, String, PathBuf)> {
    let own = [(Use::Derive, SESSION_KEY), (Use::Log, LOG_KEY)];
    let own = own.map(|(of, name)| (of, name.to_owned(), config.data_dir.join(name))).into_iter();
    let last = [(config.keeping(), DOCUMENTS_KEY), (Use::Patients, PATIENTS_KEY)];
    let last = last.map(|(of, name)| (of, name.to_owned(), config.data_dir.join(name)));
    own.chain(config.keys().map(|(of, at)| (of, config.name(&at.value), at.value.clone())))
        .chain(last)
        .collect()
}

/// All private keys of a setup.
fn held(setup: &mut Setup) -> Vec<(Use, &mut PrivateKey)> {
    let mut all = vec![
        (Use::Sign, &mut setup.consumer.key),
        (Use::Sign, &mut setup.provider.key),
        (Use::Sign, &mut setup.seal.0),
    ];
    if let Some(eid) = &mut setup.eid {
        all.push((Use::Sign, &mut eid.pages.key));
        all.push((Use::Sign, &mut eid.signing.0));
        all.push((Use::Unwrap, &mut eid.encryption.0));
        all.extend(eid.wallet.as_mut().map(|wallet| (Use::Sign, &mut wallet.access.0)));
    }
    all
}

/// The secret of sessions in a vault.
struct HeldSecret(Process);

impl Secret for HeldSecret {
    fn derive(&self, message: &[u8]) -> Option<Zeroizing<[u8; 32]>> {
        self.0.derive(SESSIONS, message).ok().map(Zeroizing::new)
    }
}

/// With evidence of a TPM, where one is configured.
#[cfg(feature = "tpm")]
fn attested(vault: Vault, around: &Around) -> Vault {
    match &around.quotes {
        None => vault,
        Some(found) => {
            let (tcti, pcrs) = (found.tcti.clone(), found.pcrs.clone());
            vault.attested(Box::new(enclave::tpm::Quotes { tcti, pcrs }))
        }
    }
}

#[cfg(not(feature = "tpm"))]
fn attested(vault: Vault, around: &Around) -> Vault {
    debug_assert!(around.quotes.is_none(), "because the configuration refuses it in this build");
    vault
}

/// This program, as a vault. In unit tests this program is the tests.
pub fn program() -> Option<(PathBuf, Vec<String>)> {
    (!cfg!(test)).then(|| ("/proc/self/exe".into(), vec![COMMAND.to_owned()]))
}

/// The word after which the program is a vault process. Nobody types it.
pub const COMMAND: &str = "vault-process";
const SESSION_KEY: &str = "session.key";
const LOG_KEY: &str = "log.key";
const DOCUMENTS_KEY: &str = "documents.key";
const DOCUMENTS_LOST: &str = "lose all kept documents and import them again";
const PATIENTS_KEY: &str = "patients.key";
const PATIENTS_LOST: &str = "erase the salts of all evidence";
/// Numbers of the keys that every vault has; the others follow.
const SESSIONS: u16 = 0;
const LOG: u16 = 1;
