//! Keeps the host's own network stack off a device while the switch has it.
//!
//! A device attached by AF_PACKET still feeds the host's stack: it would answer ARP for the host's
//! addresses on a container's veth, and forward what it can route. So a filter that drops all is
//! put at the device's ingress (clsact and a direct-action BPF classifier); AF_PACKET sees a frame
//! before that hook does.
//!
//! The filter has a name by which a later run finds and removes it after a crash. The name also
//! says whether the clsact qdisc was made by the guard, and so whether it may be removed with it.

use crate::sys::bpf;
use crate::sys::packet::ifindex;
use socket2::{Domain, Protocol, Socket, Type};
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::time::Duration;

/// Name of the filter where the qdisc was there before (`TCA_BPF_NAME`).
const NAME: &str = "vxswitch-guard";
/// Name of the filter where the guard made the qdisc too.
const NAME_QDISC: &str = "vxswitch-guard-clsact";
/// Handle of the filter among those of its priority.
const HANDLE: u32 = 0x7678;
/// Priority: the first, so that no other filter lets a frame through before it.
const PRIORITY: u32 = 1;

// linux/rtnetlink.h, linux/pkt_sched.h, linux/pkt_cls.h
const RTM_NEWQDISC: u16 = 36;
const RTM_DELQDISC: u16 = 37;
const RTM_NEWTFILTER: u16 = 44;
const RTM_DELTFILTER: u16 = 45;
const RTM_GETTFILTER: u16 = 46;
const TC_H_CLSACT: u32 = 0xffff_fff1;
const CLSACT_HANDLE: u32 = 0xffff_0000;
const INGRESS: u32 = 0xffff_fff2;
const EGRESS: u32 = 0xffff_fff3;
const TCA_KIND: u16 = 1;
const TCA_OPTIONS: u16 = 2;
const TCA_BPF_FD: u16 = 6;
const TCA_BPF_NAME: u16 = 7;
const TCA_BPF_FLAGS: u16 = 8;
const TCA_BPF_FLAG_ACT_DIRECT: u32 = 1;
/// `NLA_TYPE_MASK` (linux/netlink.h).
const TYPE_MASK: u16 = 0x3fff;
// linux/netlink.h
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const REQUEST_ACK: u16 = 0x1 | 0x4;
const CREATE_EXCL: u16 = 0x400 | 0x200;
const DUMP: u16 = 0x300;
/// Length of a struct nlmsghdr, and of the struct tcmsg behind it.
const NLMSGHDR: usize = 16;
const TCMSG: usize = 20;

/// The host's stack gets nothing from the device while this lives.
#[derive(Debug)]
pub struct Guard {
    tc: Tc,
    made_qdisc: bool,
}

impl Guard {
    /// Takes the device away from the host's stack. A guard left over from a crash is taken over.
    pub fn take(ifindex: u32) -> io::Result<Self> {
        let mut tc = Tc::open(ifindex)?;
        tc.release_leftovers()?;
        let prog = bpf::load_drop_all()?;
        let made_qdisc = match tc.add_clsact() {
            Ok(()) => true,
            Err(e) if e.raw_os_error() == Some(libc::EEXIST) => false,
            Err(e) => return Err(e),
        };
        // From here on, dropping it undoes what was done.
        let mut guard = Self { tc, made_qdisc };
        let name = if made_qdisc { NAME_QDISC } else { NAME };
        guard.tc.add_filter(prog.as_raw_fd(), name)?;
        Ok(guard)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // A device that has gone took the filter with it: nothing to report here.
        let _ = self.tc.release(self.made_qdisc);
    }
}

/// Removes the guard that a crashed run left on a device, if there is one. A device that does not
/// exist has none.
pub fn release_leftovers(ifname: &str) -> io::Result<()> {
    match ifindex(ifname) {
        Ok(index) => Tc::open(index)?.release_leftovers(),
        Err(e) if e.raw_os_error() == Some(libc::ENODEV) => Ok(()),
        Err(e) => Err(e),
    }
}

/// Traffic control of one device, over rtnetlink. Keeps the network namespace that it was opened in.
#[derive(Debug)]
struct Tc {
    socket: Socket,
    ifindex: u32,
}

impl Tc {
    fn open(ifindex: u32) -> io::Result<Self> {
        let protocol = Protocol::from(libc::NETLINK_ROUTE);
        let socket = Socket::new(Domain::from(libc::AF_NETLINK), Type::RAW, Some(protocol))?;
        // The kernel answers at once; this only keeps a lost answer from blocking for ever.
        socket.set_read_timeout(Some(Duration::from_secs(5)))?;
        Ok(Self { socket, ifindex })
    }

    fn add_clsact(&mut self) -> io::Result<()> {
        let mut m = self.message(RTM_NEWQDISC, CREATE_EXCL, TC_H_CLSACT, CLSACT_HANDLE, 0);
        attr(&mut m, TCA_KIND, b"clsact\0");
        self.request(m)
    }

    fn del_clsact(&mut self) -> io::Result<()> {
        let m = self.message(RTM_DELQDISC, 0, TC_H_CLSACT, CLSACT_HANDLE, 0);
        self.request(m)
    }

    fn add_filter(&mut self, prog: i32, name: &str) -> io::Result<()> {
        let mut options = Vec::new();
        attr(&mut options, TCA_BPF_FD, &prog.to_ne_bytes());
        attr(&mut options, TCA_BPF_NAME, &[name.as_bytes(), b"\0"].concat());
        attr(&mut options, TCA_BPF_FLAGS, &TCA_BPF_FLAG_ACT_DIRECT.to_ne_bytes());
        let mut m = self.message(RTM_NEWTFILTER, CREATE_EXCL, INGRESS, HANDLE, filter_info());
        attr(&mut m, TCA_KIND, b"bpf\0");
        attr(&mut m, TCA_OPTIONS, &options);
        self.request(m)
    }

    fn del_filter(&mut self) -> io::Result<()> {
        let mut m = self.message(RTM_DELTFILTER, 0, INGRESS, HANDLE, filter_info());
        attr(&mut m, TCA_KIND, b"bpf\0");
        self.request(m)
    }

    /// Removes our filter, and the qdisc if we made it and nobody uses it.
    fn release(&mut self, made_qdisc: bool) -> io::Result<()> {
        let filter = match self.del_filter() {
            Err(e) if !matches!(e.raw_os_error(), Some(libc::ENOENT | libc::EINVAL)) => Err(e),
            _ => Ok(()),
        };
        if made_qdisc && self.filters(INGRESS)?.is_empty() && self.filters(EGRESS)?.is_empty() {
            self.del_clsact()?;
        }
        filter
    }

    fn release_leftovers(&mut self) -> io::Result<()> {
        let filters = self.filters(INGRESS)?;
        if filters.iter().any(|name| name == NAME_QDISC) {
            self.release(true)
        } else if filters.iter().any(|name| name == NAME) {
            self.release(false)
        } else {
            Ok(())
        }
    }

    /// Names of the filters at one of the clsact qdisc's hooks; empty for those that are not BPF.
    fn filters(&mut self, parent: u32) -> io::Result<Vec<String>> {
        let m = self.message(RTM_GETTFILTER, DUMP, parent, 0, 0);
        let mut names = Vec::new();
        let dump = self.exchange(m, |kind, payload| {
            if kind != RTM_NEWTFILTER || payload.len() < TCMSG {
                return;
            }
            // A filter's priority is announced on its own too, with handle 0 and no options.
            if payload[8..12] == [0; 4] {
                return;
            }
            let options = attrs(&payload[TCMSG..]).find(|(t, _)| *t == TCA_OPTIONS);
            let name = options
                .and_then(|(_, o)| attrs(o).find(|(t, _)| *t == TCA_BPF_NAME))
                .map(|(_, n)| String::from_utf8_lossy(n).trim_end_matches('\0').to_owned());
            names.push(name.unwrap_or_default());
        });
        match dump {
            // No qdisc, so no filters.
            Err(e) if matches!(e.raw_os_error(), Some(libc::EINVAL | libc::ENOENT)) => {
                Ok(Vec::new())
            }
            Err(e) => Err(e),
            Ok(()) => Ok(names),
        }
    }

    /// A request up to the end of its struct tcmsg; [`Self::exchange`] fills in the length.
    fn message(&self, kind: u16, flags: u16, parent: u32, handle: u32, info: u32) -> Vec<u8> {
        let flags = if flags & DUMP == DUMP { 0x1 | DUMP } else { REQUEST_ACK | flags };
        let mut m = vec![0; 4];
        m.extend(kind.to_ne_bytes());
        m.extend(flags.to_ne_bytes());
        m.extend([0; 8 + 4]); // sequence number, port; address family
        m.extend(self.ifindex.to_ne_bytes());
        m.extend(handle.to_ne_bytes());
        m.extend(parent.to_ne_bytes());
        m.extend(info.to_ne_bytes());
        m
    }

    fn request(&mut self, message: Vec<u8>) -> io::Result<()> {
        self.exchange(message, |_, _| {})
    }

    /// Sends a request and hands each message of the answer to `each`, up to its end.
    fn exchange(
        &mut self,
        mut message: Vec<u8>,
        mut each: impl FnMut(u16, &[u8]),
    ) -> io::Result<()> {
        let len = message.len() as u32;
        message[..4].copy_from_slice(&len.to_ne_bytes());
        (&self.socket).write_all(&message)?;
        let mut buf = vec![0; 64 * 1024];
        loop {
            let n = (&self.socket).read(&mut buf)?;
            let mut rest = &buf[..n];
            while rest.len() >= NLMSGHDR {
                let len = u32::from_ne_bytes([rest[0], rest[1], rest[2], rest[3]]) as usize;
                let kind = u16::from_ne_bytes([rest[4], rest[5]]);
                if len < NLMSGHDR || len > rest.len() {
                    return Err(io::ErrorKind::InvalidData.into());
                }
                let payload = &rest[NLMSGHDR..len];
                match kind {
                    // Both carry an error number, 0 or negative.
                    NLMSG_ERROR | NLMSG_DONE => {
                        let code = payload.first_chunk().map_or(0, |c| i32::from_ne_bytes(*c));
                        return match code {
                            0 => Ok(()),
                            e => Err(io::Error::from_raw_os_error(-e)),
                        };
                    }
                    _ => each(kind, payload),
                }
                rest = &rest[len.next_multiple_of(4).min(rest.len())..];
            }
        }
    }
}

/// `tcm_info` of our filter: priority, and all protocols.
fn filter_info() -> u32 {
    PRIORITY << 16 | u32::from(crate::sys::packet::ETH_P_ALL.to_be())
}

/// Appends a netlink attribute.
fn attr(message: &mut Vec<u8>, kind: u16, value: &[u8]) {
    message.extend((4 + value.len() as u16).to_ne_bytes());
    message.extend(kind.to_ne_bytes());
    message.extend(value);
    message.resize(message.len().next_multiple_of(4), 0);
}

/// The attributes in `bytes`; stops at a broken one.
fn attrs(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let head = bytes.first_chunk::<4>()?;
        let len = usize::from(u16::from_ne_bytes([head[0], head[1]]));
        let kind = u16::from_ne_bytes([head[2], head[3]]) & TYPE_MASK;
        let value = bytes.get(4..len)?;
        bytes = &bytes[len.next_multiple_of(4).min(bytes.len())..];
        Some((kind, value))
    })
}
