//! `konfido eid register`: filling a register.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, bail};
use identity::register::roll;

use crate::config::{Config, Register};

/// `konfido eid register import`: the database becomes what the CSV says, in one step. A node that
/// runs asks the new one at once.
pub fn import(config: &Config, file: &Path) -> anyhow::Result<()> {
    let register = config.eid.as_ref().and_then(|eid| eid.register.as_ref());
    let Some(Register::Database(at)) = register else {
        bail!("[eid] register is no .db; only a database is filled by this command");
    };
    let text =
        fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let entries = roll::parse(&text).with_context(|| format!("{}", file.display()))?;
    let count = entries.len();
    let database = sqlite::Professionals::open(&at.value)
        .with_context(|| format!("cannot open {}", at.value.display()))?;
    let replaced = database.replace(entries.into_values().collect());
    database.close();
    replaced.with_context(|| format!("cannot fill {}; it is as it was", at.value.display()))?;
    println!("{count}\tprofessionals\t{}", at.value.display());
    Ok(())
}
