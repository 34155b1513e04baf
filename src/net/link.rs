//! Network devices through rtnetlink (linux/if_link.h, rtnetlink(7)).

use super::netlink::{Netlink, Refused, attribute, text_of, u32_of};
use super::netns::NetNs;
use super::{Error, Mac, Result};
use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{
    AfSpecInet6, AfSpecUnspec, In6AddrGenMode, InfoData, InfoKind, InfoVeth, LinkAttribute,
    LinkFlags, LinkInfo, LinkMessage,
};
use nix::errno::Errno;
use serde::Serialize;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Longest device name, bytes (IFNAMSIZ - 1, linux/if.h).
pub const IFNAME_MAX: usize = 15;

/// RFC 2863 state of a device (`IF_OPER_*`, linux/if.h).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum OperState {
    /// The driver does not say; frames pass if the carrier is there.
    Unknown,
    /// A part is missing.
    NotPresent,
    /// Down.
    Down,
    /// Stacked on a device that is down.
    LowerLayerDown,
    /// In a self-test.
    Testing,
    /// Waits for an event (802.1X).
    Dormant,
    /// Up.
    Up,
}

impl From<u8> for OperState {
    fn from(value: u8) -> Self {
        match value {
            1 => Self::NotPresent,
            2 => Self::Down,
            3 => Self::LowerLayerDown,
            4 => Self::Testing,
            5 => Self::Dormant,
            6 => Self::Up,
            _ => Self::Unknown,
        }
    }
}

/// A network device as the kernel shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Link {
    /// Its number in its namespace.
    pub ifindex: u32,
    /// Its name.
    pub name: String,
    /// Its Ethernet address; none for devices that are not Ethernet.
    pub mac: Option<Mac>,
    /// Longest IP packet, bytes.
    pub mtu: u32,
    /// IFF_UP: switched on by the operator.
    pub up: bool,
    /// IFF_LOWER_UP: the carrier is there.
    pub lower_up: bool,
    /// RFC 2863 state.
    pub operstate: OperState,
    /// `veth`, `bridge`, `vxlan`, `tun`; none for physical devices.
    pub kind: Option<String>,
    /// The peer's (veth) or the lower device's number, in the namespace `peer_netns`.
    pub peer: Option<u32>,
    /// The kernel's id of the namespace that `peer` is in; none: the same one.
    pub peer_netns: Option<i32>,
    /// The bridge or bond that it belongs to.
    pub controller: Option<u32>,
    /// `ip link set alias`.
    pub alias: Option<String>,
}

impl Link {
    /// Whether frames can pass: switched on, and the carrier there.
    #[must_use]
    pub fn carries(&self) -> bool {
        self.up && self.lower_up
    }

    /// Reads an RTM_NEWLINK or RTM_DELLINK message's body, and only what is needed of it: a device
    /// of a kind that nobody here knows must not make the others invisible.
    ///
    /// None for messages that are not about a device as such: a Linux bridge announces its ports'
    /// comings and goings by the same messages in family AF_BRIDGE.
    pub(crate) fn parse(body: &[u8]) -> Option<Self> {
        // struct ifinfomsg: family, pad, type (16 bits), index, flags, change (32 bits each)
        let (header, rest) = body.split_first_chunk::<16>()?;
        if i32::from(header[0]) != libc::AF_UNSPEC {
            return None;
        }
        let ifindex = u32_of(&header[4..])?;
        let flags = LinkFlags::from_bits_retain(u32_of(&header[8..])?);
        let number = |kind| attribute(rest, kind).and_then(u32_of);
        Some(Self {
            ifindex,
            name: attribute(rest, libc::IFLA_IFNAME).and_then(text_of)?,
            mac: attribute(rest, libc::IFLA_ADDRESS).and_then(|a| a.try_into().ok()).map(Mac),
            mtu: number(libc::IFLA_MTU).unwrap_or(0),
            up: flags.contains(LinkFlags::Up),
            lower_up: flags.contains(LinkFlags::LowerUp),
            operstate: attribute(rest, libc::IFLA_OPERSTATE)
                .and_then(|v| v.first().copied())
                .unwrap_or(0)
                .into(),
            kind: attribute(rest, libc::IFLA_LINKINFO)
                .and_then(|info| attribute(info, libc::IFLA_INFO_KIND))
                .and_then(text_of),
            peer: number(libc::IFLA_LINK),
            peer_netns: number(libc::IFLA_LINK_NETNSID).map(u32::cast_signed),
            controller: number(libc::IFLA_MASTER),
            alias: attribute(rest, libc::IFLA_IFALIAS).and_then(text_of),
        })
    }
}

/// What to change on a device; what is none stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LinkChange {
    /// Switch on or off.
    pub up: Option<bool>,
    /// Longest IP packet, bytes.
    pub mtu: Option<u32>,
    /// Ethernet address.
    pub mac: Option<Mac>,
    /// New name; the device must be down on kernels before 6.2.
    pub name: Option<String>,
    /// Description.
    pub alias: Option<String>,
    /// No IPv6 link-local address of the device's own (`addrgenmode none`).
    pub no_ipv6_address: bool,
}

impl LinkChange {
    fn write(&self, message: &mut LinkMessage) {
        if let Some(up) = self.up {
            message.header.change_mask |= LinkFlags::Up;
            if up {
                message.header.flags |= LinkFlags::Up;
            }
        }
        let attributes = &mut message.attributes;
        attributes.extend(self.name.clone().map(LinkAttribute::IfName));
        attributes.extend(self.mtu.map(LinkAttribute::Mtu));
        attributes.extend(self.mac.map(|m| LinkAttribute::Address(m.0.to_vec())));
        attributes.extend(self.alias.clone().map(LinkAttribute::IfAlias));
        if self.no_ipv6_address {
            attributes.push(LinkAttribute::AfSpecUnspec(vec![AfSpecUnspec::Inet6(vec![
                AfSpecInet6::AddrGenMode(In6AddrGenMode::None),
            ])]));
        }
    }

    fn describe(&self, device: &str) -> String {
        let mut parts = Vec::new();
        match self.up {
            Some(true) => parts.push("up".to_string()),
            Some(false) => parts.push("down".to_string()),
            None => {}
        }
        parts.extend(self.name.as_ref().map(|n| format!("name '{n}'")));
        parts.extend(self.mtu.map(|m| format!("MTU {m}")));
        parts.extend(self.mac.map(|m| format!("address {m}")));
        if self.alias.is_some() {
            parts.push("alias".into());
        }
        if self.no_ipv6_address {
            parts.push("addrgenmode none".into());
        }
        format!("set device {device}: {}", parts.join(", "))
    }
}

/// A veth pair to be made. The near end is in the client's namespace.
#[derive(Clone, Copy, Debug)]
pub struct VethSpec<'a> {
    /// Name of the near end.
    pub name: &'a str,
    /// Name of the far end.
    pub peer_name: &'a str,
    /// Namespace of the far end; none: the same one. It is born there, so that no name is ever
    /// taken here.
    pub peer_netns: Option<&'a NetNs>,
    /// MTU of both ends, bytes; none: the kernel's default (1500).
    pub mtu: Option<u32>,
    /// Ethernet address of the far end; none: a random one.
    pub peer_mac: Option<Mac>,
}

impl Netlink {
    /// All devices of the namespace.
    pub fn links(&mut self) -> Result<Vec<Link>> {
        let replies = self
            .dump(RouteNetlinkMessage::GetLink(LinkMessage::default()))
            .map_err(|e| e.doing("list the network devices"))?;
        Ok(replies
            .iter()
            .filter(|r| r.kind == libc::RTM_NEWLINK)
            .filter_map(|r| Link::parse(&r.payload))
            .collect())
    }

    /// The device of this name, if it exists.
    pub fn link_by_name(&mut self, name: &str) -> Result<Option<Link>> {
        check_name(name)?;
        let mut message = LinkMessage::default();
        message.attributes = vec![LinkAttribute::IfName(name.into())];
        self.get_link(message, &format!("look up device '{name}'"))
    }

    /// The device of this number, if it exists.
    pub fn link_by_index(&mut self, ifindex: u32) -> Result<Option<Link>> {
        let mut message = LinkMessage::default();
        message.header.index = ifindex;
        self.get_link(message, &format!("look up device number {ifindex}"))
    }

    /// The device of this name; an error if it does not exist.
    pub fn link(&mut self, name: &str) -> Result<Link> {
        self.link_by_name(name)?
            .ok_or_else(|| Error::errno(format!("find device '{name}'"), Errno::ENODEV, None))
    }

    fn get_link(&mut self, message: LinkMessage, doing: &str) -> Result<Option<Link>> {
        match self.get(RouteNetlinkMessage::GetLink(message)) {
            Ok(reply) => Link::parse(&reply.payload)
                .map(Some)
                .ok_or_else(|| Error::new(doing, "the kernel's answer makes no sense", "")),
            Err(Refused { errno: Errno::ENODEV, .. }) => Ok(None),
            Err(refused) => Err(refused.doing(doing)),
        }
    }

    /// Changes a device; either everything or (nearly always) nothing of it.
    pub fn set_link(&mut self, ifindex: u32, change: &LinkChange) -> Result<()> {
        if let Some(name) = &change.name {
            check_name(name)?;
        }
        let mut message = LinkMessage::default();
        message.header.index = ifindex;
        change.write(&mut message);
        match self.execute(RouteNetlinkMessage::SetLink(message), 0) {
            Ok(()) => Ok(()),
            Err(refused) => {
                let error = change.describe(&self.device_text(ifindex));
                Err(self.explain(refused, error, change))
            }
        }
    }

    /// Adds what the kernel does not say: which MTUs the device can have, why a name cannot change.
    fn explain(&mut self, refused: Refused, doing: String, change: &LinkChange) -> Error {
        let errno = refused.errno;
        let error = refused.doing(doing);
        match errno {
            Errno::EINVAL | Errno::ERANGE if change.mtu.is_some() => error.with_fix(
                "choose an MTU that the device supports (`ip -d link show` prints minmtu and \
                 maxmtu)",
            ),
            Errno::EBUSY if change.name.is_some() => error.with_fix(
                "set the device down first: this kernel renames no device that is \
                up",
            ),
            Errno::EADDRNOTAVAIL if change.mac.is_some() => {
                error.with_fix("choose a unicast address, such as 02:00:00:00:00:01")
            }
            _ => error,
        }
    }

    /// Moves a device into another namespace. It leaves its addresses behind and arrives down.
    pub fn set_netns(&mut self, ifindex: u32, netns: &NetNs) -> Result<()> {
        let mut message = LinkMessage::default();
        message.header.index = ifindex;
        message.attributes = vec![netns_attribute(netns.as_fd())];
        self.execute(RouteNetlinkMessage::SetLink(message), 0).map_err(|refused| {
            let device = self.device_text(ifindex);
            refused.doing(format!("move device {device} into {netns}"))
        })
    }

    /// Makes a veth pair, both ends down.
    pub fn create_veth(&mut self, spec: &VethSpec<'_>) -> Result<()> {
        check_name(spec.name)?;
        check_name(spec.peer_name)?;
        let mut peer = LinkMessage::default();
        let peer_change = LinkChange {
            name: Some(spec.peer_name.into()),
            mtu: spec.mtu,
            mac: spec.peer_mac,
            ..LinkChange::default()
        };
        peer_change.write(&mut peer);
        peer.attributes.extend(spec.peer_netns.map(|n| netns_attribute(n.as_fd())));
        let mut message = LinkMessage::default();
        let change =
            LinkChange { name: Some(spec.name.into()), mtu: spec.mtu, ..LinkChange::default() };
        change.write(&mut message);
        message.attributes.push(LinkAttribute::LinkInfo(vec![
            LinkInfo::Kind(InfoKind::Veth),
            LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(peer))),
        ]));
        self.execute(RouteNetlinkMessage::NewLink(message), NLM_F_CREATE | NLM_F_EXCL).map_err(
            |refused| {
                let there = match spec.peer_netns {
                    Some(netns) => format!(" in {netns}"),
                    None => String::new(),
                };
                let VethSpec { name, peer_name, .. } = spec;
                refused.doing(format!("make the veth pair '{name}' - '{peer_name}'{there}"))
            },
        )
    }

    /// Removes a device (and with a veth, its peer).
    pub fn delete_link(&mut self, ifindex: u32) -> Result<()> {
        let device = self.device_text(ifindex);
        let mut message = LinkMessage::default();
        message.header.index = ifindex;
        self.execute(RouteNetlinkMessage::DelLink(message), 0)
            .map_err(|refused| refused.doing(format!("remove device {device}")))
    }

    /// A device for messages: its name where it still has one.
    pub(crate) fn device_text(&mut self, ifindex: u32) -> String {
        match self.link_by_index(ifindex) {
            Ok(Some(link)) => format!("'{}'", link.name),
            _ => format!("number {ifindex}"),
        }
    }
}

/// Refuses names that the kernel would refuse, saying why (dev_valid_name(), net/core/dev.c).
pub(crate) fn check_name(name: &str) -> Result<()> {
    let why = if name.is_empty() {
        "it is empty"
    } else if name.len() > IFNAME_MAX {
        "it is longer than 15 bytes"
    } else if name == "." || name == ".." {
        "it is a directory"
    } else if name
        .bytes()
        .any(|b| b == b'/' || b == b':' || b == 0 || b.is_ascii_whitespace() || b == 0x0b)
    {
        "it holds '/', ':', a blank or a zero byte"
    } else {
        return Ok(());
    };
    Err(Error::new(format!("use '{name}' as a device's name"), why, "choose another"))
}

fn netns_attribute(fd: BorrowedFd<'_>) -> LinkAttribute {
    LinkAttribute::NetNsFd(fd.as_raw_fd())
}
