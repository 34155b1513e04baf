//! What changes on the host while the switch runs.
//!
//! A netlink socket that is subscribed to devices, addresses and routes. It is non-blocking; its
//! descriptor waits in the control thread's poll. The kernel drops messages when they come faster
//! than they are read (ENOBUFS): then [`Event::Resync`] says so, and [`Monitor::resync`] tells the
//! difference to what was known, so that nothing is missed for long.

use super::netlink::{RECEIVE, first_message};
use super::{Error, Link, Mac, Netlink, Result};
use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{Socket, SocketAddr};
use nix::sys::socket::{setsockopt, sockopt};
use std::collections::HashMap;
use std::io;
use std::os::fd::{AsRawFd, RawFd};

/// Receive buffer, bytes: some thousand devices' messages (about 1.5 KB each).
const BUFFER: usize = 4 << 20;

/// What happened to a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkEventKind {
    /// It exists: it came, or something about it changed.
    New,
    /// It does not exist any more under this name: removed, renamed, or moved to another namespace.
    Gone,
}

/// A device, as it is now; for [`LinkEventKind::Gone`], as it was last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkEvent {
    /// Its number.
    pub ifindex: u32,
    /// Its name.
    pub name: String,
    /// What happened.
    pub kind: LinkEventKind,
    /// Frames can pass: switched on, and the carrier there.
    pub up: bool,
    /// Longest IP packet, bytes.
    pub mtu: u32,
    /// Ethernet address.
    pub mac: Option<Mac>,
}

/// Something changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A device. A rename comes as the old name's `Gone` and the new name's `New`.
    Link(LinkEvent),
    /// An address or a route: routes to tunnels' remotes and their MTU may be others now.
    /// At most one in an answer of [`Monitor::next_events`], at its end.
    Underlay,
    /// Messages were lost: call [`Monitor::resync`].
    Resync,
}

/// The subscription. See the module.
#[derive(Debug)]
pub struct Monitor {
    socket: Socket,
    buffer: Vec<u8>,
    known: HashMap<u32, Link>,
}

impl Monitor {
    /// Subscribes in the calling thread's namespace. Nothing is known yet: [`Self::resync`] gives
    /// every device once.
    pub fn open() -> Result<Self> {
        let open = || -> io::Result<Socket> {
            let mut socket = Socket::new(NETLINK_ROUTE)?;
            socket.bind(&SocketAddr::new(0, 0))?;
            socket.set_non_blocking(true)?;
            // Beyond the sysctl's limit only with CAP_NET_ADMIN; else as far as the limit goes.
            if setsockopt(&socket, sockopt::RcvBufForce, &BUFFER).is_err() {
                socket.set_rx_buf_sz(BUFFER as u32)?;
            }
            let groups = [
                libc::RTNLGRP_LINK,
                libc::RTNLGRP_IPV4_IFADDR,
                libc::RTNLGRP_IPV6_IFADDR,
                libc::RTNLGRP_IPV4_ROUTE,
                libc::RTNLGRP_IPV6_ROUTE,
            ];
            for group in groups {
                socket.add_membership(group)?;
            }
            Ok(socket)
        };
        let socket = open().map_err(|e| Error::io("watch the network devices", &e))?;
        Ok(Self { socket, buffer: Vec::with_capacity(RECEIVE), known: HashMap::new() })
    }

    /// What to wait on (readable).
    #[must_use]
    pub fn fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }

    /// Everything that waits, read until nothing does (fit for edge-triggered polling).
    pub fn next_events(&mut self) -> Result<Vec<Event>> {
        let mut events = Vec::new();
        let mut underlay = false;
        loop {
            self.buffer.clear();
            let length = match self.socket.recv(&mut self.buffer, 0) {
                Ok(length) => length,
                Err(e) => match e.raw_os_error() {
                    Some(libc::EAGAIN) => break,
                    Some(libc::EINTR) => continue,
                    Some(libc::ENOBUFS) => {
                        if !events.contains(&Event::Resync) {
                            events.push(Event::Resync);
                        }
                        continue;
                    }
                    _ => return Err(Error::io("read changes of the network devices", &e)),
                },
            };
            let bytes = std::mem::take(&mut self.buffer);
            let mut rest = &bytes[..length.min(bytes.len())];
            while let Some((message, after)) = first_message(rest) {
                rest = after;
                match message.message_type() {
                    libc::RTM_NEWLINK => {
                        if let Some(link) = Link::parse(message.payload()) {
                            self.came(link, &mut events);
                        }
                    }
                    libc::RTM_DELLINK => {
                        if let Some(link) = Link::parse(message.payload()) {
                            self.went(link.ifindex, &mut events);
                        }
                    }
                    libc::RTM_NEWADDR
                    | libc::RTM_DELADDR
                    | libc::RTM_NEWROUTE
                    | libc::RTM_DELROUTE => underlay = true,
                    _ => {}
                }
            }
            self.buffer = bytes;
        }
        if underlay {
            events.push(Event::Underlay);
        }
        Ok(events)
    }

    /// Compares what is known with what there is, and gives the difference. To be called at the
    /// start and after [`Event::Resync`].
    pub fn resync(&mut self, netlink: &mut Netlink) -> Result<Vec<Event>> {
        let links = netlink.links()?;
        let mut events = Vec::new();
        let gone: Vec<u32> = self
            .known
            .keys()
            .copied()
            .filter(|ifindex| links.iter().all(|l| l.ifindex != *ifindex))
            .collect();
        for ifindex in gone {
            self.went(ifindex, &mut events);
        }
        for link in links {
            self.came(link, &mut events);
        }
        events.push(Event::Underlay);
        Ok(events)
    }

    fn came(&mut self, link: Link, events: &mut Vec<Event>) {
        let before = self.known.insert(link.ifindex, link.clone());
        if let Some(before) = before {
            if event(&before, LinkEventKind::New) == event(&link, LinkEventKind::New) {
                return; // something that no port cares for: statistics, a qdisc
            }
            if before.name != link.name {
                events.push(Event::Link(event(&before, LinkEventKind::Gone)));
            }
        }
        events.push(Event::Link(event(&link, LinkEventKind::New)));
    }

    fn went(&mut self, ifindex: u32, events: &mut Vec<Event>) {
        if let Some(link) = self.known.remove(&ifindex) {
            events.push(Event::Link(event(&link, LinkEventKind::Gone)));
        }
    }
}

fn event(link: &Link, kind: LinkEventKind) -> LinkEvent {
    LinkEvent {
        ifindex: link.ifindex,
        name: link.name.clone(),
        kind,
        up: kind == LinkEventKind::New && link.carries(),
        mtu: link.mtu,
        mac: link.mac,
    }
}
