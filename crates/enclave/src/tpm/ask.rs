//! The process that asks the TPM for a vault process. It ends with the answer, and with it the memory
//! that libtss2 had.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};

use rustix::net::{RecvFlags, recv};
use rustix::process::{Signal, set_parent_process_death_signal};
use zeroize::Zeroizing;

use super::{Place, counter, key};
use crate::child::REFUSED;
use crate::process::errand;
use crate::protocol::{Parts, Reader};

/// The root key that the TPM opens; `None` where none was sealed.
pub(crate) fn find(place: &Place) -> Result<Option<Zeroizing<Vec<u8>>>, String> {
    let answer = ask(&place.write(Parts(vec![TPM, FIND])).0)?;
    Ok(Some(Zeroizing::new(answer[1..].to_vec())).filter(|found| !found.is_empty()))
}

/// Seals it.
pub(crate) fn keep(place: &Place, root: &[u8]) -> Result<(), String> {
    let question = Zeroizing::new(place.write(Parts(vec![TPM, KEEP])).part(root).0);
    ask(&question).map(drop)
}

/// The counter, where one is configured.
pub(crate) fn ticks(place: &Place) -> Result<Option<u64>, String> {
    count(place, READ)
}

/// The counter, one further.
pub(crate) fn tick(place: &Place) -> Result<Option<u64>, String> {
    count(place, TICK)
}

fn count(place: &Place, verb: u8) -> Result<Option<u64>, String> {
    if place.counter.is_none() {
        return Ok(None);
    }
    let answer = ask(&place.write(Parts(vec![TPM, verb])).0)?;
    let said = answer[1..].try_into().map(u64::from_be_bytes);
    said.map(Some).map_err(|_| "the TPM's counter says nothing".into())
}

fn ask(question: &[u8]) -> Result<Zeroizing<Vec<u8>>, String> {
    let told = |error: io::Error| format!("cannot start a process for the TPM: {error}");
    let (mut control, theirs) = UnixStream::pair().map_err(told)?;
    let mut child = Command::new("/proc/self/exe")
        .arg(std::env::args_os().nth(1).unwrap_or_default())
        .env_clear()
        // it says on stderr what we say in words of our own
        .env("TSS2_LOG", "all+NONE")
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .stdout(Stdio::null())
        .spawn()
        .map_err(told)?;
    let answer = errand::ask(&mut control, question).map(Zeroizing::new);
    drop(control);
    child.wait().map_err(told)?;
    let answer = answer.map_err(told)?;
    match answer.split_first() {
        Some((&REFUSED, said)) => Err(String::from_utf8_lossy(said).into_owned()),
        Some(_) => Ok(answer),
        None => Err("the process for the TPM says nothing".into()),
    }
}

/// In that process: the answer to a question.
pub(crate) fn answer(frame: &[u8], asker: &impl AsFd) -> Zeroizing<Vec<u8>> {
    // nobody waits for it then, and a TPM without a resource manager has no room for two who ask
    let _ = set_parent_process_death_signal(Some(Signal::KILL));
    let gone = recv(asker, &mut [0_u8; 1], RecvFlags::PEEK | RecvFlags::DONTWAIT);
    if gone.is_ok_and(|(read, _)| read == 0) {
        return Zeroizing::new(vec![REFUSED]);
    }
    Zeroizing::new(match understood(frame) {
        Ok(found) => [&[0], found.as_slice()].concat(),
        Err(error) => [&[REFUSED], error.as_bytes()].concat(),
    })
}

fn understood(frame: &[u8]) -> Result<Zeroizing<Vec<u8>>, String> {
    let malformed = |error: crate::VaultError| error.to_string();
    let mut read = Reader::new(frame, 1);
    let [verb] = read.take().map_err(malformed)?;
    let place = Place::read(&mut read).map_err(malformed)?;
    let number = |said: Option<u64>| Zeroizing::new(said.unwrap_or(0).to_be_bytes().to_vec());
    match verb {
        FIND => Ok(key::unseal(&place)?.unwrap_or_default()),
        KEEP => key::seal(&place, read.part().map_err(malformed)?).map(|()| Zeroizing::default()),
        READ => counter::read(&place).map(number),
        TICK => counter::tick(&place).map(number),
        _ => Err("unknown question to the TPM".into()),
    }
}

/// First byte of what such a process is asked.
pub(crate) const TPM: u8 = 5;
const FIND: u8 = 0;
const KEEP: u8 = 1;
const READ: u8 = 2;
const TICK: u8 = 3;
