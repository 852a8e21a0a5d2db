//! `konfido attest show`: what a running node says of its own vault.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context as _, ensure};

use crate::config::Config;

/// Asks the node's admin listener, and prints its answer.
pub fn show(config: &Config, json: bool) -> anyhow::Result<()> {
    let at = config.listen.admin;
    let mut socket = TcpStream::connect_timeout(&at, WAIT).with_context(|| {
        format!("no node answers at {at}: is it running with this configuration?")
    })?;
    socket.set_read_timeout(Some(WAIT))?;
    write!(socket, "GET /vault HTTP/1.1\r\nhost: {at}\r\nconnection: close\r\n\r\n")?;
    let mut answer = String::new();
    socket.take(MOST).read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").context("no HTTP answer")?;
    ensure!(head.starts_with("HTTP/1.1 200"), "{}: {body}", head.lines().next().unwrap_or(""));
    if json {
        println!("{body}");
        return Ok(());
    }
    let said: serde_json::Map<String, serde_json::Value> = serde_json::from_str(body)?;
    for (name, value) in &said {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        println!("{:<14} {text}", name.replace('_', " "));
    }
    Ok(())
}

const WAIT: Duration = Duration::from_secs(10);
const MOST: u64 = 1 << 20;
