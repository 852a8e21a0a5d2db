//! A country's audit repository: takes records over syslog-TLS and keeps them in memory.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::BytesMut;
use ihe::syslog::next_frame;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio_util::sync::CancellationToken;
use transport::server::{Bound, Limits};
use transport::tls::{Identity, ServerTls, TlsError};

/// Stands for OpenATNA or another repository of the country.
pub struct Repository {
    address: SocketAddr,
    records: Arc<Mutex<Vec<String>>>,
    stop: CancellationToken,
}

/// Why it could not start.
#[derive(Debug, thiserror::Error)]
pub enum RepositoryError {
    /// Its certificate.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Its socket.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

impl Repository {
    /// Listens at `address` with this server certificate.
    pub async fn start(identity: &Identity, address: SocketAddr) -> Result<Self, RepositoryError> {
        let bound = Bound::tls(address, ServerTls::new(identity)?).await?;
        let address = bound.address()?;
        let (records, stop) = (Arc::<Mutex<Vec<String>>>::default(), CancellationToken::new());
        let kept = Arc::clone(&records);
        tokio::spawn(bound.serve_streams(
            Limits::default(),
            stop.clone(),
            move |stream, _, stop| take(stream, Arc::clone(&kept), stop),
        ));
        Ok(Self { address, records, stop })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The records so far, as XML.
    pub fn records(&self) -> Vec<String> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Repository {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn take<S>(mut stream: S, records: Arc<Mutex<Vec<String>>>, stop: CancellationToken)
where
    S: AsyncRead + Unpin,
{
    let mut buffer = BytesMut::new();
    loop {
        while let Ok(Some(frame)) = next_frame(&mut buffer) {
            let text = String::from_utf8_lossy(&frame.body).into_owned();
            records.lock().unwrap_or_else(PoisonError::into_inner).push(text);
        }
        match stop.run_until_cancelled(stream.read_buf(&mut buffer)).await {
            Some(Ok(count)) if count > 0 => {}
            _ => return,
        }
    }
}
