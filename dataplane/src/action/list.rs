//! The actions of rules, and the steps that translation makes of them.

use crate::flow::Field;
use crate::state::{OfPort, PortId};
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
    /// Decrement TTL or hop limit; a packet whose TTL runs out is dropped.
    DecTtl,
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
    /// Run these steps on a copy of the frame; the steps behind it go on with the frame as it was
    /// before. Made where a bridge behind a patch port, or NORMAL for some of its ports, edits the
    /// frame. Nests as deep as patch ports do.
    Sub(Box<[Step]>),
}
