//! The actions of rules, and the steps that translation makes of them.

use crate::flow::Field;
use crate::state::{OfPort, PortId};
use crate::table::meter::Meter;
use crate::translate::Frozen;
use crate::upcall::{Reason, ToController};
use std::net::IpAddr;
use std::sync::Arc;

/// An action of a rule (OpenFlow 1.3 section 5.12).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Send to a port; `max_len` only matters for CONTROLLER.
    Output(Output),
    /// Push an empty tag: 0x8100 or 0x88a8; VID and PCP are copied from the tag below, if any.
    PushVlan(u16),
    /// Remove the outermost tag.
    PopVlan,
    /// Set the bits of a field that `mask` selects.
    SetField {
        /// The field.
        field: Field,
        /// The bits' values.
        value: u128,
        /// The bits to set.
        mask: u128,
    },
    /// Decrement TTL or hop limit; a packet whose TTL runs out ends here, and the controllers get it.
    DecTtl,
    /// Process by a group.
    Group(u32),
    /// Send by this queue of the output port.
    SetQueue(u32),
    /// Push a label stack entry (0x8847 or 0x8848); label, TC and TTL are copied from what is below.
    PushMpls(u16),
    /// Remove the outermost label stack entry; the EtherType of what is below.
    PopMpls(u16),
    /// Push a PBB header (0x88e7): backbone addresses and service tag.
    PushPbb(u16),
    /// Remove the outermost PBB header.
    PopPbb,
    /// Decrement the outermost MPLS TTL; a packet whose TTL runs out ends here likewise.
    DecMplsTtl,
    /// Copy the TTL from the next-to-outermost header with TTL to the outermost.
    CopyTtlOut,
    /// Copy the TTL from the outermost header with TTL to the next-to-outermost.
    CopyTtlIn,
    /// Set bits of a field, from `bit` on, to `value` (Open vSwitch's `load`; the same as
    /// [`Self::SetField`] but in how it is written).
    Load {
        /// The field.
        field: Field,
        /// Lowest bit.
        bit: u16,
        /// Number of bits.
        bits: u16,
        /// Their value.
        value: u64,
    },
    /// Copy bits from one field to another (Open vSwitch's `move`).
    Move {
        /// From.
        src: Field,
        /// Lowest bit of it.
        src_bit: u16,
        /// To.
        dst: Field,
        /// Lowest bit of it.
        dst_bit: u16,
        /// Number of bits.
        bits: u16,
    },
    /// Search a table, as if the packet had come in by `port`, and do what is found; then go on
    /// (Open vSwitch's `resubmit`).
    Resubmit {
        /// `None`: the port it came in by.
        port: Option<OfPort>,
        /// `None`: the table that the action is in.
        table: Option<u8>,
    },
    /// To the controllers, with a reason (Open vSwitch's `controller(...)`).
    Controller {
        /// Bytes of the packet (`OFPCML_*`).
        max_len: u16,
        /// Only to the controller connection with this id; 0 by default.
        id: u16,
        /// Why.
        reason: Reason,
    },
    /// Does nothing (Open vSwitch's `note`).
    Note(Box<[u8]>),
}

/// An output action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Output {
    /// Where to.
    pub port: OfPort,
    /// Bytes for a controller (`OFPCML_*`).
    pub max_len: u16,
}

impl Action {
    /// Output to a port.
    #[must_use]
    pub fn output(port: OfPort) -> Self {
        Self::Output(Output { port, max_len: 0 })
    }
}

/// What a rule does (OpenFlow 1.3 section 5.9), in the order in which it is done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Instructions {
    /// Apply-Actions: at once, in order.
    pub apply: Vec<Action>,
    /// Clear-Actions: empty the action set.
    pub clear: bool,
    /// Write-Actions: merge into the action set.
    pub write: Vec<Action>,
    /// Write-Metadata: value and mask.
    pub metadata: Option<(u64, u64)>,
    /// Meter: done first of all.
    pub meter: Option<u32>,
    /// Goto-Table.
    pub goto_table: Option<u8>,
}

/// Where an encapsulated frame goes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TunnelDest {
    /// Remote VTEP.
    pub remote: IpAddr,
    /// Source address, unless the kernel's route shall choose.
    pub local: Option<IpAddr>,
    /// Destination UDP port.
    pub dst_port: u16,
    /// VNI, 24 bits.
    pub vni: u32,
    /// Outer TOS, ECN included.
    pub tos: u8,
    /// Outer TTL.
    pub ttl: u8,
    /// Outer DF.
    pub df: bool,
    /// Fill in the outer UDP checksum.
    pub csum: bool,
    /// Longest inner frame in bytes (Ethernet header included, no tag counted extra) that fits.
    pub max_frame: u16,
}

/// One step of a finished decision: all lookups are done, ports are the datapath's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Send the frame as it is now.
    Output {
        /// Where to.
        port: PortId,
        /// For a VXLAN port: the way through the underlay.
        tunnel: Option<Arc<TunnelDest>>,
    },
    /// Push a tag.
    PushVlan {
        /// TPID.
        tpid: u16,
        /// PCP and VID as on the wire (no present bit).
        tci: u16,
    },
    /// Remove the outermost tag.
    PopVlan,
    /// Set a field in the frame, checksums included.
    Set {
        /// The field.
        field: Field,
        /// The bits' values.
        value: u128,
        /// The bits to set.
        mask: u128,
    },
    /// Push a label stack entry behind the VLAN tags.
    PushMpls {
        /// 0x8847 or 0x8848.
        ethertype: u16,
        /// The entry.
        lse: u32,
    },
    /// Remove the outermost label stack entry; the EtherType of what is below.
    PopMpls {
        /// EtherType of what is below.
        ethertype: u16,
    },
    /// Push a PBB header: a copy of the addresses, 0x88e7 and the service tag.
    PushPbb {
        /// The service tag's 32 bits (PCP, DEI, UCA, I-SID).
        itag: u32,
    },
    /// Remove the outermost PBB header: the addresses, the EtherType and the service tag.
    PopPbb,
    /// Copy the TTL between the outermost header with TTL and the next one, in the frame.
    CopyTtl {
        /// Outwards; else inwards.
        out: bool,
    },
    /// Run the packet by a meter; one that the meter drops ends here, all steps behind included.
    Meter(Arc<Meter>),
    /// To the controllers, as the frame is now.
    Controller(Arc<ToController>),
    /// Take the frame apart again and go on translating: it has headers now that its key did not have.
    /// Always the last of its steps.
    Recirculate(Arc<Frozen>),
    /// Run these steps on a copy of the frame; the steps behind it go on with the frame as it was
    /// before. Made where a bridge behind a patch port, or NORMAL for some of its ports, edits the
    /// frame. Nests as deep as patch ports do.
    Sub(Box<[Step]>),
}
