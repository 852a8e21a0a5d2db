//! The policy file (c2sp.org/tlog-policy §Policy file syntax and structure).

use std::collections::{HashMap, HashSet};

use super::{Group, Place, Policy, Witness};
use crate::cosign::{Kind, VerifierKey};

/// Why a text is no policy, and where. Whoever wrote the file is at fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("policy, line {line}: {what}")]
pub struct Faulty {
    /// Line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub what: String,
}

/// Members of a ledger, for [`Policy::of_members`].
#[derive(Debug, Clone)]
pub struct Members {
    /// Any of these may sign as the log; all have its name.
    pub logs: Vec<VerifierKey>,
    /// Name of the member in the file, and its keys: one for each kind of cosignature.
    pub keys: Vec<(String, Vec<VerifierKey>)>,
    /// How many members must sign.
    pub threshold: usize,
}

impl Policy {
    /// Reads a policy file.
    pub fn parse(bytes: &[u8]) -> Result<Self, Faulty> {
        let fault = |line: usize, what: &str| Faulty { line, what: what.to_owned() };
        if bytes.len() > LARGEST {
            return Err(fault(1, "the file is too large"));
        }
        let mut reader = Reader::default();
        for (number, line) in (1..).zip(bytes.split(|b| *b == b'\n')) {
            if line.iter().any(|b| *b != b'\t' && (*b < b' ' || *b == 0x7f)) {
                return Err(fault(number, "a control character"));
            }
            // names may be of any octets; ours are of UTF-8, as C2SP recommends
            let text = std::str::from_utf8(line).map_err(|_| fault(number, "not UTF-8"))?;
            let words: Vec<&str> =
                text.split([' ', '\t']).filter(|word| !word.is_empty()).collect();
            reader.take(&words).map_err(|what| Faulty { line: number, what })?;
        }
        if !reader.has_quorum {
            let last = bytes.split(|b| *b == b'\n').count();
            return Err(fault(last, "there is no quorum line"));
        }
        Ok(reader.policy)
    }

    /// The file that says: so many of these members, each kind of key by itself. With ML-DSA-44
    /// keys, a checkpoint needs a quorum of those as well as of the Ed25519 ones.
    pub fn of_members(members: &Members) -> String {
        let mut text = String::new();
        members.logs.iter().for_each(|log| text.push_str(&format!("log {log}\n")));
        let mut groups: Vec<(&str, Kind, Vec<String>)> = vec![
            ("members", Kind::Ed25519, Vec::new()),
            ("members-ml-dsa", Kind::MlDsa44, Vec::new()),
        ];
        for (name, keys) in &members.keys {
            for key in keys {
                let Some(group) = groups.iter_mut().find(|group| group.1 == key.kind()) else {
                    continue;
                };
                let suffix = if key.kind() == Kind::MlDsa44 { "-ml-dsa" } else { "" };
                group.2.push(format!("{name}{suffix}"));
                text.push_str(&format!("witness {name}{suffix} {key}\n"));
            }
        }
        groups.retain(|group| !group.2.is_empty());
        for (name, _, witnesses) in &groups {
            let threshold = members.threshold;
            text.push_str(&format!("group {name} {threshold} {}\n", witnesses.join(" ")));
        }
        match &groups[..] {
            [] => text.push_str("quorum none\n"),
            [only] => text.push_str(&format!("quorum {}\n", only.0)),
            _ => text.push_str("group both all members members-ml-dsa\nquorum both\n"),
        }
        text
    }
}

/// What was read so far.
struct Reader {
    policy: Policy,
    has_quorum: bool,
    names: HashMap<String, Place>,
    logs: HashSet<Vec<u8>>,
    witnesses: HashSet<Vec<u8>>,
    ids: HashSet<(String, [u8; 4])>,
    grouped: HashSet<String>,
}

impl Default for Reader {
    fn default() -> Self {
        let empty =
            Policy { logs: Vec::new(), witnesses: Vec::new(), groups: Vec::new(), quorum: None };
        Self {
            policy: empty,
            has_quorum: false,
            names: HashMap::new(),
            logs: HashSet::new(),
            witnesses: HashSet::new(),
            ids: HashSet::new(),
            grouped: HashSet::new(),
        }
    }
}

impl Reader {
    fn take(&mut self, words: &[&str]) -> Result<(), String> {
        match words {
            [] => Ok(()),
            [first, ..] if first.starts_with('#') => Ok(()),
            ["log", key] | ["log", key, _] => self.log(key),
            ["witness", name, key] | ["witness", name, key, _] => self.witness(name, key),
            ["group", name, threshold, members @ ..] => self.group(name, threshold, members),
            ["quorum", name] => self.quorum(name),
            ["log" | "witness" | "group" | "quorum", ..] => {
                Err("it has not the words that such a line has".to_owned())
            }
            [first, ..] => Err(format!("{first:?} is no kind of line")),
        }
    }

    fn log(&mut self, key: &str) -> Result<(), String> {
        let key = key_of(key, &[Kind::Log, Kind::MlDsa44])?;
        if !self.logs.insert(key.public().to_vec()) {
            return Err("a log with this key stands above".to_owned());
        }
        self.distinct(&key)?;
        bounded(self.policy.logs.len(), LOGS)?;
        self.policy.logs.push(key);
        Ok(())
    }

    fn witness(&mut self, name: &str, key: &str) -> Result<(), String> {
        let key = key_of(key, &[Kind::Ed25519, Kind::MlDsa44])?;
        if !self.witnesses.insert(key.public().to_vec()) {
            return Err("a witness with this key stands above".to_owned());
        }
        self.distinct(&key)?;
        bounded(self.policy.witnesses.len(), WITNESSES)?;
        self.define(name, Place::Witness(self.policy.witnesses.len()))?;
        self.policy.witnesses.push(Witness { name: name.to_owned(), key });
        Ok(())
    }

    fn group(&mut self, name: &str, threshold: &str, members: &[&str]) -> Result<(), String> {
        let count = members.len();
        let threshold = match threshold {
            "all" => count,
            "any" => 1,
            number => decimal(number).ok_or("the threshold is no number")?,
        };
        if !(1..=count).contains(&threshold) {
            return Err(format!("{threshold} of {count} is no threshold"));
        }
        bounded(self.policy.groups.len(), GROUPS)?;
        let mut places = Vec::with_capacity(count);
        for member in members {
            if !self.grouped.insert((*member).to_owned()) {
                return Err(format!("{member:?} is in a group already"));
            }
            places.push(self.place(member)?);
        }
        self.define(name, Place::Group(self.policy.groups.len()))?;
        let name = name.to_owned();
        self.policy.groups.push(Group { name, threshold, members: places });
        Ok(())
    }

    fn quorum(&mut self, name: &str) -> Result<(), String> {
        if std::mem::replace(&mut self.has_quorum, true) {
            return Err("there is a quorum line above".to_owned());
        }
        self.policy.quorum = if name == NONE { None } else { Some(self.place(name)?) };
        Ok(())
    }

    fn define(&mut self, name: &str, place: Place) -> Result<(), String> {
        if name == NONE || self.names.contains_key(name) {
            return Err(format!("the name {name:?} is taken"));
        }
        self.names.insert(name.to_owned(), place);
        Ok(())
    }

    fn place(&self, name: &str) -> Result<Place, String> {
        self.names.get(name).copied().ok_or_else(|| format!("{name:?} is not defined above"))
    }

    /// Two keys that a signature line cannot tell apart would each be asked for the other's.
    fn distinct(&mut self, key: &VerifierKey) -> Result<(), String> {
        let fresh = self.ids.insert((key.name().to_owned(), key.id()));
        if fresh { Ok(()) } else { Err("a key with this name and id stands above".to_owned()) }
    }
}

fn key_of(text: &str, kinds: &[Kind]) -> Result<VerifierKey, String> {
    let key: VerifierKey = text.parse().map_err(|error| format!("{error}"))?;
    let usable = kinds.contains(&key.kind());
    if usable { Ok(key) } else { Err(format!("a key for {} cannot stand here", key.kind())) }
}

fn decimal(text: &str) -> Option<usize> {
    let number: usize = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

fn bounded(count: usize, limit: usize) -> Result<(), String> {
    if count < limit { Ok(()) } else { Err(format!("more than {limit} of them")) }
}

const NONE: &str = "none";
/// c2sp.org/tlog-policy §Implementation limits asks for 32 of each. A member has two keys, and may
/// sign as the log.
const LOGS: usize = 128;
const WITNESSES: usize = 256;
const GROUPS: usize = 128;
/// 256 ML-DSA-44 keys have room.
const LARGEST: usize = 512 * 1024;
