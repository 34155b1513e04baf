//! Where controllers are: `tcp:192.0.2.1:6653` and the like (ovs-vsctl(8), Controller connection
//! methods).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

/// The port of OpenFlow (IANA: `openflow`).
pub const DEFAULT_PORT: u16 = 6653;

/// A host to connect to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Host {
    /// An address.
    Ip(IpAddr),
    /// A name for the resolver.
    Name(String),
}

/// A way to a controller, or for controllers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// `tcp:HOST[:PORT]`.
    Tcp(Host, u16),
    /// `ssl:HOST[:PORT]`.
    Ssl(Host, u16),
    /// `unix:FILE`.
    Unix(PathBuf),
    /// `ptcp:[PORT][:IP]`.
    Ptcp(SocketAddr),
    /// `pssl:[PORT][:IP]`.
    Pssl(SocketAddr),
    /// `punix:FILE`.
    Punix(PathBuf),
}

impl Target {
    /// Whether it waits for controllers to come.
    #[must_use]
    pub fn is_passive(&self) -> bool {
        matches!(self, Self::Ptcp(_) | Self::Pssl(_) | Self::Punix(_))
    }

    /// Whether it speaks TLS.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        matches!(self, Self::Ssl(..) | Self::Pssl(_))
    }
}

/// A target that is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a controller: {1}")]
pub struct BadTarget(String, &'static str);

const FORMS: &str = "expected tcp:HOST[:PORT], ssl:HOST[:PORT], unix:FILE, ptcp:[PORT][:IP], \
                     pssl:[PORT][:IP] or punix:FILE";

impl FromStr for Target {
    type Err = BadTarget;

    fn from_str(text: &str) -> Result<Self, BadTarget> {
        let bad = |why| BadTarget(text.into(), why);
        let (method, rest) = text.split_once(':').ok_or_else(|| bad(FORMS))?;
        let remote = || host_port(rest).ok_or_else(|| bad("expected HOST[:PORT] after the method"));
        let local = || local(rest).ok_or_else(|| bad("expected [PORT][:IP] after the method"));
        let file = || match rest {
            "" => Err(bad("expected a file after the method")),
            file => Ok(PathBuf::from(file)),
        };
        match method {
            "tcp" => remote().map(|(host, port)| Self::Tcp(host, port)),
            "ssl" => remote().map(|(host, port)| Self::Ssl(host, port)),
            "unix" => file().map(Self::Unix),
            "ptcp" => local().map(Self::Ptcp),
            "pssl" => local().map(Self::Pssl),
            "punix" => file().map(Self::Punix),
            _ => Err(bad(FORMS)),
        }
    }
}

/// `HOST[:PORT]`; an IPv6 address with a port stands in brackets.
fn host_port(text: &str) -> Option<(Host, u16)> {
    if let Some(ip) = ip(text) {
        return Some((Host::Ip(ip), DEFAULT_PORT));
    }
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().ok().filter(|p| *p != 0)?),
        None => (text, DEFAULT_PORT),
    };
    if let Some(ip) = ip(host) {
        return Some((Host::Ip(ip), port));
    }
    // RFC 1123 section 2.1. An address with a mistake in it shall not be asked of a resolver.
    let letters = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.' || c == '_';
    let name = !host.is_empty() && host.len() <= 253 && host.chars().all(letters);
    let address = host.chars().all(|c| c.is_ascii_digit() || c == '.');
    (name && !address).then(|| (Host::Name(host.into()), port))
}

/// `[PORT][:IP]`.
fn local(text: &str) -> Option<SocketAddr> {
    let (port, address) = text.split_once(':').unwrap_or((text, ""));
    let port =
        if port.is_empty() { DEFAULT_PORT } else { port.parse().ok().filter(|p| *p != 0)? };
    let address = if address.is_empty() { Ipv4Addr::UNSPECIFIED.into() } else { ip(address)? };
    Some(SocketAddr::new(address, port))
}

fn ip(text: &str) -> Option<IpAddr> {
    match text.strip_prefix('[').and_then(|t| t.strip_suffix(']')) {
        Some(inside) => inside.parse().ok().map(IpAddr::V6),
        None => text.parse().ok(),
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(IpAddr::V4(ip)) => ip.fmt(f),
            Self::Ip(IpAddr::V6(ip)) => write!(f, "[{ip}]"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(host, port) => write!(f, "tcp:{host}:{port}"),
            Self::Ssl(host, port) => write!(f, "ssl:{host}:{port}"),
            Self::Unix(file) => write!(f, "unix:{}", file.display()),
            Self::Ptcp(at) => write!(f, "ptcp:{}:{}", at.port(), Host::Ip(at.ip())),
            Self::Pssl(at) => write!(f, "pssl:{}:{}", at.port(), Host::Ip(at.ip())),
            Self::Punix(file) => write!(f, "punix:{}", file.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_and_defaults() {
        for (text, full) in [
            ("tcp:127.0.0.1", "tcp:127.0.0.1:6653"),
            ("tcp:127.0.0.1:6633", "tcp:127.0.0.1:6633"),
            ("tcp:::1", "tcp:[::1]:6653"),
            ("tcp:[::1]:6633", "tcp:[::1]:6633"),
            ("ssl:ctl.example.org", "ssl:ctl.example.org:6653"),
            ("unix:/run/x.sock", "unix:/run/x.sock"),
            ("ptcp:", "ptcp:6653:0.0.0.0"),
            ("ptcp:6633", "ptcp:6633:0.0.0.0"),
            ("ptcp:6633:127.0.0.1", "ptcp:6633:127.0.0.1"),
            ("pssl::[::1]", "pssl:6653:[::1]"),
            ("punix:a b", "punix:a b"),
        ] {
            let target: Target = text.parse().expect(text);
            assert_eq!(target.to_string(), full);
            assert_eq!(full.parse(), Ok(target));
        }
        for text in [
            "",
            "tcp",
            "tcp:",
            "tcp:127.0.0.1:0",
            "tcp:127.0.0.1:x",
            "tcp:127.0.0.300",
            "tcp:127.0.0.1:65536",
            "udp:127.0.0.1",
            "unix:",
            "ptcp:6633:host",
            "tcp:a b",
            "tcp:[::1",
        ] {
            assert!(text.parse::<Target>().is_err(), "{text}");
        }
    }
}
