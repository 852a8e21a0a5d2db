//! What a peer that does not wait for its answer still costs it.

#![allow(clippy::unwrap_used, reason = "tests")]

mod world;

use std::sync::Arc;

use http::StatusCode;
use tokio::io::AsyncWriteExt as _;
use tokio::sync::{Notify, Semaphore};
use transport::client::{ClientError, ClientLimits};
use transport::problem::respond;
use transport::server::Limits;
use world::{Authority, client, connect, millis, start};

/// Else a peer could have any number of requests under way, by hanging up after each.
#[tokio::test]
async fn who_hangs_up_keeps_the_place_until_the_request_has_ended() {
    let ca = Authority::new("root");
    let limits = Limits { connections: 1, ..Limits::default() };
    let (begun, gate) = (Arc::new(Notify::new()), Arc::new(Semaphore::new(0)));
    let (has_begun, open) = (Arc::clone(&begun), Arc::clone(&gate));
    let running = start(&ca.identity("DK", 1), limits, move |_, _| {
        let (begun, gate) = (Arc::clone(&begun), Arc::clone(&gate));
        async move {
            begun.notify_one();
            drop(gate.acquire().await);
            respond(StatusCode::OK, "text/plain", "done")
        }
    })
    .await;
    let mut rude = connect(&running, &ca).await;
    rude.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    has_begun.notified().await;
    drop(rude);
    let quick = ClientLimits { connect: millis(300), ..ClientLimits::default() };
    let es = client(&running, None, &ca.identity("ES", 2), quick);
    assert!(matches!(es.get("/").await, Err(ClientError::Connect(_))), "one place, one request");
    open.add_permits(1);
    assert_eq!(es.get("/").await.unwrap().status, StatusCode::OK);
}
