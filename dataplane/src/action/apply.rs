//! Executes the steps of a decision on a frame. Queues, controllers and clocks are the caller's: see
//! [`Sink`].
//!
//! A frame that has been queued on a port is never edited again: ports share it by its index until
//! the turn's end. An editing step behind an output goes on with a copy.

use super::list::Step;
use super::mpls::{pop_mpls, push_mpls};
use super::pbb::{pop_pbb, push_pbb};
use super::set_field::set_field;
use super::ttl::{copy_ttl, remark_dscp};
use crate::drop::DropReason;
use crate::flow::Layout;
use crate::offload;
use crate::packet::{Packet, Pool};
use crate::port::TxItem;
use crate::state::PortId;
use crate::table::meter::{Meter, Verdict};
use crate::translate::Frozen;
use crate::upcall::ToController;
use crate::wire::{at_mut, be16, ethernet};
use std::sync::Arc;

/// Where the steps hand things to.
pub trait Sink {
    /// A frame for a port; it stays as it is until the turn's end.
    fn output(&mut self, port: PortId, item: TxItem);

    /// A packet for the controllers; it may be edited once this returns.
    fn controller(&mut self, to: &Arc<ToController>, packet: &Packet);

    /// `packets[packet]` is to be taken apart again and goes on as `frozen` says. Nobody else needs it.
    fn recirculate(&mut self, packet: u32, frozen: &Arc<Frozen>);

    /// The time for meters, in nanoseconds of [`crate::state::clock_ns`].
    fn now_ns(&mut self) -> u64;
}

/// A closure takes what goes to ports, as benches and tests want it; the rest is lost, and meters
/// stand at the beginning of time.
impl<F: FnMut(PortId, TxItem)> Sink for F {
    fn output(&mut self, port: PortId, item: TxItem) {
        self(port, item);
    }

    fn controller(&mut self, _: &Arc<ToController>, _: &Packet) {}

    fn recirculate(&mut self, _: u32, _: &Arc<Frozen>) {}

    fn now_ns(&mut self) -> u64 {
        0
    }
}

/// Runs `steps` on `packets[packet]` and hands to `out` what comes of it. Copies are taken from
/// `pool` and pushed to `packets`. `layout` is the frame's, `hash` its flow's
/// ([`crate::flow::hash()`]).
///
/// On an error (a meter's drop is one) what was handed out so far stays valid, and the steps behind
/// it are not run; an error within [`Step::Sub`] ends only those, and is reported at the end.
///
/// # Panics
/// If `packet` is not an index into `packets`.
pub fn apply(
    steps: &[Step],
    packet: u32,
    layout: Layout,
    hash: u32,
    packets: &mut Vec<Packet>,
    pool: &mut Pool,
    out: &mut impl Sink,
) -> Result<(), DropReason> {
    Run { hash, packets, pool, out }.run(steps, packet as usize, layout, false)
}

struct Run<'a, O> {
    hash: u32,
    packets: &'a mut Vec<Packet>,
    pool: &'a mut Pool,
    out: &'a mut O,
}

impl<O: Sink> Run<'_, O> {
    /// `shared`: `packets[current]` is queued, or still needed as it is, and must not be edited.
    fn run(
        &mut self,
        all: &[Step],
        mut current: usize,
        mut layout: Layout,
        mut shared: bool,
    ) -> Result<(), DropReason> {
        let mut failed = Ok(());
        for (i, step) in all.iter().enumerate() {
            // Most steps are outputs; what edits the frame asks for one of its own first.
            match step {
                Step::Output { port, tunnel } => {
                    shared = true;
                    let tunnel = tunnel.clone();
                    self.out
                        .output(*port, TxItem { packet: current as u32, hash: self.hash, tunnel });
                    continue;
                }
                Step::Controller(to) => {
                    self.out.controller(to, &self.packets[current]);
                    continue;
                }
                Step::Sub(steps) => {
                    // Nobody needs the frame as it is behind the last step.
                    shared |= i + 1 < all.len();
                    failed = failed.and(self.run(steps, current, layout, shared));
                    continue;
                }
                Step::Meter(meter) => match self.meter(meter, current) {
                    Verdict::Pass => continue,
                    Verdict::Drop => return Err(DropReason::Meter),
                    Verdict::Remark(levels) => {
                        let p = self.own(&mut current, &mut shared);
                        remark_dscp(p, &mut layout, levels)?;
                        continue;
                    }
                },
                _ => {}
            }
            let p = self.own(&mut current, &mut shared);
            match step {
                Step::PushVlan { tpid, tci } => push_vlan(p, &mut layout, *tpid, *tci)?,
                Step::PopVlan => pop_vlan(p, &mut layout)?,
                Step::Set { field, value, mask } => {
                    set_field(p, &mut layout, *field, *value, *mask)?;
                }
                Step::PushMpls { ethertype, lse } => push_mpls(p, &mut layout, *ethertype, *lse)?,
                Step::PopMpls { ethertype } => pop_mpls(p, &mut layout, *ethertype)?,
                Step::PushPbb { itag } => push_pbb(p, &mut layout, *itag)?,
                Step::PopPbb => pop_pbb(p, &mut layout)?,
                Step::CopyTtl { out } => copy_ttl(p, &layout, *out)?,
                // What edits it on its next round must not be a frame that was queued.
                Step::Recirculate(frozen) => self.out.recirculate(current as u32, frozen),
                Step::Output { .. } | Step::Controller(_) | Step::Sub(_) | Step::Meter(_) => {}
            }
        }
        failed
    }

    /// Runs the packet by a meter, as the packets that it will be on the wire.
    fn meter(&mut self, meter: &Meter, current: usize) -> Verdict {
        let p = &self.packets[current];
        meter.run(segments(p), p.len() as u64, self.out.now_ns())
    }

    /// The packet to edit: a copy from here on if the current one is shared.
    fn own(&mut self, current: &mut usize, shared: &mut bool) -> &mut Packet {
        if std::mem::take(shared) {
            let copy = self.pool.clone_packet(&self.packets[*current]);
            *current = self.packets.len();
            self.packets.push(copy);
        }
        &mut self.packets[*current]
    }
}

/// Packets that a frame is on the wire.
fn segments(p: &Packet) -> u64 {
    let Some(gso) = p.offload.gso else { return 1 };
    // A frame whose headers are not what they should be is dropped where it is to be cut.
    let header = offload::header_len(p.data(), &gso).unwrap_or(0);
    let payload = p.len().saturating_sub(header);
    payload.div_ceil(usize::from(gso.size.max(1))).max(1) as u64
}

/// Pushes a tag behind the MAC addresses.
pub fn push_vlan(
    p: &mut Packet,
    layout: &mut Layout,
    tpid: u16,
    tci: u16,
) -> Result<(), DropReason> {
    if p.len() < ethernet::HEADER_LEN || !p.open_gap(ethernet::TYPE, ethernet::TAG_LEN) {
        return Err(DropReason::BadAction);
    }
    if let Some(tag) = at_mut::<{ ethernet::TAG_LEN }>(p.data_mut(), ethernet::TYPE) {
        tag[..2].copy_from_slice(&tpid.to_be_bytes());
        tag[2..].copy_from_slice(&tci.to_be_bytes());
    }
    layout.vlan_len += ethernet::TAG_LEN as u16;
    for at in [&mut layout.l3, &mut layout.l4] {
        if *at != 0 {
            *at += ethernet::TAG_LEN as u16;
        }
    }
    Ok(())
}

/// Removes the outermost tag.
pub fn pop_vlan(p: &mut Packet, layout: &mut Layout) -> Result<(), DropReason> {
    let tagged = be16(p.data(), ethernet::TYPE).is_some_and(ethernet::is_vlan);
    // The EtherType behind the tag must be there as well.
    if !tagged
        || p.len() < ethernet::HEADER_LEN + ethernet::TAG_LEN
        || !p.close_gap(ethernet::TYPE, ethernet::TAG_LEN)
    {
        return Err(DropReason::BadAction);
    }
    layout.vlan_len = layout.vlan_len.saturating_sub(ethernet::TAG_LEN as u16);
    for at in [&mut layout.l3, &mut layout.l4] {
        *at = at.saturating_sub(ethernet::TAG_LEN as u16);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::{Field, FlowKey, extract};
    use crate::packet::{Gso, GsoKind};
    use crate::state::{BridgeId, OfPort};
    use crate::table::meter::{Band, BandKind, FLAG_BURST, FLAG_PKTPS};
    use crate::upcall::Reason;
    use etherparse::PacketBuilder;

    /// What was handed out, in order; frames by their destination's last byte.
    #[derive(Default)]
    struct Seen {
        ports: Vec<(PortId, u32)>,
        controllers: Vec<u8>,
        asked: u64,
    }

    impl Sink for Seen {
        fn output(&mut self, port: PortId, item: TxItem) {
            self.ports.push((port, item.packet));
        }

        fn controller(&mut self, _: &Arc<ToController>, packet: &Packet) {
            self.controllers.push(packet.data()[5]);
        }

        fn recirculate(&mut self, _: u32, _: &Arc<Frozen>) {}

        fn now_ns(&mut self) -> u64 {
            self.asked += 1;
            1_000_000_000
        }
    }

    fn run(steps: &[Step], packet: Packet) -> (Seen, Vec<Packet>, Result<(), DropReason>) {
        let layout = extract(packet.data(), &mut FlowKey::default());
        let (mut seen, mut packets) = (Seen::default(), vec![packet]);
        let done = apply(steps, 0, layout, 0, &mut packets, &mut Pool::default(), &mut seen);
        (seen, packets, done)
    }

    fn udp(payload: usize) -> Packet {
        let mut bytes = Vec::new();
        PacketBuilder::ethernet2([2; 6], [2, 0, 0, 0, 0, 1])
            .ipv4([1; 4], [2; 4], 9)
            .udp(1, 2)
            .write(&mut bytes, &vec![0; payload])
            .unwrap();
        // AF11.
        bytes[15] = 10 << 2;
        Packet::copied(&bytes)
    }

    fn output(n: u32) -> Step {
        Step::Output { port: PortId(n), tunnel: None }
    }

    fn address(n: u8) -> Step {
        Step::Set { field: Field::EthDst, value: n.into(), mask: 0xff }
    }

    fn controller() -> Step {
        Step::Controller(Arc::new(ToController {
            bridge: BridgeId(0),
            reason: Reason::Action,
            table: 0,
            cookie: 0,
            max_len: 0,
            controller: 0,
            in_port: OfPort(1),
            key: FlowKey::default(),
        }))
    }

    /// Lets `packets` pass, then does `kind`.
    fn meter(packets: u32, kind: BandKind) -> Step {
        let bands = vec![Band { kind, rate: 1000, burst: packets }];
        Step::Meter(Arc::new(Meter::new(1, FLAG_PKTPS | FLAG_BURST, bands)))
    }

    #[test]
    fn controllers_get_the_frame_as_it_is_and_no_copy_is_made() {
        let edited = [address(7), controller(), address(8), output(1), address(9), controller()];
        let (seen, packets, done) = run(&[&[controller()], &edited[..]].concat(), udp(10));
        assert_eq!((seen.controllers, done), (vec![1, 7, 9], Ok(())));
        // One copy: the frame that was queued is not edited.
        assert_eq!((seen.ports, packets.len()), (vec![(PortId(1), 0)], 2));
        assert_eq!(packets[0].data()[5], 8);
    }

    #[test]
    fn nothing_runs_behind_a_meters_drop() {
        let drop = meter(1, BandKind::Drop);
        let steps = [output(1), drop, output(2), controller()];
        let (seen, ..) = run(&steps, udp(10));
        assert_eq!((seen.ports.len(), seen.controllers.len(), seen.asked), (2, 1, 1));
        let (seen, _, done) = run(&steps, udp(10));
        assert_eq!((seen.ports, seen.controllers.len()), (vec![(PortId(1), 0)], 0));
        assert_eq!(done, Err(DropReason::Meter));
        // In a bridge behind a patch port it ends only what is done there.
        let sub = Step::Sub(steps[1..].into());
        let (seen, _, done) = run(&[sub, output(3)], udp(10));
        assert_eq!((seen.ports, done), (vec![(PortId(3), 0)], Err(DropReason::Meter)));
    }

    #[test]
    fn a_long_frame_counts_its_segments() {
        let mut long = udp(1000);
        long.offload.gso = Some(Gso { kind: GsoKind::UdpL4, size: 100, ecn: false });
        let drop = meter(11, BandKind::Drop);
        let run = |p| run(std::slice::from_ref(&drop), p).2;
        assert_eq!((run(long), run(udp(1)), run(udp(1))), (Ok(()), Ok(()), Err(DropReason::Meter)));
        let Step::Meter(m) = &drop else { unreachable!() };
        assert_eq!((m.counts().packets(), m.counts().bytes()), (12, 1042 + 2 * 43));
    }

    #[test]
    fn a_remark_edits_a_copy_of_what_is_queued() {
        let steps = [output(1), meter(1, BandKind::DscpRemark(1)), output(2)];
        let dscp = |p: &Packet| p.data()[15] >> 2;
        let (seen, packets, _) = run(&steps, udp(10));
        assert_eq!((seen.ports, packets.len()), (vec![(PortId(1), 0), (PortId(2), 0)], 1));
        let (seen, packets, done) = run(&steps, udp(10));
        assert_eq!((seen.ports, done), (vec![(PortId(1), 0), (PortId(2), 1)], Ok(())));
        assert_eq!((dscp(&packets[0]), dscp(&packets[1])), (10, 12));
    }
}
