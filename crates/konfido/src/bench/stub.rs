//! `konfido bench stub` (hidden): stands for the OpenNCP of the country of affiliation. It takes
//! any message over mutual TLS and answers with the same document each time.

use std::path::PathBuf;

use bytes::Bytes;
use exchange::Transaction;
use tokio_util::sync::CancellationToken;
use transport::server::Limits;

use super::listener::Listener;

/// What the stub is.
#[derive(clap::Args, Clone)]
pub struct Options {
    #[command(flatten)]
    listener: Listener,
    /// The document
    #[arg(long)]
    document: PathBuf,
    /// Its unique id
    #[arg(long)]
    id: String,
    /// The repository that it is in
    #[arg(long)]
    repository: String,
    /// The home community that it is in
    #[arg(long)]
    community: String,
}

/// Serves until SIGTERM.
pub async fn serve(options: Options) -> anyhow::Result<()> {
    let bound = options.listener.bind().await?;
    let (content_type, answer) = answer(&options)?;
    let limits = Limits::default();
    let handler = move |_, request: http::Request<hyper::body::Incoming>| {
        let (content_type, answer) = (content_type.clone(), answer.clone());
        async move {
            let body = request.into_body();
            let read = transport::server::read_body(body, None, limits.body, limits.body_time);
            let status = match read.await {
                Ok(_) => http::StatusCode::OK,
                Err(_) => http::StatusCode::BAD_REQUEST,
            };
            transport::problem::respond(status, &content_type, answer)
        }
    };
    bound.serve(limits, CancellationToken::new(), handler).await;
    Ok(())
}

/// The one answer, with its content type.
fn answer(options: &Options) -> anyhow::Result<(String, Bytes)> {
    let document = exchange::Document {
        unique_id: options.id.clone(),
        repository: options.repository.clone(),
        mime: "text/xml".into(),
        bytes: std::fs::read(&options.document)?.into(),
    };
    let response = ihe::xca::RetrieveResponse { documents: vec![document], ..Default::default() };
    let (body, parts) = response.render(&exchange::Oid::parse(&options.community)?);
    let header = ihe::soap::Header {
        action: Transaction::Retrieve.response_action(),
        message_id: "urn:uuid:stub",
        ..Default::default()
    };
    let root = ihe::soap::render(&header, &[], &body).into();
    Ok(ihe::mtom::Package { root, parts }.write(""))
}
