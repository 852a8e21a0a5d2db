//! `konfido bench exchange`: what an exchange costs, beside calling the stub directly.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use bytes::Bytes;
use exchange::{Country, DocumentClass, Transaction};
use gateway::national::DocumentStore as _;
use ihe::xca::RetrieveRequest;
use jiff::Timestamp;
use testbed::documents::{Header, padded_summary};
use testbed::pki::Role;
use testbed::portal::{Portal, envelope};
use testbed::world::{AGNETE, BIRTHE, Land, MONTSERRAT};
use transport::client::{Client, ClientLimits};
use transport::server::{Bound, Limits};
use transport::tls::{ClientTls, ServerTls};

use crate::demo::{Circle, tls};

/// How to measure.
#[derive(clap::Args, Clone, Copy)]
pub struct Options {
    /// Concurrent clients
    #[arg(long, default_value_t = 300)]
    clients: usize,
    /// Seconds for each part
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Size of the document in bytes
    #[arg(long, default_value_t = 100_000)]
    document: usize,
    /// Offered exchanges a second for the latency part; half of what was reached when missing
    #[arg(long)]
    rate: Option<u64>,
}

/// Latencies of one part, in microseconds.
struct Part {
    done: u64,
    failed: u64,
    seconds: f64,
    micros: Vec<u64>,
}

impl Part {
    fn per_second(&self) -> f64 {
        self.done as f64 / self.seconds
    }

    fn quantile(&mut self, q: f64) -> f64 {
        self.micros.sort_unstable();
        let at = ((self.micros.len() as f64 - 1.0) * q).max(0.0) as usize;
        self.micros.get(at).copied().unwrap_or(0) as f64 / 1000.0
    }
}

/// Runs all parts and prints a table in Markdown.
pub async fn exchange(options: Options) -> anyhow::Result<()> {
    let dir = std::env::temp_dir().join(format!("konfido-bench-{}", std::process::id()));
    let circle = Circle::start(&dir).await?;
    let (es, dk) = (country("ES")?, country("DK")?);
    let repository = Land::of(dk).context("unknown country")?.repository;
    let id = big_document(&circle, dk, repository, options.document).await?;
    let stub = Stub::start(&circle, dk, repository, &id, options.document).await?;
    let portal = circle.portal(es, dk)?;
    let direct = Portal {
        client: Client::new(
            &stub.url,
            Some(dk),
            ClientTls::new(&tls(&circle.pki, es, Role::ServiceConsumer))?,
            ClientLimits::default(),
        ),
        prefix: String::new(),
        ..portal.clone()
    };
    let visits: Arc<Vec<_>> = Arc::new(
        (0..options.clients.min(50)).map(|_| circle.visit(&MONTSERRAT, Some(&AGNETE))).collect(),
    );
    let load = Load { options, visits, repository: repository.to_owned(), id };
    load.run(&portal, None, Duration::from_secs(2)).await; // warm up: connections, assertions, sessions
    let cpu = cpu_seconds();
    let mut through = load.run(&portal, None, Duration::from_secs(options.seconds)).await;
    let cpu = cpu_seconds() - cpu;
    load.run(&direct, None, Duration::from_secs(1)).await;
    let mut alone = load.run(&direct, None, Duration::from_secs(options.seconds)).await;
    // the receipts and log entries of the full load are still on their way: not part of half load
    tokio::time::sleep(Duration::from_secs(5)).await;
    let half = options.rate.unwrap_or((through.per_second() / 2.0) as u64).max(1);
    let mut paced = load.run(&portal, Some(half), Duration::from_secs(options.seconds)).await;
    let mut paced_alone = load.run(&direct, Some(half), Duration::from_secs(options.seconds)).await;
    println!("| part | exchanges/s | p50 ms | p99 ms | failed |\n|---|---|---|---|---|");
    for (name, part) in [
        ("through B and A, all checks", &mut through),
        ("stub alone (mTLS)", &mut alone),
        ("through B and A, half load", &mut paced),
        ("stub alone, half load", &mut paced_alone),
    ] {
        let (p50, p99) = (part.quantile(0.5), part.quantile(0.99));
        println!("| {name} | {:.0} | {p50:.2} | {p99:.2} | {} |", part.per_second(), part.failed);
    }
    println!("\nratio to the stub alone: {:.2}", through.per_second() / alone.per_second());
    println!("p99 added at half load: {:.2} ms", paced.quantile(0.99) - paced_alone.quantile(0.99));
    println!(
        "CPU of the whole process (clients, both nodes) per exchange: {:.2} ms",
        cpu * 1000.0 / through.done.max(1) as f64
    );
    println!("resident memory of the whole process: {} MB", resident_kilobytes() / 1024);
    stub.stop.cancel();
    circle.stop().await;
    std::fs::remove_dir_all(&dir).ok();
    anyhow::ensure!(through.failed == 0, "{} exchanges failed", through.failed);
    Ok(())
}

struct Load {
    options: Options,
    visits: Arc<Vec<testbed::assertions::Visit>>,
    repository: String,
    id: String,
}

impl Load {
    /// `rate`: exchanges a second offered in all; closed loop when missing.
    async fn run(&self, portal: &Portal, rate: Option<u64>, time: Duration) -> Part {
        let failed = Arc::new(AtomicU64::new(0));
        let started = Instant::now();
        let mut clients = tokio::task::JoinSet::new();
        for number in 0..self.options.clients {
            let (portal, visits, failed) =
                (portal.clone(), Arc::clone(&self.visits), Arc::clone(&failed));
            let (repository, id) = (self.repository.clone(), self.id.clone());
            let clients_count = self.options.clients as u64;
            clients.spawn(async move {
                let mut micros = Vec::new();
                let visit = &visits[number % visits.len()];
                let gap = rate.map(|rate| Duration::from_micros(1_000_000 * clients_count / rate));
                let mut next =
                    started + gap.unwrap_or_default().mul_f64(number as f64 / clients_count as f64);
                while started.elapsed() < time {
                    if let Some(gap) = gap {
                        tokio::time::sleep_until(next.into()).await;
                        next += gap;
                    }
                    let begun = Instant::now();
                    let documents = vec![(repository.clone(), id.clone())];
                    let body = RetrieveRequest { documents, community: Some(portal.other.clone()) }
                        .render();
                    let message = envelope(Transaction::Retrieve, visit, &body, Vec::new());
                    match portal.send(Transaction::Retrieve, &message).await {
                        Ok(answer) if answer.parts.len() == 1 => micros
                            .push(u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX)),
                        _ => {
                            failed.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                }
                micros
            });
        }
        let mut micros = Vec::new();
        while let Some(Ok(more)) = clients.join_next().await {
            micros.extend(more);
        }
        Part {
            done: micros.len() as u64,
            failed: failed.load(Ordering::Relaxed),
            seconds: started.elapsed().as_secs_f64(),
            micros,
        }
    }
}

/// A server that answers every message with the same document: what the nodes stand before.
struct Stub {
    url: String,
    stop: tokio_util::sync::CancellationToken,
}

impl Stub {
    async fn start(
        circle: &Circle,
        country: Country,
        repository: &str,
        id: &str,
        size: usize,
    ) -> anyhow::Result<Self> {
        let server = ServerTls::new(&tls(&circle.pki, country, Role::OpenncpServer))?;
        let bound = Bound::tls(([127, 0, 0, 1], 0).into(), server).await?;
        let url = format!("https://{}", bound.address()?);
        let stop = tokio_util::sync::CancellationToken::new();
        let document = exchange::Document {
            unique_id: id.to_owned(),
            repository: repository.to_owned(),
            mime: "text/xml".into(),
            bytes: Bytes::from(vec![b'x'; size]),
        };
        let community = Land::of(country).context("unknown country")?.community();
        let (body, parts) =
            ihe::xca::RetrieveResponse { documents: vec![document], ..Default::default() }
                .render(&community);
        let action = Transaction::Retrieve.response_action();
        let header =
            ihe::soap::Header { action, message_id: "urn:uuid:stub", ..Default::default() };
        let package =
            ihe::mtom::Package { root: ihe::soap::render(&header, &[], &body).into(), parts };
        let (content_type, bytes) = package.write("");
        let limits = Limits::default();
        tokio::spawn(bound.serve(
            limits,
            stop.clone(),
            move |_, request: http::Request<hyper::body::Incoming>| {
                let (content_type, bytes) = (content_type.clone(), bytes.clone());
                async move {
                    let _ = transport::server::read_body(
                        request.into_body(),
                        None,
                        limits.body,
                        limits.body_time,
                    )
                    .await;
                    transport::problem::respond(http::StatusCode::OK, &content_type, bytes)
                }
            },
        ));
        Ok(Self { url, stop })
    }
}

async fn big_document(
    circle: &Circle,
    dk: Country,
    repository: &'static str,
    size: usize,
) -> anyhow::Result<String> {
    let header = Header {
        patient: &AGNETE,
        author: &BIRTHE,
        id: (repository, "BENCH-1"),
        source: None,
        created: Timestamp::now(),
    };
    let document = gateway::national::intake::read(Bytes::from(padded_summary(&header, size)))?;
    anyhow::ensure!(
        document.entry.class == DocumentClass::PatientSummary,
        "the generator made another class"
    );
    let id = document.entry.unique_id.clone();
    circle.node(dk).store.import(Vec::new(), vec![document]).await?;
    Ok(id)
}

fn country(code: &str) -> anyhow::Result<Country> {
    Ok(Country::parse(code)?)
}

/// User and system time of this process (Linux, 100 ticks a second).
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after = stat.rsplit(')').next().unwrap_or("");
    let ticks: f64 =
        after.split_whitespace().skip(11).take(2).filter_map(|t| t.parse::<f64>().ok()).sum();
    ticks / 100.0
}

fn resident_kilobytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or("");
    line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).unwrap_or(0)
}
