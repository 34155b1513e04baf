//! A veth into a container: made, moved, named, addressed and up; or nothing at all.
//!
//! ```text
//!   switch's namespace                 container's namespace
//!   [ vxweb1_3fa9c2 ] ---- veth ---- [ eth1  10.1.0.5/24, MAC, MTU, routes ]
//!     ^ a port of a bridge
//! ```
//!
//! The near end's name follows from the target and the interface's name there, so that the same
//! attachment has the same name after a restart of either side. Its alias says what it is, to the
//! operator (`ip link`) and to the switch, which removes nothing that it did not make.

use super::container::Target;
use super::netns::NetNs;
use super::{Cidr, Error, Link, LinkChange, Mac, Netlink, Result, Route, RouteSpec, VethSpec};
use nix::errno::Errno;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// What an alias of ours begins with.
const ALIAS: &str = "vxswitch: ";

/// An interface for a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerPort {
    /// Whose.
    pub target: Target,
    /// Its name in there.
    pub ifname: String,
    /// Its addresses.
    pub ip: Vec<Cidr>,
    /// Its Ethernet address; none: the kernel chooses, another one each time.
    pub mac: Option<Mac>,
    /// Longest IP packet, bytes; none: 1500. Both ends get it.
    pub mtu: Option<u32>,
    /// Router of the default route.
    pub gateway: Option<IpAddr>,
    /// More routes.
    pub routes: Vec<RouteSpec>,
}

/// What [`attach`] made or found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attached {
    /// The near end: the device that becomes the bridge's port.
    pub host_ifname: String,
    /// Its number.
    pub host_ifindex: u32,
    /// The interface was there already, from before a restart of the switch, and was kept.
    pub kept: bool,
}

/// The near end's name for a target and the interface's name there: `vx`, the last letters of the
/// target's name, `_`, and six hex digits of a hash of both.
#[must_use]
pub fn host_ifname(target: &Target, ifname: &str) -> String {
    let hash = super::fnv1a(format!("{target}/{ifname}").as_bytes());
    let letters: Vec<char> = target.name().chars().filter(char::is_ascii_alphanumeric).collect();
    let tail: String = letters[letters.len().saturating_sub(6)..].iter().collect();
    format!("vx{tail}_{:06x}", (hash ^ (hash >> 32)) & 0xff_ffff)
}

/// The alias of the near end.
fn alias(target: &Target, ifname: &str) -> String {
    format!("{ALIAS}'{ifname}' of {target}")
}

/// Makes the interface in the target's namespace and brings both ends up.
///
/// If the same attachment is there already (the switch was restarted, the container was not), it is
/// kept and brought to what is asked; a near end whose far end has gone elsewhere is replaced. On
/// failure nothing new is left behind.
pub fn attach(netlink: &mut Netlink, port: &ContainerPort) -> Result<Attached> {
    check(port)?;
    let netns = port.target.open()?;
    let name = host_ifname(&port.target, &port.ifname);
    let mut kept = false;
    if let Some(old) = netlink.link_by_name(&name)? {
        ours(&old, &port.target, &port.ifname)?;
        kept = far_end(&netns, port, &old)?;
        if !kept {
            netlink.delete_link(old.ifindex)?;
        }
    }
    if !kept {
        refuse_taken_name(&netns, port)?;
        netlink.create_veth(&VethSpec {
            name: &name,
            peer_name: &port.ifname,
            peer_netns: Some(&netns),
            mtu: port.mtu,
            peer_mac: port.mac,
        })?;
    }
    let near = netlink.link(&name)?;
    let done = bring_up(netlink, &near, port).and_then(|()| netns.run(|| configure(port, kept))?);
    if let Err(error) = done {
        if !kept {
            // Removing one end removes the other. If that fails too, the first error matters more.
            let _ = netlink.delete_link(near.ifindex);
        }
        return Err(error);
    }
    Ok(Attached { host_ifname: name, host_ifindex: near.ifindex, kept })
}

/// Removes an attachment. It is no error if it has gone already (the container ended).
pub fn detach(netlink: &mut Netlink, target: &Target, ifname: &str) -> Result<()> {
    match netlink.link_by_name(&host_ifname(target, ifname))? {
        Some(link) => {
            ours(&link, target, ifname)?;
            match netlink.delete_link(link.ifindex) {
                // The container ended between the question and the order.
                Err(e) if e.errno == Some(Errno::ENODEV) => Ok(()),
                other => other,
            }
        }
        None => Ok(()),
    }
}

/// Whether the attachment's near end exists: after a container's restart it does not, and the
/// interface has to be attached anew.
pub fn is_attached(netlink: &mut Netlink, target: &Target, ifname: &str) -> Result<bool> {
    Ok(netlink.link_by_name(&host_ifname(target, ifname))?.is_some())
}

/// Sets the MTU of both ends.
pub fn set_mtu(netlink: &mut Netlink, target: &Target, ifname: &str, mtu: u32) -> Result<()> {
    let change = LinkChange { mtu: Some(mtu), ..LinkChange::default() };
    let near = netlink.link(&host_ifname(target, ifname))?;
    ours(&near, target, ifname)?;
    netlink.set_link(near.ifindex, &change)?;
    target.open()?.run(|| {
        let mut there = Netlink::open()?;
        let far = there.link(ifname)?;
        there.set_link(far.ifindex, &change)
    })?
}

/// Refuses what the kernel would refuse half way.
fn check(port: &ContainerPort) -> Result<()> {
    let doing = || format!("attach '{}' of {}", port.ifname, port.target);
    super::link::check_name(&port.ifname)?;
    if let Some(mac) = port.mac.filter(|m| !m.is_unicast()) {
        return Err(Error::new(
            doing(),
            format!("{mac} is not an address that an interface can have"),
            "choose a unicast address, such as 02:00:00:00:00:01",
        ));
    }
    if let Some(gateway) = port.gateway
        && !gateway_reachable(port, gateway)
    {
        return Err(Error::new(
            doing(),
            format!("the gateway {gateway} is in none of the interface's prefixes"),
            "give an --ip whose prefix holds the gateway",
        ));
    }
    Ok(())
}

/// An IPv6 link-local router is on every link (RFC 4291 section 2.5.6).
fn gateway_reachable(port: &ContainerPort, gateway: IpAddr) -> bool {
    let link_local = match gateway {
        IpAddr::V6(a) => a.is_unicast_link_local(),
        IpAddr::V4(_) => false,
    };
    link_local || port.ip.iter().any(|ip| ip.contains(gateway))
}

/// Refuses a device that is not this attachment's.
fn ours(link: &Link, target: &Target, ifname: &str) -> Result<()> {
    if link.alias.as_deref() == Some(&alias(target, ifname)) {
        return Ok(());
    }
    Err(Error::new(
        format!("attach '{ifname}' of {target}"),
        format!(
            "its near end would be called '{}', and a device of that name exists that was not \
             made for it",
            link.name
        ),
        format!("rename or remove it (`ip link delete {}`)", link.name),
    ))
}

/// Whether the interface in the target's namespace is the other end of `near`. Each end knows the
/// other's number; numbers are per namespace, so one direction alone could match by chance.
fn far_end(netns: &NetNs, port: &ContainerPort, near: &Link) -> Result<bool> {
    netns.run(|| {
        let far = Netlink::open()?.link_by_name(&port.ifname)?;
        Ok(far.is_some_and(|far| {
            far.kind.as_deref() == Some("veth")
                && far.peer == Some(near.ifindex)
                && near.peer == Some(far.ifindex)
        }))
    })?
}

fn refuse_taken_name(netns: &NetNs, port: &ContainerPort) -> Result<()> {
    match netns.run(|| Netlink::open()?.link_by_name(&port.ifname))?? {
        None => Ok(()),
        Some(link) => Err(Error::new(
            format!("attach '{}' of {}", port.ifname, port.target),
            format!(
                "it has an interface of that name already ({})",
                link.kind.as_deref().unwrap_or("a physical device")
            ),
            "choose another name, or remove that interface first",
        )),
    }
}

/// The near end: marked as ours, silent (an IPv6 address of its own would make the host's
/// stack speak into the container), up.
fn bring_up(netlink: &mut Netlink, near: &Link, port: &ContainerPort) -> Result<()> {
    let mark = LinkChange {
        alias: Some(alias(&port.target, &port.ifname)),
        mtu: port.mtu,
        ..LinkChange::default()
    };
    netlink.set_link(near.ifindex, &mark)?;
    let silent = LinkChange { no_ipv6_address: true, ..LinkChange::default() };
    // A kernel without IPv6 refuses, and has nothing to keep silent.
    let _ = netlink.set_link(near.ifindex, &silent);
    let up = LinkChange { up: Some(true), ..LinkChange::default() };
    netlink.set_link(near.ifindex, &up)
}

/// The far end, from inside its namespace.
fn configure(port: &ContainerPort, kept: bool) -> Result<()> {
    let mut netlink = Netlink::open()?;
    let link = netlink.link(&port.ifname)?;
    let change = LinkChange {
        mtu: port.mtu.filter(|m| *m != link.mtu),
        mac: port.mac.filter(|m| Some(*m) != link.mac),
        up: Some(true),
        ..LinkChange::default()
    };
    netlink.set_link(link.ifindex, &change)?;
    // What a kept interface has already is what was asked for before.
    let unless_kept = |result: Result<()>| match result {
        Err(e) if kept && e.errno == Some(Errno::EEXIST) => Ok(()),
        other => other,
    };
    for ip in &port.ip {
        unless_kept(netlink.add_address(link.ifindex, *ip))?;
    }
    let default = port
        .gateway
        .map(|gateway| RouteSpec { dst: Cidr::default_of(gateway), via: Some(gateway) });
    for route in port.routes.iter().copied().chain(default) {
        unless_kept(netlink.add_route(&Route {
            dst: route.dst,
            via: route.via,
            oif: link.ifindex,
            mtu: None,
        }))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_and_stay() {
        let web = Target::Container("my-web-server-1".into());
        let name = host_ifname(&web, "eth1");
        assert_eq!(name, host_ifname(&web, "eth1"));
        assert_ne!(name, host_ifname(&web, "eth2"));
        assert_ne!(name, host_ifname(&Target::Netns("my-web-server-1".into()), "eth1"));
        assert!(name.starts_with("vxerver1_"), "{name}");
        assert_eq!(name.len(), super::super::IFNAME_MAX);
        assert!(host_ifname(&Target::Netns("/proc/1/ns/net".into()), "e").len() <= 15);
    }

    #[test]
    fn a_gateway_out_of_reach_is_refused_before_anything_is_made() {
        let mut port = ContainerPort {
            target: Target::Netns("x".into()),
            ifname: "eth0".into(),
            ip: vec!["10.1.0.5/24".parse().expect("valid")],
            mac: None,
            mtu: None,
            gateway: Some("10.2.0.1".parse().expect("valid")),
            routes: Vec::new(),
        };
        let text = check(&port).expect_err("out of reach").to_string();
        assert!(text.contains("10.2.0.1"), "{text}");
        port.gateway = Some("10.1.0.1".parse().expect("valid"));
        assert!(check(&port).is_ok());
    }
}
