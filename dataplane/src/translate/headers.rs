//! Headers that are pushed and popped (OpenFlow 1.3 section 5.12, "Field values on push" in 5.12.1).
//!
//! Popping leaves the walk stale: the key does not hold what was behind the header.

use super::set::MPLS_TTL;
use super::{Lookup, Walk};
use crate::action::Step;
use crate::action::mpls::entry_on_push;
use crate::action::pbb::itag_on_push;
use crate::flow::key::MPLS_DEPTH;
use crate::flow::prereq::{ETH_MPLS, ETH_PBB, Prerequisite};
use crate::flow::{FlowKey, Vlan};
use crate::wire::{mpls, pbb};
use zerocopy::network_endian::U32;

impl<L: Lookup> Walk<'_, L> {
    pub(super) fn push_mpls(&mut self, ethertype: u16) {
        if !Prerequisite::Mpls.met(&self.key, &mut self.wildcards)
            && Prerequisite::Ip.met(&self.key, &mut self.wildcards)
        {
            self.wildcards.0.ip_ttl = u8::MAX;
        }
        self.unwildcard_mpls();
        let lse = entry_on_push(&self.key);
        clear_network(&mut self.key);
        self.key.pbb.set(0);
        self.key.eth_type.set(ethertype);
        self.key.mpls = [lse.into(), self.key.mpls[0], self.key.mpls[1]];
        self.steps.push(Step::PushMpls { ethertype, lse });
    }

    pub(super) fn pop_mpls(&mut self, ethertype: u16) {
        if !Prerequisite::Mpls.met(&self.key, &mut self.wildcards) {
            return;
        }
        self.steps.push(Step::PopMpls { ethertype });
        self.unwildcard_mpls();
        let [popped, next, last] = self.key.mpls;
        let is_bottom = |entry: U32| entry.get() & mpls::BOTTOM != 0;
        // With the bottom in sight, what is left of the stack is known.
        self.stale = !ETH_MPLS.contains(&ethertype)
            || is_bottom(popped)
            || !(is_bottom(next) || is_bottom(last));
        self.key.eth_type.set(ethertype);
        self.key.mpls = [next, last, 0.into()];
    }

    pub(super) fn push_pbb(&mut self) {
        if Prerequisite::Pbb.met(&self.key, &mut self.wildcards) {
            self.wildcards.0.pbb.set(u32::MAX);
        }
        self.unwildcard_vlans();
        let itag = itag_on_push(&self.key);
        clear_network(&mut self.key);
        self.key.vlan = [Vlan::default(); 2];
        self.key.mpls = [0.into(); MPLS_DEPTH];
        self.key.eth_type.set(ETH_PBB);
        self.key.pbb.set(itag & pbb::ISID);
        self.steps.push(Step::PushPbb { itag });
    }

    pub(super) fn pop_pbb(&mut self) {
        if Prerequisite::Pbb.met(&self.key, &mut self.wildcards) {
            self.steps.push(Step::PopPbb);
            self.stale = true;
        }
    }

    /// Between a label stack entry and what is below it; what has one TTL only stays as it is.
    pub(super) fn copy_ttl(&mut self, out: bool) {
        if !Prerequisite::Mpls.met(&self.key, &mut self.wildcards) {
            return;
        }
        self.steps.push(Step::CopyTtl { out });
        self.unwildcard_mpls();
        let [outer, inner, _] = self.key.mpls;
        let bottom = outer.get() & mpls::BOTTOM != 0;
        let with_ttl_of = |entry: U32, of: U32| entry.get() & !MPLS_TTL | of.get() & MPLS_TTL;
        match (out, bottom) {
            (true, false) => self.key.mpls[0].set(with_ttl_of(outer, inner)),
            (false, false) => self.key.mpls[1].set(with_ttl_of(inner, outer)),
            // From an IP header that nobody looked at.
            (true, true) => self.stale = true,
            // Nobody looks at the IP header before it is taken apart anew.
            (false, true) => {}
        }
    }

    /// Entries move when others are pushed, so their bits are added all at once.
    fn unwildcard_mpls(&mut self) {
        for entry in &mut self.wildcards.0.mpls {
            entry.set(u32::MAX);
        }
    }
}

/// Nobody looks behind a label or a service tag.
fn clear_network(key: &mut FlowKey) {
    let FlowKey {
        ipv6_label,
        ip_proto,
        ip_tos,
        ip_ttl,
        ip_frag,
        tp_src,
        tp_dst,
        ipv4_src,
        ipv4_dst,
        ipv6_src,
        ipv6_dst,
        nd_target,
        arp_sha,
        arp_tha,
        tcp_flags,
        ipv6_exthdr,
        ..
    } = FlowKey::default();
    (key.ipv6_label, key.ipv6_exthdr) = (ipv6_label, ipv6_exthdr);
    (key.ip_proto, key.ip_tos, key.ip_ttl, key.ip_frag) = (ip_proto, ip_tos, ip_ttl, ip_frag);
    (key.tp_src, key.tp_dst, key.tcp_flags) = (tp_src, tp_dst, tcp_flags);
    (key.ipv4_src, key.ipv4_dst) = (ipv4_src, ipv4_dst);
    (key.ipv6_src, key.ipv6_dst, key.nd_target) = (ipv6_src, ipv6_dst, nd_target);
    (key.arp_sha, key.arp_tha) = (arp_sha, arp_tha);
}
