//! `konfido demo`: Denmark, Spain and Italy on loopback, and the story of a Danish patient who
//! falls ill in Barcelona. Everything in it is real but the people and the hardware.

mod audit;
mod circle;
mod counter;
mod ledger;
#[cfg(test)]
mod liars;
mod logins;
mod pouch;
mod shared;
mod story;
mod vaults;
mod wallet;
#[cfg(test)]
mod watch;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context as _;
#[cfg(all(test, feature = "ldap"))]
pub use counter::entries as register;
use exchange::Country;
use std::io::{IsTerminal as _, Write as _};
use tokio::signal::unix::{SignalKind, signal};

pub use circle::{Circle, origin};

/// Plays the story; with `once` ends after it, else keeps the circle running until Ctrl-C or SIGTERM.
pub async fn run(dir: Option<PathBuf>, once: bool, wallet: bool) -> anyhow::Result<()> {
    let temporary = dir.is_none();
    let dir = dir.unwrap_or_else(|| {
        std::env::temp_dir().join(format!("konfido-demo-{}", std::process::id()))
    });
    std::fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
    let mut narrator = Narrator::new();
    println!(
        "Three invented countries on loopback. Simulated: the people. No hardware vouches for the vaults: they are software."
    );
    let mut circle = Circle::start(&dir).await?;
    let mut told = story::tell(&circle, &mut narrator, wallet).await;
    if told.is_ok() {
        told = shared::told(&mut circle, &mut narrator, country("ES"), country("DK")).await;
    }
    if let Err(error) = &told {
        narrator.failed += 1;
        println!("the story broke off: {error:#}");
    }
    circle.write_world()?;
    narrator.end();
    let failed = narrator.failed;
    if !once && failed == 0 {
        logins::invite(&circle, &dir)?;
        if let Some(page) = circle.ledger_page().await {
            println!("The shared ledger: {page}");
        }
        let mut term = signal(SignalKind::terminate())?;
        std::fs::write(dir.join("ready"), "ready\n")?;
        println!("\nThe circle keeps running; Ctrl-C ends it. Its files: {}", dir.display());
        tokio::select! {
            end = tokio::signal::ctrl_c() => end?,
            _ = term.recv() => {}
        }
    }
    circle.stop().await;
    if temporary {
        std::fs::remove_dir_all(&dir).ok();
    }
    anyhow::ensure!(failed == 0, "{failed} step(s) did not hold");
    Ok(())
}

/// A country of the story.
fn country(code: &str) -> Country {
    Country::parse(code).expect("because the story's countries are well-formed")
}

/// Prints one line a step.
pub struct Narrator {
    colour: bool,
    started: Instant,
    held: usize,
    failed: usize,
}

impl Narrator {
    fn new() -> Self {
        let colour = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        Self { colour, started: Instant::now(), held: 0, failed: 0 }
    }

    /// A chapter's title.
    fn chapter(&self, title: &str) {
        if self.colour { println!("\n\x1b[1m{title}\x1b[0m") } else { println!("\n{title}") }
    }

    /// One step: what was tried, what came of it, how it is proven.
    fn step(&mut self, started: Instant, what: &str, result: Result<String, String>) {
        let millis = started.elapsed().as_secs_f64() * 1000.0;
        let (mark, colour, text) = match &result {
            Ok(text) => ("ok  ", "\x1b[32m", text),
            Err(text) => ("FAIL", "\x1b[31m", text),
        };
        let count = if result.is_ok() { &mut self.held } else { &mut self.failed };
        *count += 1;
        let mark = if self.colour { format!("{colour}{mark}\x1b[0m") } else { mark.to_owned() };
        let clear = if self.colour { "\x1b[2K" } else { "" };
        println!("{clear}  {mark} {millis:>7.1} ms  {what:<58} {text}");
    }

    /// A bar while something is waited for; on a terminal only, and gone when the step is told.
    fn wait(&self, what: &str, done: usize, all: usize) {
        const WIDTH: usize = 24;
        if self.colour {
            let full = WIDTH * done / all.max(1);
            let (full, rest) = ("█".repeat(full), "░".repeat(WIDTH - full));
            print!("\r\x1b[2K  {full}{rest} {what} {done}/{all}\r");
            let _ = std::io::stdout().flush();
        }
    }

    fn end(&self) {
        let seconds = self.started.elapsed().as_secs_f64();
        println!("\n{} steps held, {} did not, {seconds:.1} s", self.held, self.failed);
    }
}

/// For what comes by itself: nobody waits so long unless something is wrong.
const PATIENCE: Duration = Duration::from_secs(60);
