//! Packets from controllers: translated one by one, and sent by the same turns as all others.

use super::{Origin, Turn};
use crate::action::apply::apply;
use crate::drop::DropReason;
use crate::flow::extract::extract_rare;
use crate::flow::{self, FlowKey};
use crate::state::{BridgeId, Datapath, OfPort, PortId};
use crate::translate::translate_actions;
use crate::upcall::PacketOut;
use crate::wire::ethernet;

/// The port of packets that came in by none.
const NO_PORT: PortId = PortId(u32::MAX);

impl Turn {
    /// Does a packet-out; what it sends is queued until [`Turn::finish`].
    pub(super) fn packet_out(
        &mut self,
        datapath: &Datapath,
        bridge: BridgeId,
        out: PacketOut,
        now: u64,
    ) {
        let PacketOut { in_port, actions, packet } = out;
        if packet.len() < ethernet::HEADER_LEN {
            self.out.counters.dropped(DropReason::RxTooShort, 1);
            return;
        }
        let mut key = FlowKey::default();
        let layout = extract_rare(packet.data(), &mut key);
        key.in_port.set(ingress(datapath, bridge, in_port).0);
        let bytes = packet.len() as u64;
        let index = self.packets.len() as u32;
        self.packets.push(packet);
        // No answer goes to a port where the packet never was.
        let origin = Origin { port: NO_PORT, vlan: key.vlan[0] };
        self.origins.push(origin);
        let decision = translate_actions(datapath, &key, bridge, in_port, &actions, now);
        let hash = flow::hash(&key);
        let done = apply(
            &decision.steps,
            index,
            layout,
            hash,
            &mut self.packets,
            &mut self.pool,
            &mut self.out,
        );
        decision.count(1, bytes, now);
        self.out.passed(&decision.patches, bytes);
        self.settle(origin, done, decision.drop);
        self.recirculate(datapath, origin, now);
    }
}

/// The port that a packet-out names, in the datapath.
fn ingress(datapath: &Datapath, bridge: BridgeId, in_port: OfPort) -> PortId {
    datapath.bridge(bridge).and_then(|b| b.port(in_port)).unwrap_or(NO_PORT)
}
