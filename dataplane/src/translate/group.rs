//! Groups (OpenFlow 1.3 section 5.6): which buckets, each on a copy of the packet.
//!
//! A select group's choice is part of the decision, so what is hashed for it is un-wildcarded. The
//! hash is seeded, the same in all workers while the process runs.

use super::action_set::order;
use super::{Flow, Lookup, MAX_DEPTH, Place, Source, TooManyHops, Walk};
use crate::drop::DropReason;
use crate::flow::hash::{hash_key, random_seed};
use crate::flow::prereq::{ETH_ARP, ETH_IPV4, ETH_IPV6, ETH_MPLS, Prerequisite};
use crate::flow::{Field, FlowKey};
use crate::state::{Bridge, OfPort};
use crate::table::group::{Bucket, GROUP_ANY, Group, GroupKind};
use std::sync::{Arc, LazyLock};

static SEED: LazyLock<u64> = LazyLock::new(random_seed);

impl<'a, L: Lookup> Walk<'a, L> {
    pub(super) fn group(
        &mut self,
        at: &Place<'a>,
        id: u32,
        source: Source,
    ) -> Result<(), TooManyHops> {
        if self.depth == MAX_DEPTH {
            return Err(TooManyHops);
        }
        let Some(group) = at.bridge.pipeline.groups().get(id) else {
            self.note(DropReason::NoGroup);
            return Ok(());
        };
        self.depth += 1;
        self.counts.push(Arc::clone(&group.counts));
        let chosen = match group.kind {
            GroupKind::All => {
                for bucket in &group.buckets {
                    self.bucket(at, bucket, source)?;
                }
                self.depth -= 1;
                return Ok(());
            }
            GroupKind::Indirect => group.buckets.first(),
            GroupKind::Select => self.select(at, group),
            GroupKind::FastFailover => {
                group.buckets.iter().find(|b| self.live(at.bridge, b, &mut Vec::new()))
            }
        };
        match chosen {
            Some(bucket) => self.bucket(at, bucket, source)?,
            None => self.note(DropReason::NoLiveBucket),
        }
        self.depth -= 1;
        Ok(())
    }

    fn bucket(
        &mut self,
        at: &Place<'a>,
        bucket: &Bucket,
        source: Source,
    ) -> Result<(), TooManyHops> {
        self.count_lookup()?;
        self.counts.push(Arc::clone(&bucket.counts));
        // The bucket's action set is one of its own.
        let outer = std::mem::take(&mut self.action_set);
        self.on_copy(|walk| {
            let source = Source { miss: false, ..source };
            if walk.run_list(at, &order(&bucket.actions), source)? == Flow::Freeze {
                walk.freeze(at, Vec::new());
            }
            Ok(())
        })?;
        self.action_set = outer;
        Ok(())
    }

    /// A live bucket in proportion to the weights, the same for all packets of a flow. Each bucket's
    /// claim is independent of the others (weighted rendezvous hashing): when one goes, only its
    /// flows move.
    fn select<'g>(&mut self, at: &Place<'a>, group: &'g Group) -> Option<&'g Bucket> {
        let hash = self.flow_hash();
        let mut best: Option<(f64, &Bucket)> = None;
        for (i, bucket) in group.buckets.iter().enumerate() {
            if bucket.weight == 0 || !self.live(at.bridge, bucket, &mut Vec::new()) {
                continue;
            }
            let place = u64::from(group.id) << 32 | i as u64;
            let draw = hash_key(hash, &[place]) >> 11;
            // In (0, 1): the logarithm of a uniform number, over the weight, is least with a
            // probability in proportion to the weight.
            let uniform = (draw as f64 + 0.5) / (1u64 << 53) as f64;
            let claim = f64::from(bucket.weight) / -uniform.ln();
            if best.is_none_or(|(other, _)| claim > other) {
                best = Some((claim, bucket));
            }
        }
        best.map(|(_, bucket)| bucket)
    }

    /// Hash over what tells flows apart: Ethernet addresses and type, VLAN, label; IP addresses,
    /// protocol and ports, or ARP's operation and addresses. All fragments of a datagram go one way,
    /// so they go without their ports, which only the first has.
    fn flow_hash(&mut self) -> u64 {
        let mut key = FlowKey::default();
        let mut take = |walk: &mut Self, fields: &[Field]| {
            for field in fields {
                field.write(&mut walk.wildcards.0, u128::MAX);
                field.write(&mut key, field.read(&walk.key));
            }
        };
        take(self, &[Field::EthSrc, Field::EthDst, Field::EthType, Field::VlanVid]);
        match self.key.eth_type.get() {
            ETH_IPV4 => take(self, &[Field::Ipv4Src, Field::Ipv4Dst, Field::IpProto]),
            ETH_IPV6 => take(self, &[Field::Ipv6Src, Field::Ipv6Dst, Field::IpProto]),
            ETH_ARP => take(
                self,
                &[Field::ArpOp, Field::ArpSpa, Field::ArpTpa, Field::ArpSha, Field::ArpTha],
            ),
            t if ETH_MPLS.contains(&t) => take(self, &[Field::MplsLabel]),
            _ => {}
        }
        if Prerequisite::Ports.met(&self.key, &mut self.wildcards) && self.key.ip_frag == 0 {
            take(self, &[Field::TpSrc, Field::TpDst]);
        }
        hash_key(*SEED, key.packet_words())
    }

    /// Whether a bucket is live (OpenFlow 1.3 section 6.5): nothing is watched, or one of what is
    /// watched is live.
    fn live(&self, bridge: &Bridge, bucket: &Bucket, asked: &mut Vec<u32>) -> bool {
        let (port, group) = (bucket.watch_port, bucket.watch_group);
        (port == OfPort::ANY && group == GROUP_ANY)
            || (port != OfPort::ANY && self.port_live(bridge, port))
            || (group != GROUP_ANY && self.group_live(bridge, group, asked))
    }

    fn port_live(&self, bridge: &Bridge, port: OfPort) -> bool {
        let port = bridge.port(port).and_then(|id| self.dp.port(id));
        port.is_some_and(|p| p.flags.link_up && !p.flags.down)
    }

    /// One that was `asked` before is known not to be live, or watches itself and nothing else.
    fn group_live(&self, bridge: &Bridge, id: u32, asked: &mut Vec<u32>) -> bool {
        if asked.contains(&id) {
            return false;
        }
        asked.push(id);
        let group = bridge.pipeline.groups().get(id);
        group.is_some_and(|g| g.buckets.iter().any(|b| self.live(bridge, b, asked)))
    }
}
