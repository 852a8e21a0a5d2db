//! Cookies as browsers keep them (RFC 6265bis), and a little stricter: each origin is a site of its
//! own. In the testbed everything runs on one host; in a country's operation it does not, and a login
//! that leans on one host must fail here already.

use std::time::Duration;

use tokio::time::Instant;

/// One browser's cookies.
#[derive(Default)]
pub(super) struct Jar(Vec<Cookie>);

struct Cookie {
    host: String,
    name: String,
    value: String,
    path: String,
    same_site: SameSite,
    until: Option<Instant>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum SameSite {
    Strict,
    Lax,
    None,
}

/// Where a request goes, and what led there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Going<'a> {
    /// Host without port: cookies know no ports (RFC 6265 §8.5).
    pub host: &'a str,
    /// Path.
    pub path: &'a str,
    /// The page that leads there is of the same origin, or a person typed the address.
    pub same_origin: bool,
    /// `GET`, not `POST`.
    pub safe: bool,
}

impl Jar {
    /// Takes a `Set-Cookie` line. What a browser would refuse is refused.
    pub fn set(&mut self, host: &str, line: &str) {
        let mut parts = line.split(';').map(str::trim);
        let Some((name, value)) = parts.next().and_then(|pair| pair.split_once('=')) else {
            return;
        };
        let (mut path, mut secure, mut domain) = ("/", false, false);
        let (mut same_site, mut life) = (SameSite::Lax, None);
        for part in parts {
            let (key, value) = part.split_once('=').unwrap_or((part, ""));
            match key.to_ascii_lowercase().as_str() {
                "path" if value.starts_with('/') => path = value,
                "secure" => secure = true,
                "domain" => domain = true,
                "max-age" => life = value.parse::<i64>().ok(),
                "samesite" => {
                    same_site = match value.to_ascii_lowercase().as_str() {
                        "strict" => SameSite::Strict,
                        "none" => SameSite::None,
                        _ => SameSite::Lax,
                    }
                }
                _ => {}
            }
        }
        let bound = !domain && path == "/";
        let refused = name.starts_with("__Host-") && !(secure && bound)
            || (name.starts_with("__Secure-") || same_site == SameSite::None) && !secure
            || domain;
        if refused {
            return;
        }
        self.0.retain(|c| !(c.host == host && c.name == name && c.path == path));
        if life.is_some_and(|seconds| seconds <= 0) {
            return;
        }
        let until = life.and_then(|seconds| {
            Instant::now().checked_add(Duration::from_secs(u64::try_from(seconds).ok()?))
        });
        self.0.push(Cookie {
            host: host.to_owned(),
            name: name.to_owned(),
            value: value.to_owned(),
            path: path.to_owned(),
            same_site,
            until,
        });
    }

    /// The `Cookie` line for a request; empty for none.
    pub fn line(&self, going: Going<'_>) -> String {
        let sent = self.0.iter().filter(|cookie| cookie.goes(going));
        let pairs: Vec<_> = sent.map(|c| format!("{}={}", c.name, c.value)).collect();
        pairs.join("; ")
    }
}

impl Cookie {
    fn goes(&self, going: Going<'_>) -> bool {
        let under = going.path.strip_prefix(self.path.as_str()).is_some_and(|rest| {
            rest.is_empty() || self.path.ends_with('/') || rest.starts_with('/')
        });
        let may = match self.same_site {
            SameSite::None => true,
            SameSite::Lax => going.same_origin || going.safe,
            SameSite::Strict => going.same_origin,
        };
        let current = self.until.is_none_or(|until| Instant::now() < until);
        self.host == going.host && under && may && current
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn going(path: &str, same_origin: bool, safe: bool) -> Going<'_> {
        Going { host: "localhost", path, same_origin, safe }
    }

    #[test]
    fn cookies_go_where_browsers_send_them() {
        let mut jar = Jar::default();
        jar.set("localhost", "lax=1; Path=/; Secure; HttpOnly; SameSite=Lax");
        jar.set("localhost", "strict=2; Path=/; Secure; SameSite=Strict");
        jar.set("localhost", "none=3; Path=/; Secure; SameSite=None");
        jar.set("localhost", "deep=4; Path=/eid; SameSite=None; Secure");
        assert_eq!(jar.line(going("/", true, false)), "lax=1; strict=2; none=3");
        assert_eq!(jar.line(going("/", false, true)), "lax=1; none=3");
        assert_eq!(jar.line(going("/", false, false)), "none=3", "a form of another site");
        assert_eq!(jar.line(going("/eid/x", false, false)), "none=3; deep=4");
        assert_eq!(jar.line(going("/eidx", false, false)), "none=3");
        assert_eq!(jar.line(Going { host: "127.0.0.1", ..going("/", true, true) }), "");
    }

    #[test]
    fn what_browsers_refuse_is_refused() {
        let mut jar = Jar::default();
        for line in [
            "__Host-a=1; Path=/",
            "__Host-a=1; Secure; Path=/x",
            "__Host-a=1; Secure; Path=/; Domain=localhost",
            "__Secure-a=1; Path=/",
            "a=1; SameSite=None",
            "nothing",
        ] {
            jar.set("localhost", line);
        }
        assert_eq!(jar.line(going("/", true, true)), "");
    }

    #[test]
    fn a_cookie_can_be_replaced_and_removed() {
        let mut jar = Jar::default();
        jar.set("localhost", "a=1");
        jar.set("localhost", "a=2; Max-Age=60");
        assert_eq!(jar.line(going("/", true, true)), "a=2");
        jar.set("localhost", "a=; Max-Age=0");
        assert_eq!(jar.line(going("/", true, true)), "");
    }
}
