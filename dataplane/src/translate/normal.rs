//! NORMAL: forwarding as a learning bridge with VLANs does it (Open vSwitch: `xlate_normal`).

use super::{Lookup, Place, TooManyHops, Walk};
use crate::drop::DropReason;
use crate::flow::Field;
use crate::state::{Port, PortId, VlanConfig, VlanMode};
use smallvec::SmallVec;

/// TPID of tags that NORMAL adds (IEEE 802.1Q).
const TPID: u16 = 0x8100;
/// VID bits of a TCI.
const VID: u16 = 0x0fff;
/// First five bytes of the addresses that a bridge must not forward (IEEE 802.1D table 7-10).
const RESERVED: [u8; 5] = [0x01, 0x80, 0xc2, 0x00, 0x00];

/// The VLAN that a frame with this VID (0: untagged or priority-tagged) belongs to on a port.
fn vlan_of(config: &VlanConfig, vid: u16) -> Option<u16> {
    let vlan = match config.mode {
        // A tagged frame does not belong on an access port, not even with the right VID.
        VlanMode::Access if vid != 0 => return None,
        VlanMode::Access => config.tag,
        VlanMode::Trunk => vid,
        VlanMode::NativeTagged | VlanMode::NativeUntagged if vid == 0 => config.tag,
        VlanMode::NativeTagged | VlanMode::NativeUntagged => vid,
    };
    config.carries(vlan).then_some(vlan)
}

/// The VID that a frame of `vlan` leaves with; 0: untagged.
fn vid_on(config: &VlanConfig, vlan: u16) -> u16 {
    match config.mode {
        VlanMode::Access => 0,
        VlanMode::NativeUntagged if vlan == config.tag => 0,
        VlanMode::Trunk | VlanMode::NativeTagged | VlanMode::NativeUntagged => vlan,
    }
}

impl<'a, L: Lookup> Walk<'a, L> {
    pub(super) fn normal(&mut self, at: &Place<'a>) -> Result<(), TooManyHops> {
        self.wildcards.0.eth_dst = [u8::MAX; 6];
        self.wildcards.0.eth_src = [u8::MAX; 6];
        self.wildcards.0.vlan[0].tci.set(u16::MAX);
        let (src, dst) = (self.key.eth_src, self.key.eth_dst);
        if dst[..5] == RESERVED && dst[5] < 0x10 {
            self.note(DropReason::ReservedAddress);
            return Ok(());
        }
        let vid = self.key.vlan[0].tci.get() & VID;
        // What came in by no port may be of any VLAN, and nothing is learned of it (Open vSwitch:
        // `ofpp_none_bundle`).
        let vlan = at.ingress.map_or(Some(vid), |port| vlan_of(&port.vlan, vid));
        let Some(vlan) = vlan else {
            self.note(DropReason::VlanNotAllowed);
            return Ok(());
        };
        let fdb = &at.bridge.fdb;
        let ingress = at.ingress.map(|port| port.id);
        let learned = ingress.and_then(|port| fdb.learn(vlan, src, port, self.now_ms));
        if let Some((entry, dep)) = learned {
            self.learned.push(entry);
            self.fdb.push(dep);
        }
        if dst[0] & 1 == 0 {
            let (port, dep) = fdb.lookup(vlan, dst);
            self.fdb.push(dep);
            if port.is_some() && port == ingress {
                self.note(DropReason::SamePort);
                return Ok(());
            }
            let port = port.and_then(|id| self.dp.port(id));
            if let Some(port) = port.filter(|p| p.bridge == at.bridge.id && p.vlan.carries(vlan)) {
                return self.send_in_vlan(at, &[port], vlan);
            }
        }
        let dp = self.dp;
        let ports = at.bridge.ports.iter().filter_map(|(_, id)| dp.port(*id));
        let ports: SmallVec<[&Port; 16]> = ports
            .map(|port| &**port)
            .filter(|p| Some(p.id) != ingress && !p.flags.no_flood && p.vlan.carries(vlan))
            .collect();
        if ports.is_empty() {
            self.note(DropReason::NoFloodPort);
        }
        self.send_in_vlan(at, &ports, vlan)
    }

    /// Sends to ports that carry `vlan`, each with or without tag as it wants: first the frame as
    /// it is, then, on a copy, with its tag changed.
    fn send_in_vlan(
        &mut self,
        at: &Place<'a>,
        ports: &[&Port],
        vlan: u16,
    ) -> Result<(), TooManyHops> {
        let tagged = self.key.has_vlan();
        let vid = self.key.vlan[0].tci.get() & VID;
        // A priority tag (VID 0) is taken off, as in Open vSwitch by default.
        let as_is = |port: &Port| match vid_on(&port.vlan, vlan) {
            0 => !tagged,
            wanted => tagged && wanted == vid,
        };
        for port in ports.iter().filter(|p| as_is(p)) {
            self.send(at, port.id)?;
        }
        let others = ports.iter().filter(|p| !as_is(p));
        // A frame of one VLAN leaves tagged with it or untagged: the others all want the same.
        let (untagged, retagged): (SmallVec<[PortId; 16]>, SmallVec<[PortId; 16]>) = {
            let (u, t): (SmallVec<[&&Port; 16]>, SmallVec<[&&Port; 16]>) =
                others.partition(|p| vid_on(&p.vlan, vlan) == 0);
            (u.iter().map(|p| p.id).collect(), t.iter().map(|p| p.id).collect())
        };
        if !untagged.is_empty() {
            self.on_copy(|walk| {
                walk.pop_vlan();
                untagged.iter().try_for_each(|id| walk.send(at, *id))
            })?;
        }
        if !retagged.is_empty() {
            self.on_copy(|walk| {
                if tagged {
                    walk.set_field(Field::VlanVid, vlan.into(), VID.into());
                } else {
                    walk.push_tag(TPID, vlan);
                }
                retagged.iter().try_for_each(|id| walk.send(at, *id))
            })?;
        }
        Ok(())
    }
}
