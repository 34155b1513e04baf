//! Addresses as the configuration and the command line write them.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// An Ethernet address, written `02:00:00:00:00:01`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// Whether a device may have it: not zero, not a group address (IEEE 802-2014 section 8.2.2).
    #[must_use]
    pub fn is_unicast(&self) -> bool {
        self.0[0] & 1 == 0 && self.0 != [0; 6]
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl FromStr for Mac {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("'{text}' is not a MAC address; write it as 02:00:00:00:00:01");
        let mut octets = [0; 6];
        let mut parts = text.split(':');
        for octet in &mut octets {
            let part = parts.next().filter(|p| p.len() <= 2 && !p.starts_with('+'));
            *octet = u8::from_str_radix(part.ok_or_else(bad)?, 16).map_err(|_| bad())?;
        }
        if parts.next().is_some() {
            return Err(bad());
        }
        Ok(Self(octets))
    }
}

impl TryFrom<String> for Mac {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Mac> for String {
    fn from(mac: Mac) -> Self {
        mac.to_string()
    }
}

/// An address with a prefix length, written `10.1.0.5/24`. Host bits are kept: as an interface's
/// address they say which host, as a route's destination they are cleared by [`Self::network`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Cidr {
    /// The address.
    pub addr: IpAddr,
    /// Bits of the prefix: 0-32, or 0-128.
    pub prefix: u8,
}

impl Cidr {
    /// The default route's destination in the family of `like`.
    #[must_use]
    pub fn default_of(like: IpAddr) -> Self {
        let addr = match like {
            IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        Self { addr, prefix: 0 }
    }

    /// The prefix itself, host bits cleared (the kernel refuses a route whose destination has
    /// them).
    #[must_use]
    pub fn network(&self) -> Self {
        let addr = match self.addr {
            IpAddr::V4(a) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.prefix)).unwrap_or(0);
                Ipv4Addr::from(u32::from(a) & mask).into()
            }
            IpAddr::V6(a) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.prefix)).unwrap_or(0);
                Ipv6Addr::from(u128::from(a) & mask).into()
            }
        };
        Self { addr, prefix: self.prefix }
    }

    /// Whether `addr` lies in the prefix.
    #[must_use]
    pub fn contains(&self, addr: IpAddr) -> bool {
        self.addr.is_ipv4() == addr.is_ipv4()
            && self.network() == Self { addr, prefix: self.prefix }.network()
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.addr, self.prefix)
    }
}

impl FromStr for Cidr {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || {
            format!(
                "'{text}' is not an address with a prefix; write it as 10.1.0.5/24 or fd00::5/64"
            )
        };
        let (addr, prefix) = text.split_once('/').ok_or_else(bad)?;
        let addr: IpAddr = addr.parse().map_err(|_| bad())?;
        let prefix: u8 = prefix.parse().map_err(|_| bad())?;
        let most = if addr.is_ipv4() { 32 } else { 128 };
        if prefix > most {
            return Err(format!("'{text}': the prefix may have at most {most} bits"));
        }
        Ok(Self { addr, prefix })
    }
}

impl TryFrom<String> for Cidr {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Cidr> for String {
    fn from(cidr: Cidr) -> Self {
        cidr.to_string()
    }
}

/// A route for a container, written `10.2.0.0/16` (on-link) or `10.2.0.0/16=via 10.1.0.1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RouteSpec {
    /// Where to.
    pub dst: Cidr,
    /// The router; none: the destination is on the link.
    pub via: Option<IpAddr>,
}

impl fmt::Display for RouteSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.dst)?;
        match self.via {
            Some(via) => write!(f, "=via {via}"),
            None => Ok(()),
        }
    }
}

impl FromStr for RouteSpec {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (dst, via) = match text.split_once('=') {
            None => (text, None),
            Some((dst, rest)) => {
                let via = rest.strip_prefix("via").map(str::trim);
                let via = via
                    .and_then(|v| v.parse().ok())
                    .ok_or_else(|| format!("route '{text}': expected CIDR or CIDR=via ADDRESS"))?;
                (dst, Some(via))
            }
        };
        let dst: Cidr = dst.trim().parse()?;
        match via {
            Some(IpAddr::V4(_)) if dst.addr.is_ipv6() => {
                Err(format!("route '{text}': an IPv6 prefix needs an IPv6 router"))
            }
            Some(IpAddr::V6(_)) if dst.addr.is_ipv4() => {
                Err(format!("route '{text}': an IPv4 prefix needs an IPv4 router"))
            }
            _ => Ok(Self { dst, via }),
        }
    }
}

impl TryFrom<String> for RouteSpec {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<RouteSpec> for String {
    fn from(route: RouteSpec) -> Self {
        route.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mac_text() {
        let mac: Mac = "02:00:a:00:0f:FF".parse().expect("valid");
        assert_eq!(mac.to_string(), "02:00:0a:00:0f:ff");
        for bad in ["", "02:00", "02:00:00:00:00:00:01", "g2:00:00:00:00:01", "+2:00:00:00:00:01"] {
            assert!(bad.parse::<Mac>().is_err(), "{bad}");
        }
    }

    #[test]
    fn cidr_text_and_network() {
        let cidr: Cidr = "10.1.2.3/20".parse().expect("valid");
        assert_eq!(cidr.network().to_string(), "10.1.0.0/20");
        assert!(cidr.contains("10.1.15.255".parse().expect("address")));
        assert!(!cidr.contains("10.1.16.0".parse().expect("address")));
        let all: Cidr = "fd00::1/0".parse().expect("valid");
        assert_eq!(all.network().to_string(), "::/0");
        for bad in ["10.0.0.1", "10.0.0.1/33", "fd00::/129", "x/8", "10.0.0.0/-1"] {
            assert!(bad.parse::<Cidr>().is_err(), "{bad}");
        }
    }

    #[test]
    fn route_text() {
        for good in ["10.2.0.0/16", "10.2.0.0/16=via 10.1.0.1", "fd01::/64=via fd00::1"] {
            assert_eq!(good.parse::<RouteSpec>().expect("valid").to_string(), good);
        }
        for bad in ["10.2.0.0/16=10.1.0.1", "10.2.0.0/16=via fd00::1", "default"] {
            assert!(bad.parse::<RouteSpec>().is_err(), "{bad}");
        }
    }
}
