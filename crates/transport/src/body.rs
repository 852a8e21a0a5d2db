//! Bodies, read with a limit and in time.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{StatusCode, header};
use http_body_util::BodyExt;
use hyper::body::Body;
use tokio::time::timeout;

/// Why a body was not read. Always the sender's fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// Longer than the limit.
    #[error("body is longer than the limit")]
    TooLong,
    /// Not complete in time.
    #[error("body did not arrive in time")]
    TooSlow,
    /// The connection broke.
    #[error("body broke off")]
    Broken,
}

impl BodyError {
    /// The HTTP status that tells the sender (RFC 9110 §15.5).
    pub fn status(self) -> StatusCode {
        match self {
            Self::TooLong => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::Broken => StatusCode::BAD_REQUEST,
        }
    }

    /// The stable code for [`crate::problem::problem`].
    pub fn code(self) -> &'static str {
        match self {
            Self::TooLong => "body-too-long",
            Self::TooSlow => "body-too-slow",
            Self::Broken => "body-broken",
        }
    }
}

/// Reads a request's body of at most `limit` bytes within `time`.
///
/// What is too long is thrown away for a moment before the refusal: closing a socket on unread
/// bytes resets it, and the sender would not see the answer.
pub async fn read_body<B>(
    mut body: B,
    length: Option<usize>,
    limit: usize,
    time: Duration,
) -> Result<Bytes, BodyError>
where
    B: Body<Data = Bytes> + Unpin,
{
    let result = read(&mut body, length, limit, time).await;
    if result == Err(BodyError::TooLong) {
        let _ = timeout(LINGER.min(time), discard(body, limit)).await;
    }
    result
}

/// Reads a body of at most `limit` bytes within `time`; gives up at once.
pub(crate) async fn read<B>(
    body: &mut B,
    length: Option<usize>,
    limit: usize,
    time: Duration,
) -> Result<Bytes, BodyError>
where
    B: Body<Data = Bytes> + Unpin,
{
    if length.is_some_and(|length| length > limit) {
        return Err(BodyError::TooLong);
    }
    timeout(time, collect(body, length, limit)).await.unwrap_or(Err(BodyError::TooSlow))
}

/// The `Content-Length` of a message.
pub fn content_length(headers: &http::HeaderMap) -> Option<usize> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

async fn collect<B>(body: &mut B, expected: Option<usize>, limit: usize) -> Result<Bytes, BodyError>
where
    B: Body<Data = Bytes> + Unpin,
{
    let mut whole = BytesMut::with_capacity(expected.unwrap_or(0).min(MAX_RESERVED));
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| BodyError::Broken)?.into_data() else { continue };
        if data.len() > limit - whole.len() {
            return Err(BodyError::TooLong);
        }
        whole.extend_from_slice(&data);
    }
    if expected.is_some_and(|expected| expected != whole.len()) {
        Err(BodyError::Broken)
    } else {
        Ok(whole.freeze())
    }
}

async fn discard<B>(mut body: B, most: usize)
where
    B: Body<Data = Bytes> + Unpin,
{
    let mut left = most;
    while let Some(Ok(frame)) = body.frame().await {
        let length = frame.data_ref().map_or(0, Bytes::len);
        let Some(rest) = left.checked_sub(length) else { return };
        left = rest;
    }
}

/// A peer's word is not enough to reserve more than this.
const MAX_RESERVED: usize = 256 << 10;
/// How long a body that is too long is thrown away.
const LINGER: Duration = Duration::from_secs(2);
