//! Bringing our audit records to the country's repository: syslog over TLS (RFC 5425), one
//! connection for all of them.
//!
//! Syslog has no receipt. A batch is forgotten when the connection is still open a fifth of a second after
//! it was written; else it is sent again. A record may come twice; left out is only what a repository did not
//! read whose end of the connection takes longer than that to come here.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use exchange::Clock;
use ihe::syslog::frame;
use siem::{Event, Kind, Notes};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use transport::stream::{Stream, Target, dial};
use transport::tls::ClientTls;

use super::trail::Trail;
use super::{Spool, SpoolError};

/// Brings the records of one trail to one repository.
pub struct Forwarder {
    /// Whose records.
    pub trail: Arc<Trail>,
    /// Host, port and the country of the repository's certificate.
    pub repository: Target,
    /// Our TLS client.
    pub tls: ClientTls,
    /// Our own name in the syslog header.
    pub host: String,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Where losses are noted.
    pub notes: Arc<Notes>,
}

impl Forwarder {
    /// Forwards until `stop`; then once more.
    pub async fn run(self, stop: CancellationToken) {
        let mut connection = None;
        let mut pause = PAUSE;
        loop {
            let wait = async {
                tokio::time::sleep(pause).await;
                // a record that arrived during the pause has left its permit behind
                let _ = timeout(LONGEST_WAIT, self.trail.arrived()).await;
            };
            let ended = stop.run_until_cancelled(wait).await.is_none();
            self.note_lost();
            match self.empty(&mut connection, ended).await {
                Ok(()) => pause = PAUSE,
                Err(error) => {
                    connection = None;
                    self.trail.tell_reached(false);
                    tracing::warn!(%error, "audit records wait: the repository cannot be reached");
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
            if ended {
                return;
            }
        }
    }

    fn note_lost(&self) {
        let lost = self.trail.lost();
        if lost > 0 {
            tracing::error!(lost, "audit records are lost: the spool is full or its disk failed");
            let event = Event::new(self.clock.now(), Kind::AuditDropped);
            self.notes.note(Event { number: lost, ..event });
        }
    }

    /// Sends what waits, batch by batch.
    async fn empty(&self, connection: &mut Option<Stream>, ended: bool) -> io::Result<()> {
        let time = if ended { LAST_TRY } else { CONNECT };
        loop {
            let batch = self.spool(|spool| spool.oldest(BATCH)).await?;
            let Some((last, _)) = batch.last() else { return Ok(()) };
            let last = *last;
            let stream = match connection {
                Some(open) => open,
                None => connection.insert(dial(&self.repository, &self.tls, time).await?.0),
            };
            for (_, record) in &batch {
                let now = format!("{:.3}", self.clock.now());
                stream.write_all(&frame(&now, &self.host, record)).await?;
            }
            stream.flush().await?;
            still_open(stream).await?;
            self.trail.tell_reached(true);
            self.spool(move |spool| spool.remove(last)).await?;
        }
    }

    /// The spool may block: not on the async threads.
    async fn spool<T: Send + 'static>(
        &self,
        job: impl FnOnce(&dyn Spool) -> Result<T, SpoolError> + Send + 'static,
    ) -> io::Result<T> {
        let trail = Arc::clone(&self.trail);
        tokio::task::spawn_blocking(move || job(trail.spool.as_ref()))
            .await
            .map_err(io::Error::other)?
            .map_err(io::Error::other)
    }
}

/// A repository says nothing; what can be read is the end of the connection.
async fn still_open(stream: &mut Stream) -> io::Result<()> {
    let mut one = [0];
    match timeout(SETTLE, stream.read(&mut one)).await {
        Err(_) => Ok(()),
        Ok(Ok(0)) => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it closed the connection")),
        Ok(Ok(_)) => Err(io::Error::new(io::ErrorKind::InvalidData, "it is no syslog receiver")),
        Ok(Err(error)) => Err(error),
    }
}

/// Records on the wire before we look whether the connection still stands.
const BATCH: usize = 1024;
/// A round trip within Europe, twice.
const SETTLE: Duration = Duration::from_millis(200);
const CONNECT: Duration = Duration::from_secs(5);
const LAST_TRY: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Records of an earlier run wait without an arrival.
const LONGEST_WAIT: Duration = Duration::from_secs(1);
