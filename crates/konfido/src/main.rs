//! The binary: command line, configuration, lifecycle, demo.

mod bench;
mod config;
mod demo;
mod import;
mod node;
mod run;
mod verify;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tracing_subscriber::EnvFilter;

/// KONFIDO: the security layer of cross-border health data exchange.
#[derive(Parser)]
#[command(version, about, after_help = "Begin with: konfido demo")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Plays a cross-border visit among three invented countries on loopback, then keeps running
    Demo {
        /// End after the story; exit code 0 only if every step held
        #[arg(long)]
        once: bool,
        /// Keep certificates, stores and receipts here (else in a temporary folder)
        #[arg(long)]
        dir: Option<PathBuf>,
    },
    /// Runs one country's node
    Run {
        /// Configuration file
        #[arg(long, default_value = "konfido.toml")]
        config: PathBuf,
    },
    /// Says what is wrong with a configuration
    Check {
        /// Configuration file
        #[arg(long, default_value = "konfido.toml")]
        config: PathBuf,
    },
    /// Checks an exported receipt offline
    Verify {
        /// The receipt
        file: PathBuf,
        /// Roots of seal certificates, PEM
        #[arg(long)]
        roots: PathBuf,
    },
    /// The built-in document store
    Documents {
        #[command(subcommand)]
        command: Documents,
    },
    /// Measures an exchange
    Bench {
        #[command(subcommand)]
        command: Bench,
    },
}

#[derive(Subcommand)]
enum Documents {
    /// Imports patients.toml and documents/*.xml, all or nothing
    Import {
        /// Import directory
        dir: PathBuf,
        /// Configuration file of the node (which must not be running)
        #[arg(long, default_value = "konfido.toml")]
        config: PathBuf,
    },
}

#[derive(Subcommand)]
enum Bench {
    /// ITI-39 with a document through B and A, all checks on, beside the stub alone
    Exchange(bench::Options),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let quiet = matches!(cli.command, Command::Demo { .. } | Command::Bench { .. });
    let filter = EnvFilter::try_from_env("KONFIDO_LOG")
        .unwrap_or_else(|_| EnvFilter::new(if quiet { "error" } else { "info" }));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: no async runtime: {error}");
            return ExitCode::FAILURE;
        }
    };
    let result = runtime.block_on(async {
        match cli.command {
            Command::Demo { once, dir } => demo::run(dir, once).await,
            Command::Run { config } => run::run(&config).await,
            Command::Check { config } => run::check(&config),
            Command::Verify { file, roots } => verify::run(&file, &roots),
            Command::Documents { command: Documents::Import { dir, config } } => run::import(&dir, &config).await,
            Command::Bench { command: Bench::Exchange(options) } => bench::exchange(options).await,
        }
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
