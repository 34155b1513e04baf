//! What a flow-mod may not ask for.

use super::pipeline::{LAST_TABLE, MAX_RULES};
use crate::action::{Action, Instructions};
use crate::flow::key::VLAN_PRESENT;
use crate::flow::prereq::Prerequisite;
use crate::flow::{Field, FlowKey, Mask, Match};
use crate::state::OfPort;
use thiserror::Error;

/// Why a flow-mod was refused; nothing of it was done.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FlowModError {
    /// `OFPFMFC_BAD_TABLE_ID`.
    #[error("table {0} does not exist: a rule goes to one table, 0 to {LAST_TABLE}")]
    BadTable(u8),
    /// `OFPFMFC_BAD_TABLE_ID`: "all tables" where one is needed.
    #[error("all tables named where one is needed: only a delete may name all")]
    AllTables,
    /// `OFPFMFC_OVERLAP`.
    #[error(
        "CHECK_OVERLAP: a rule of priority {priority} (cookie {cookie:#x}) matches some of the same packets"
    )]
    Overlap {
        /// Their priority.
        priority: u16,
        /// The other rule's cookie.
        cookie: u64,
    },
    /// `OFPBIC_BAD_TABLE_ID`.
    #[error(
        "goto_table:{to} in table {from}: only a higher table, up to {LAST_TABLE}, can be next"
    )]
    BadGoto {
        /// The rule's table.
        from: u8,
        /// The one named.
        to: u8,
    },
    /// `OFPFMFC_TABLE_FULL`.
    #[error("table {0} is full: it has {MAX_RULES} rules")]
    TableFull(u8),
    /// `OFPBAC_BAD_OUT_GROUP`.
    #[error("group {0} does not exist: add it before what sends to it")]
    UnknownGroup(u32),
    /// `OFPMMFC_UNKNOWN_METER`.
    #[error("meter {0} does not exist: add it before the rule that uses it")]
    UnknownMeter(u32),
    /// `OFPBAC_BAD_OUT_PORT`.
    #[error("output to port {0:#x} is not possible: no such reserved port for a rule")]
    BadOutPort(u32),
    /// `OFPBAC_BAD_SET_TYPE`.
    #[error("field {} cannot be set", .0.name())]
    NotSettable(Field),
    /// `OFPBAC_BAD_SET_ARGUMENT`.
    #[error("value or mask too large for field {}, which has {} bits", .0.name(), .0.bits())]
    BadSetValue(Field),
    /// `OFPBAC_MATCH_INCONSISTENT`.
    #[error("field {} cannot be set: the rule's match does not say that packets have it ({needs:?})", field.name())]
    Inconsistent {
        /// The field.
        field: Field,
        /// What the match must ask for.
        needs: Prerequisite,
    },
    /// `OFPBAC_BAD_ARGUMENT`.
    #[error("push_vlan:{0:#06x}: only 0x8100 and 0x88a8 are VLAN tags")]
    BadTpid(u16),
}

/// Checks instructions for a rule of `table` with this match.
pub(super) fn check(table: u8, matching: &Match, i: &Instructions) -> Result<(), FlowModError> {
    if let Some(to) = i.goto_table
        && (to <= table || to > LAST_TABLE)
    {
        return Err(FlowModError::BadGoto { from: table, to });
    }
    // What the match says of the packet; tags pushed and popped change it as the actions go on.
    let mut known = *matching;
    for action in &i.apply {
        check_action(&mut known, action)?;
    }
    // The action set runs in later tables, on whatever the packet is by then.
    for action in &i.write {
        match action {
            Action::SetField { field, value, mask } => check_set(*field, *value, *mask)?,
            _ => check_action(&mut known, action)?,
        }
    }
    Ok(())
}

fn check_action(known: &mut Match, action: &Action) -> Result<(), FlowModError> {
    match action {
        Action::Output(output) => {
            let port = output.port;
            let reserved = port == OfPort::ANY || port == OfPort::TABLE;
            let unknown = port > OfPort::MAX && port < OfPort::IN_PORT;
            if reserved || unknown || port.0 == 0 {
                return Err(FlowModError::BadOutPort(port.0));
            }
        }
        Action::PushVlan(tpid) => {
            if ![0x8100, 0x88a8].contains(tpid) {
                return Err(FlowModError::BadTpid(*tpid));
            }
            set_tci(known, VLAN_PRESENT, VLAN_PRESENT);
        }
        Action::PopVlan => set_tci(known, 0, 0),
        Action::SetField { field, value, mask } => {
            check_set(*field, *value, *mask)?;
            // Setting the present bit makes or removes the tag, so it needs none.
            if *field == Field::VlanTci && mask & u128::from(VLAN_PRESENT) != 0 {
                set_tci(known, *value as u16 & VLAN_PRESENT, VLAN_PRESENT);
                return Ok(());
            }
            if !fulfils(known, field.prerequisite()) {
                let needs = field.prerequisite();
                return Err(FlowModError::Inconsistent { field: *field, needs });
            }
        }
        _ => {}
    }
    Ok(())
}

fn set_tci(known: &mut Match, tci: u16, mask: u16) {
    known.key.vlan[0].tci.set(tci);
    known.mask.0.vlan[0].tci.set(mask);
}

fn check_set(field: Field, value: u128, mask: u128) -> Result<(), FlowModError> {
    if !field.settable() {
        return Err(FlowModError::NotSettable(field));
    }
    if (value | mask) & !field.max() != 0 {
        return Err(FlowModError::BadSetValue(field));
    }
    Ok(())
}

/// Whether every packet that the match lets through fulfils the prerequisite. (Fragments are left
/// to the packet: their transport fields are not there, and setting them does nothing.)
fn fulfils(known: &Match, needs: Prerequisite) -> bool {
    let mut looked_at = Mask::default();
    if !needs.met(&known.key, &mut looked_at) {
        return false;
    }
    if needs == Prerequisite::Vlan {
        return known.key.has_vlan();
    }
    let FlowKey { ref mut ip_frag, .. } = looked_at.0;
    *ip_frag = 0;
    known.mask.covers(&looked_at)
}
