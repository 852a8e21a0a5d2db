//! A pair of nginx in our place: mutual TLS on each of the three legs, and nothing else. It is the
//! floor under any gateway that ends TLS.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use testbed::pki::Role;
use testbed::world::Land;

use super::process::{Process, free_ports};
use super::stand::{Road, Site};

/// What the report says when there is no nginx.
pub const MISSING: &str = "skipped: nginx not installed (apt install nginx-light)";

/// Starts B and A, if nginx is installed.
pub async fn road(site: &Site<'_>) -> anyhow::Result<Option<Road>> {
    let Some(program) = program() else { return Ok(None) };
    let [b, a] = free_ports()?;
    let hops = [
        ("nginx-b", &site.es, b, (&site.dk, Role::ServiceProvider, a)),
        ("nginx-a", &site.dk, a, (&site.dk, Role::OpenncpServer, site.stub)),
    ];
    let mut gateways = Vec::new();
    for (name, land, port, upstream) in hops {
        let prefix = site.dir.join(name);
        fs::create_dir_all(&prefix)?;
        let file = prefix.join("nginx.conf");
        fs::write(&file, configuration(site, &prefix, land, port, upstream)?)?;
        let mut command = Command::new(&program);
        command.arg("-p").arg(&prefix).arg("-c").arg(&file).arg("-e").arg(prefix.join("error.log"));
        gateways.push(Process::start(&mut command, &prefix.join("words.log"), port).await?);
    }
    let portal = site.portal(Role::OpenncpClient, site.es.country(), b, "")?;
    Ok(Some(Road { name: NAME, portal, gateways, repositories: Vec::new() }))
}

/// On Debian it is in /usr/sbin, which is not on everybody's path.
fn program() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into()]);
    folders.map(|folder| folder.join("nginx")).find(|file| file.is_file())
}

/// One hop: verifies its client, and its upstream as that verifies it.
fn configuration(
    site: &Site<'_>,
    prefix: &Path,
    land: &Land,
    port: u16,
    (upstream, role, upstream_port): (&Land, Role, u16),
) -> anyhow::Result<String> {
    let file = |role, kind| site.file(land, role, kind).display().to_string();
    let (certificate, key) =
        (file(Role::ServiceProvider, "pem"), file(Role::ServiceProvider, "key"));
    let (client, client_key) =
        (file(Role::ServiceConsumer, "pem"), file(Role::ServiceConsumer, "key"));
    let name = format!("{}.{}.konfido.example", role.stem(), upstream.country().to_lower());
    let (roots, prefix) = (site.dir.join("pki/ca.pem"), prefix.display());
    let roots = roots.display();
    // root's workers would become nobody, who may not write here
    let user = if fs::metadata("/proc/self")?.uid() == 0 { "user root;" } else { "" };
    Ok(format!(
        "{user}
daemon off;
worker_processes auto;
worker_rlimit_nofile 8192;
pid {prefix}/pid;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  client_body_temp_path {prefix}/body;
  proxy_temp_path {prefix}/proxy;
  fastcgi_temp_path {prefix}/fastcgi;
  uwsgi_temp_path {prefix}/uwsgi;
  scgi_temp_path {prefix}/scgi;
  upstream next {{
    server 127.0.0.1:{upstream_port};
    keepalive 512;
    keepalive_requests 1000000;
    keepalive_timeout 8s;
  }}
  server {{
    listen 127.0.0.1:{port} ssl backlog=4096;
    ssl_protocols TLSv1.3;
    ssl_certificate {certificate};
    ssl_certificate_key {key};
    ssl_client_certificate {roots};
    ssl_verify_client on;
    keepalive_requests 1000000;
    client_max_body_size 24m;
    client_body_buffer_size 256k;
    location / {{
      proxy_pass https://next;
      proxy_http_version 1.1;
      proxy_set_header Connection \"\";
      proxy_ssl_protocols TLSv1.3;
      proxy_ssl_certificate {client};
      proxy_ssl_certificate_key {client_key};
      proxy_ssl_trusted_certificate {roots};
      proxy_ssl_verify on;
      proxy_ssl_name {name};
      proxy_buffer_size 16k;
      proxy_buffers 16 16k;
    }}
  }}
}}
"
    ))
}

/// The road's name.
pub const NAME: &str = "nginx pair";
