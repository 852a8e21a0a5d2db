//! `konfido bench repository` (hidden): stands for a country's audit repository. It takes syslog over
//! TLS and keeps nothing, so that its memory and time are no part of what is measured.

use tokio::io::AsyncReadExt;
use tokio_util::sync::CancellationToken;
use transport::server::Limits;

use super::listener::Listener;

/// Takes records until SIGTERM.
pub async fn serve(listener: Listener) -> anyhow::Result<()> {
    let bound = listener.bind().await?;
    let take = |mut stream, _, _| async move {
        let mut bytes = vec![0; 64 << 10];
        while matches!(AsyncReadExt::read(&mut stream, &mut bytes).await, Ok(count) if count > 0) {}
    };
    bound.serve_streams(Limits::default(), CancellationToken::new(), take).await;
    Ok(())
}
