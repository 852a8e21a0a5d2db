//! What slow, greedy and dying peers get.

#![allow(clippy::unwrap_used, reason = "tests")]

mod world;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use http::{Method, StatusCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use transport::client::{ClientError, ClientLimits};
use transport::problem::respond;
use transport::server::{Bound, Limits};
use transport::tls::ServerTls;
use world::{Authority, body, client, connect, millis, start, start_echo};

/// What the server says before it closes; a cut connection counts as said nothing more.
async fn rest(stream: &mut (impl AsyncReadExt + Unpin)) -> String {
    let mut text = Vec::new();
    let _ = stream.read_to_end(&mut text).await;
    String::from_utf8_lossy(&text).into_owned()
}

#[tokio::test]
async fn a_body_over_the_limit_is_answered_with_413() {
    let ca = Authority::new("root");
    let limits = Limits { body: 1 << 20, ..Limits::default() };
    let running = start_echo(&ca.identity("DK", 1), limits).await;
    let es = client(&running, None, &ca.identity("ES", 2), ClientLimits::default());
    for length in [(1 << 20) + 1, 2 << 20] {
        let answer = es.post("/", "text/plain", body(length)).await.unwrap();
        assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE, "{length}");
    }
    assert_eq!(es.post("/", "text/plain", body(1 << 20)).await.unwrap().status, StatusCode::OK);

    let mut stream = connect(&running, &ca).await;
    stream
        .write_all(b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n")
        .await
        .unwrap();
    for _ in 0..20 {
        stream.write_all(format!("10000\r\n{}\r\n", "y".repeat(0x10000)).as_bytes()).await.unwrap();
    }
    stream.write_all(b"0\r\n\r\n").await.unwrap();
    let mut start = [0; 12];
    stream.read_exact(&mut start).await.unwrap();
    assert_eq!(&start, b"HTTP/1.1 413", "without a content-length");
}

#[tokio::test]
async fn slow_bodies_and_slow_headers_are_cut() {
    let ca = Authority::new("root");
    let limits = Limits { body_time: millis(300), headers: millis(300), ..Limits::default() };
    let running = start_echo(&ca.identity("DK", 1), limits).await;

    let began = Instant::now();
    let mut stream = connect(&running, &ca).await;
    stream
        .write_all(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nabc")
        .await
        .unwrap();
    let said = rest(&mut stream).await;
    assert!(said.starts_with("HTTP/1.1 408") && said.ends_with("body-too-slow"), "{said}");

    let mut stream = connect(&running, &ca).await;
    stream.write_all(b"POST / HTTP/1.1\r\nhost").await.unwrap();
    assert!(!rest(&mut stream).await.contains("200"), "half a header");
    assert!(began.elapsed() < millis(30_000));

    let mut stream = connect(&running, &ca).await;
    let greedy = format!("GET / HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n", "y".repeat(200 << 10));
    let _ = stream.write_all(greedy.as_bytes()).await;
    let said = rest(&mut stream).await;
    assert!(said.is_empty() || said.starts_with("HTTP/1.1 431"), "{said}");
}

#[tokio::test]
async fn a_silent_handshake_does_not_hold_its_place() {
    let ca = Authority::new("root");
    let limits = Limits { connections: 1, handshake: millis(1000), ..Limits::default() };
    let running = start_echo(&ca.identity("DK", 1), limits).await;
    let _silent = TcpStream::connect(running.address).await.unwrap();
    let es = client(&running, None, &ca.identity("ES", 2), ClientLimits::default());
    assert_eq!(es.get("/").await.unwrap().status, StatusCode::OK);
}

#[tokio::test]
async fn further_connections_wait_until_one_ends() {
    let ca = Authority::new("root");
    let limits = Limits { connections: 1, ..Limits::default() };
    let running = start_echo(&ca.identity("DK", 1), limits).await;
    let held = connect(&running, &ca).await;
    let quick = ClientLimits { connect: millis(300), ..ClientLimits::default() };
    let es = client(&running, None, &ca.identity("ES", 2), quick);
    assert!(matches!(es.get("/").await, Err(ClientError::Connect(_))));
    drop(held);
    let es = client(&running, None, &ca.identity("ES", 3), ClientLimits::default());
    assert_eq!(es.get("/").await.unwrap().status, StatusCode::OK);
}

#[tokio::test]
async fn a_late_handler_is_answered_for() {
    let ca = Authority::new("root");
    let limits = Limits { request: millis(100), ..Limits::default() };
    let running =
        start(&ca.identity("DK", 1), limits, async |_, _| std::future::pending().await).await;
    let es = client(&running, None, &ca.identity("ES", 2), ClientLimits::default());
    assert_eq!(es.get("/").await.unwrap().status, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn a_shutdown_lets_the_running_request_finish_and_takes_no_new_one() {
    let ca = Authority::new("root");
    let entered = Arc::new(Notify::new());
    let seen = Arc::clone(&entered);
    let running = start(&ca.identity("DK", 1), Limits::default(), move |_, _| {
        seen.notify_one();
        async {
            tokio::time::sleep(millis(300)).await;
            respond(StatusCode::OK, "text/plain", "finished")
        }
    })
    .await;
    let _idle = connect(&running, &ca).await;
    let es = client(&running, None, &ca.identity("ES", 2), ClientLimits::default());
    let request = tokio::spawn({
        let es = es.clone();
        async move { es.get("/").await }
    });
    entered.notified().await;
    running.stop.cancel();
    assert_eq!(request.await.unwrap().unwrap().body, "finished");
    tokio::time::timeout(millis(30_000), running.task).await.unwrap().unwrap();
    assert!(matches!(es.get("/").await, Err(ClientError::Connect(_))));
}

#[tokio::test]
async fn a_shutdown_cuts_what_outlives_the_drain_time() {
    let ca = Authority::new("root");
    let entered = Arc::new(Notify::new());
    let seen = Arc::clone(&entered);
    let limits = Limits { drain: millis(200), ..Limits::default() };
    let running = start(&ca.identity("DK", 1), limits, move |_, _| {
        seen.notify_one();
        std::future::pending()
    })
    .await;
    let es = client(&running, None, &ca.identity("ES", 2), ClientLimits::default());
    let request = tokio::spawn(async move { es.get("/").await });
    entered.notified().await;
    running.stop.cancel();
    tokio::time::timeout(millis(30_000), running.task).await.unwrap().unwrap();
    assert!(matches!(request.await.unwrap(), Err(ClientError::Broken(_))));
}

/// A server that takes a request and then does as `last` says.
async fn villain(ca: &Authority, said: &'static [u8], stay: bool) -> world::Running {
    let tls = ServerTls::new(&ca.identity("DK", 1)).unwrap();
    let bound = Bound::tls("127.0.0.1:0".parse().unwrap(), tls.clone()).await.unwrap();
    let (address, stop) = (bound.address().unwrap(), CancellationToken::new());
    let serving =
        bound.serve_streams(Limits::default(), stop.clone(), move |mut stream, _, _| async move {
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(said).await;
            let _ = stream.flush().await;
            if stay {
                std::future::pending::<()>().await;
            }
        });
    world::Running { address, tls, stop, task: tokio::spawn(serving) }
}

#[tokio::test]
async fn each_way_in_which_a_server_fails_has_its_own_error() {
    let ca = Authority::new("root");
    let es = ca.identity("ES", 2);
    let limits = ClientLimits { request: millis(500), connect: millis(300), body: 1000, idle: 4 };
    let head = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf";
    let kind = |result: Result<transport::client::Answer, ClientError>| match result.unwrap_err() {
        ClientError::Connect(_) => "connect",
        ClientError::Timeout => "timeout",
        ClientError::Broken(_) => "broken",
        ClientError::TooLong => "too long",
        _ => "other",
    };
    let rows: [(&str, &'static [u8], bool); 6] = [
        ("broken", b"", false),
        ("broken", head, false),
        ("broken", b"nonsense\r\n\r\n", false),
        ("timeout", b"", true),
        ("timeout", head, true),
        ("too long", b"HTTP/1.1 200 OK\r\ncontent-length: 1001\r\n\r\n", true),
    ];
    for (expected, said, stay) in rows {
        let running = villain(&ca, said, stay).await;
        let result = client(&running, None, &es, limits).post("/", "text/plain", body(10)).await;
        assert_eq!(kind(result), expected, "{:?}", String::from_utf8_lossy(said));
    }

    // nobody listens; and somebody who listens, but never shakes hands
    let mut gone = villain(&ca, b"", false).await;
    gone.stop.cancel();
    (&mut gone.task).await.unwrap();
    assert_eq!(kind(client(&gone, None, &es, limits).get("/").await), "connect");
    let mute = TcpListener::bind("127.0.0.1:0").await.unwrap();
    gone.address = mute.local_addr().unwrap();
    assert_eq!(kind(client(&gone, None, &es, limits).get("/").await), "connect");
}

#[tokio::test]
async fn one_connection_carries_many_requests() {
    let ca = Authority::new("root");
    let ports = Arc::new(AtomicUsize::new(0));
    let last = Arc::clone(&ports);
    let running =
        start(&ca.identity("DK", 1), Limits::default(), move |peer, request| {
            assert_eq!(request.method(), Method::GET);
            let port = usize::from(peer.unwrap().address().port());
            let before = last.swap(port, Ordering::Relaxed);
            async move {
                respond(StatusCode::OK, "text/plain", if before == port { "same" } else { "new" })
            }
        })
        .await;
    let es = client(&running, None, &ca.identity("ES", 2), ClientLimits::default());
    assert_eq!(es.get("/").await.unwrap().body, "new");
    for _ in 0..20 {
        assert_eq!(es.get("/").await.unwrap().body, "same");
    }
}

#[tokio::test]
async fn a_silent_stream_ends_after_its_idle_time() {
    let ca = Authority::new("root");
    let tls = ServerTls::new(&ca.identity("DK", 1)).unwrap();
    let bound = Bound::tls("127.0.0.1:0".parse().unwrap(), tls.clone()).await.unwrap();
    let (address, stop) = (bound.address().unwrap(), CancellationToken::new());
    let (tell, mut told) = tokio::sync::mpsc::channel(1);
    let limits = Limits { idle: millis(200), ..Limits::default() };
    let serving = bound.serve_streams(limits, stop.clone(), move |mut stream, peer, _| {
        let tell = tell.clone();
        async move {
            let mut got = [0; 5];
            stream.read_exact(&mut got).await.unwrap();
            let end = stream.read_exact(&mut got).await.unwrap_err().kind();
            let _ = tell.send((peer.unwrap().country(), got, end)).await;
        }
    });
    let running = world::Running { address, tls, stop, task: tokio::spawn(serving) };
    let mut stream = connect(&running, &ca).await;
    stream.write_all(b"hello").await.unwrap();
    stream.flush().await.unwrap();
    let (country, got, end) = told.recv().await.unwrap();
    assert_eq!(
        (country, &got, end),
        (Some(world::country("ES")), b"hello", std::io::ErrorKind::TimedOut)
    );
}

#[tokio::test]
async fn the_admin_listener_speaks_plain_http() {
    let bound = Bound::plain("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = bound.address().unwrap();
    let stop = CancellationToken::new();
    let serving = bound.serve(Limits::default(), stop.clone(), async |peer, _| {
        assert!(peer.is_none());
        respond(StatusCode::OK, "text/plain", "live")
    });
    let task = tokio::spawn(serving);
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET /livez HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
    assert!(rest(&mut stream).await.ends_with("live"));
    stop.cancel();
    task.await.unwrap();
}
