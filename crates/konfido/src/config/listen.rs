//! `[listen]`.

use std::net::SocketAddr;

use super::reader::{Faults, Section};

/// Where the node listens.
#[derive(Debug, Clone, Copy)]
pub struct Listen {
    /// For our own country.
    pub national: SocketAddr,
    /// For other countries.
    pub border: SocketAddr,
    /// For the operator.
    pub admin: SocketAddr,
    /// For our own OpenNCP's audit records (syslog-TLS, usually port 2862).
    pub audit: Option<SocketAddr>,
}

impl Listen {
    /// All at one address, of which the system chooses the ports; nothing for audit records.
    pub fn all(address: SocketAddr) -> Self {
        Self { national: address, border: address, admin: address, audit: None }
    }
}

pub(super) fn read(section: Section<'_, '_>, faults: &Faults) -> Option<Listen> {
    let national = section.required::<SocketAddr>("national");
    let border = section.required::<SocketAddr>("border");
    let admin = section.required::<SocketAddr>("admin");
    let audit = section.optional::<SocketAddr>("audit");
    let open = section.or("danger_admin_not_on_loopback", false);
    section.end();
    let (national, border, admin) = (national?, border?, admin?);
    if !admin.value.ip().is_loopback() && !open {
        faults.add(
            &admin.span,
            "admin is plain HTTP and would be open to the network",
            Some("use 127.0.0.1, or say danger_admin_not_on_loopback = true"),
        );
    }
    let all: Vec<_> = [&national, &border, &admin].into_iter().chain(&audit).collect();
    for (n, at) in all.iter().enumerate() {
        if at.value.port() != 0 && all[..n].iter().any(|before| before.value == at.value) {
            faults.add(&at.span, "two listeners have the same address", None);
        }
    }
    Some(Listen {
        national: national.value,
        border: border.value,
        admin: admin.value,
        audit: audit.map(|at| at.value),
    })
}
