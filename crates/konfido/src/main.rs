//! The binary: command line, configuration, lifecycle, demo.
//!
//! Start reading at [`cli`] (what it can do), then [`config`], [`node`] (one node, assembled) and
//! [`demo`]. Data goes to stdout, talk to stderr.

mod attest;
mod bench;
mod check;
mod cli;
mod config;
mod custody;
mod demo;
mod documents;
mod eid;
mod events;
mod evidence;
mod import;
mod journal;
mod ledger;
mod node;
mod register;
mod run;
mod seals;
mod vault;
mod verify;

use std::alloc::System;
use std::future::Future;
use std::io::IsTerminal as _;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser as _;
use enclave::memory::Heap;
use identity::eidas::metadata::Role;
use jiff::Timestamp;
use tracing_subscriber::EnvFilter;

use check::Files;
use cli::{Bench, Cli, Command, ConfigArg, Documents, Eid, EidRegister, EidRole, Events, Evidence};
use config::Config;

/// With secret memory where this program is a vault process.
#[global_allocator]
static HEAP: Heap<System> = Heap(System);

fn main() -> ExitCode {
    if std::env::args_os().nth(1).is_some_and(|word| word == custody::COMMAND) {
        return enclave::child::run();
    }
    match dispatch(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Config(report)) => {
            eprintln!("{report:?}");
            ExitCode::FAILURE
        }
        Err(Failure::Other(error)) => {
            eprintln!("konfido: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Why the program ends with 1.
enum Failure {
    /// With file, line and caret.
    Config(miette::Report),
    /// In one line.
    Other(anyhow::Error),
}

impl From<miette::Report> for Failure {
    fn from(report: miette::Report) -> Self {
        Self::Config(report)
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Other(error)
    }
}

fn dispatch(command: Command) -> Result<(), Failure> {
    match command {
        Command::Run(arg) => {
            let (config, files) = check::load_with_vault(&arg.config, Timestamp::now())?;
            log(config.json_log, "info");
            wait(run::run(&arg.config, config, files))?;
        }
        Command::Demo { once, dir, wallet } => {
            log(false, "error");
            wait(demo::run(dir, once, wallet))?;
        }
        Command::Check(arg) => {
            let (config, _) = load(&arg)?;
            println!(
                "{} holds: {} with {} peers",
                arg.config.display(),
                config.country,
                config.peers.len()
            );
        }
        Command::Verify(args) => verify::run(&args)?,
        Command::Documents(Documents::Import { dir, config }) => {
            let (config, files) = check::load_beside(&config.config, Timestamp::now())?;
            wait(run::import(&config, &files.custody, &dir))?;
        }
        Command::Events(Events::List { limit, kind, config }) => {
            // also where a file is at fault: the events may say which
            let config = check::parse(&config.config)?;
            events::list(&config, limit, kind.as_deref())?;
        }
        Command::Evidence(Evidence::List { limit, config }) => {
            let config = check::parse(&config.config)?;
            wait(evidence::list(&config, limit))?;
        }
        Command::Evidence(Evidence::Export(args)) => {
            let (config, files) = load(&args.config)?;
            wait(evidence::export(&args, &config, &files))?;
        }
        Command::Eid(Eid::Metadata { role, config }) => {
            let (config, files) = load(&config)?;
            let role = match role {
                EidRole::Connector => Role::Connector,
                EidRole::Proxy => Role::ProxyService,
            };
            eid::command::metadata(&config, files, role)?;
        }
        Command::Eid(Eid::Check(config)) => {
            let (config, files) = load(&config)?;
            log(false, "warn");
            wait(eid::command::check(&config, files))?;
        }
        Command::Eid(Eid::Verify { file, signers, ehdsi }) => {
            eid::command::verify(&file, &signers, ehdsi)?;
        }
        Command::Eid(Eid::Register(EidRegister::Import { file, config })) => {
            // what it makes is among the files that would be checked
            let config = check::parse(&config.config)?;
            register::command::import(&config, &file)?;
        }
        Command::Attest(command) => attest::run(&command)?,
        Command::Vault(command) => vault::run(&command)?,
        Command::Ledger(command) => {
            // the engine tells of every block
            log(false, "warn,konfido=info,ledger=info,ledger_consensus=info");
            wait(ledger::run(command))?;
        }
        Command::Bench(Bench::Exchange(args)) => {
            log(false, "error");
            wait(bench::exchange(args))?;
        }
        Command::Bench(Bench::Vault) => bench::vault()?,
        Command::Bench(Bench::Stub(args)) => {
            log(false, "error");
            wait(bench::stub(args))?;
        }
        Command::Bench(Bench::Repository(listener)) => {
            log(false, "error");
            wait(bench::repository(listener))?;
        }
    }
    Ok(())
}

fn load(arg: &ConfigArg) -> miette::Result<(Config, Files)> {
    check::load(&arg.config, Timestamp::now())
}

/// Logs to stderr; `KONFIDO_LOG` overrides the level.
fn log(json: bool, level: &str) {
    let filter = EnvFilter::try_from_env("KONFIDO_LOG").unwrap_or_else(|_| EnvFilter::new(level));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    if json { builder.json().init() } else { builder.init() }
}

fn wait(task: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().context("tokio")?;
    runtime.block_on(task)
}
