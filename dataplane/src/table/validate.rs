//! What a flow-mod may not ask for.

use super::pipeline::{LAST_TABLE, MAX_RULES};
use crate::action::{Action, Instructions};
use crate::flow::key::{FRAG_LATER, VLAN_PRESENT};
use crate::flow::prereq::{ETH_MPLS, ETH_PBB, Prerequisite};
use crate::flow::{Field, FlowKey, Mask, Match};
use crate::state::OfPort;
use crate::wire::ethernet;
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
    /// `OFPBAC_BAD_ARGUMENT`.
    #[error("push_mpls:{0:#06x}: only 0x8847 and 0x8848 are MPLS")]
    BadMplsType(u16),
    /// `OFPBAC_BAD_ARGUMENT`.
    #[error("push_pbb:{0:#06x}: only 0x88e7 is a PBB service tag")]
    BadPbbType(u16),
    /// `OFPBAC_MATCH_INCONSISTENT`.
    #[error("{action}: the rule's match does not say that packets are of that kind ({needs:?})")]
    InconsistentAction {
        /// The action's name.
        action: &'static str,
        /// What the match must ask for.
        needs: Prerequisite,
    },
    /// `OFPBAC_BAD_ARGUMENT`.
    #[error("{bits} bits from bit {bit} on: field {} has {} bits", .field.name(), .field.bits())]
    BadBits {
        /// The field.
        field: Field,
        /// The lowest bit named.
        bit: u16,
        /// How many.
        bits: u16,
    },
}

/// Checks instructions for a rule of `table` with this match.
pub(super) fn check(table: u8, matching: &Match, i: &Instructions) -> Result<(), FlowModError> {
    if let Some(to) = i.goto_table
        && (to <= table || to > LAST_TABLE)
    {
        return Err(FlowModError::BadGoto { from: table, to });
    }
    // What the match says of the packet; actions change it as they go on.
    let mut known = *matching;
    for action in &i.apply {
        check_action(&mut known, action, When::Now)?;
    }
    // The action set runs in later tables, on whatever the packet is by then.
    for action in &i.write {
        check_action(&mut known, action, When::Later)?;
    }
    Ok(())
}

/// Whether an action sees the packet that the rule's match speaks of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum When {
    Now,
    Later,
}

fn check_action(known: &mut Match, action: &Action, when: When) -> Result<(), FlowModError> {
    let needs = |known: &Match, action, needs| {
        if when == When::Later || fulfils(known, needs) {
            return Ok(());
        }
        Err(FlowModError::InconsistentAction { action, needs })
    };
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
            if ![ethernet::VLAN, ethernet::QINQ].contains(tpid) {
                return Err(FlowModError::BadTpid(*tpid));
            }
            set_tci(known, VLAN_PRESENT, VLAN_PRESENT);
        }
        Action::PopVlan => set_tci(known, 0, 0),
        Action::PushMpls(ethertype) => {
            if !ETH_MPLS.contains(ethertype) {
                return Err(FlowModError::BadMplsType(*ethertype));
            }
            known.set_eth_type(Some(*ethertype));
        }
        Action::PopMpls(ethertype) => {
            needs(known, "pop_mpls", Prerequisite::Mpls)?;
            known.set_eth_type(Some(*ethertype));
        }
        Action::PushPbb(ethertype) => {
            if *ethertype != ETH_PBB {
                return Err(FlowModError::BadPbbType(*ethertype));
            }
            known.set_eth_type(Some(*ethertype));
            set_tci(known, 0, 0);
        }
        Action::PopPbb => {
            // Controllers write it in tables that match ports only; a packet without the header does
            // not get far. What is known to be something else is a mistake.
            if known.mask.0.eth_type.get() == u16::MAX {
                needs(known, "pop_pbb", Prerequisite::Pbb)?;
            }
            known.set_eth_type(None);
            set_tci(known, 0, 0);
        }
        Action::DecTtl => needs(known, "dec_ttl", Prerequisite::Ip)?,
        Action::DecMplsTtl => needs(known, "dec_mpls_ttl", Prerequisite::Mpls)?,
        Action::SetField { field, value, mask } => {
            check_set(known, *field, *value, *mask, when)?;
        }
        Action::Load { field, bit, bits, value } => {
            check_bits(*field, *bit, *bits)?;
            let max = u128::MAX >> (128 - u32::from(*bits));
            if u128::from(*value) & !max != 0 {
                return Err(FlowModError::BadSetValue(*field));
            }
            check_set(known, *field, u128::from(*value) << bit, max << bit, when)?;
        }
        Action::Move { src, src_bit, dst, dst_bit, bits } => {
            check_bits(*src, *src_bit, *bits)?;
            check_bits(*dst, *dst_bit, *bits)?;
            check_needs(known, *src, when)?;
            let mask = u128::MAX >> (128 - u32::from(*bits)) << dst_bit;
            check_set(known, *dst, 0, mask, when)?;
            // What is written there now is not known.
            let old = dst.read(&known.mask.0);
            dst.write(&mut known.mask.0, old & !mask);
            *known = Match::new(&known.key, &known.mask);
        }
        // Which of these make sense, the tables say (groups, meters), or each packet for itself.
        Action::Group(_)
        | Action::SetQueue(_)
        | Action::CopyTtlOut
        | Action::CopyTtlIn
        | Action::Resubmit { .. }
        | Action::Controller { .. }
        | Action::Note(_) => {}
    }
    Ok(())
}

fn check_bits(field: Field, bit: u16, bits: u16) -> Result<(), FlowModError> {
    if bits == 0 || u32::from(bit) + u32::from(bits) > field.bits() {
        return Err(FlowModError::BadBits { field, bit, bits });
    }
    Ok(())
}

fn set_tci(known: &mut Match, tci: u16, mask: u16) {
    known.key.vlan[0].tci.set(tci);
    known.mask.0.vlan[0].tci.set(mask);
}

fn check_needs(known: &Match, field: Field, when: When) -> Result<(), FlowModError> {
    let needs = field.prerequisite();
    if when == When::Now && !fulfils(known, needs) {
        return Err(FlowModError::Inconsistent { field, needs });
    }
    Ok(())
}

fn check_set(
    known: &mut Match,
    field: Field,
    value: u128,
    mask: u128,
    when: When,
) -> Result<(), FlowModError> {
    if !field.settable() {
        return Err(FlowModError::NotSettable(field));
    }
    if (value | mask) & !field.max() != 0 {
        return Err(FlowModError::BadSetValue(field));
    }
    // Setting the present bit makes or removes the tag, so it needs none.
    if field == Field::VlanTci && mask & u128::from(VLAN_PRESENT) != 0 {
        set_tci(known, value as u16 & VLAN_PRESENT, VLAN_PRESENT);
        return Ok(());
    }
    check_needs(known, field, when)?;
    match field {
        Field::EthType => known.set_eth_type((mask == field.max()).then_some(value as u16)),
        // The tag that is there stays.
        Field::VlanVid | Field::VlanPcp | Field::VlanTci => {}
        _ => {
            let old = field.read(&known.mask.0);
            field.write_masked(&mut known.key, value, mask);
            field.write(&mut known.mask.0, old | mask);
        }
    }
    Ok(())
}

/// Whether every packet that the match lets through fulfils the prerequisite. (Fragments are left
/// to the packet: their transport fields are not there, and setting them does nothing.)
fn fulfils(known: &Match, needs: Prerequisite) -> bool {
    let mut looked_at = Mask::default();
    // A first fragment may be asked for; setting its ports does nothing, as in Open vSwitch.
    let mut key = known.key;
    if key.ip_frag & FRAG_LATER == 0 {
        key.ip_frag = 0;
    }
    if !needs.met(&key, &mut looked_at) {
        return false;
    }
    if needs == Prerequisite::Vlan {
        return known.key.has_vlan();
    }
    let FlowKey { ref mut ip_frag, ref mut tp_src, ref mut tp_dst, .. } = looked_at.0;
    *ip_frag = 0;
    // ICMP's type and code have a byte each, and of neighbour messages the type says enough.
    if matches!(needs, Prerequisite::Nd | Prerequisite::NdSolicit | Prerequisite::NdAdvert) {
        tp_src.set(0xff);
        tp_dst.set(0);
    }
    known.mask.covers(&looked_at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::Command;
    use crate::text::parse_flow;

    /// Checks actions in a rule with this match; neither is looked at by the text's own checks.
    fn check_actions(matching: &str, apply: Vec<Action>) -> Result<(), FlowModError> {
        let text = format!("{matching},actions=drop");
        let m = parse_flow(&text, Command::Add, &|_| None).expect("a match");
        check(0, &m.matching, &Instructions { apply, ..Instructions::default() })
    }

    fn set(field: Field, value: u128) -> Action {
        Action::SetField { field, value, mask: field.max() }
    }

    #[test]
    fn actions_must_fit_what_the_match_says() {
        use Action::{CopyTtlIn, DecMplsTtl, DecTtl, PopMpls, PopPbb, PopVlan, PushMpls, PushPbb};
        let fine: &[(&str, &[Action])] = &[
            ("mpls", &[PopMpls(0x0800), DecTtl, set(Field::Ipv4Src, 1)]),
            ("mpls", &[PopMpls(0x8847), set(Field::MplsLabel, 5), DecMplsTtl]),
            (
                "ip",
                &[PushMpls(0x8848), set(Field::MplsTtl, 5), DecMplsTtl, PopMpls(0x0800), DecTtl],
            ),
            ("in_port=1", &[PopPbb]),
            ("in_port=1", &[PushPbb(0x88e7), set(Field::PbbIsid, 5), PopPbb, PopPbb]),
            ("in_port=1", &[set(Field::EthType, 0x8847), set(Field::MplsBos, 1)]),
            ("ip", &[set(Field::IpProto, 6), set(Field::TpSrc, 1), CopyTtlIn]),
            ("icmp6", &[set(Field::IcmpType, 135), set(Field::IcmpCode, 0), set(Field::NdSll, 1)]),
            ("icmp6,icmp_type=136", &[set(Field::NdTll, 1), set(Field::NdTarget, 1)]),
            ("rarp", &[set(Field::ArpSpa, 1)]),
        ];
        for (matching, actions) in fine {
            assert_eq!(check_actions(matching, actions.to_vec()), Ok(()), "{matching} {actions:?}");
        }
        let inconsistent: &[(&str, &[Action])] = &[
            ("in_port=1", &[PopMpls(0x0800)]),
            ("ip", &[PopMpls(0x0800)]),
            ("ip", &[DecMplsTtl]),
            ("ip", &[PopPbb]),
            ("arp", &[DecTtl]),
            ("ip", &[PushMpls(0x8847), DecTtl]),
            ("tcp", &[PushMpls(0x8847), PopMpls(0x0800), set(Field::TpSrc, 1)]),
            ("tcp", &[set(Field::IpProto, 1), set(Field::TpSrc, 1)]),
            ("tcp", &[set(Field::EthType, 0x86dd), set(Field::Ipv4Src, 1)]),
            ("dl_vlan=5", &[PushPbb(0x88e7), set(Field::VlanPcp, 1)]),
            ("dl_vlan=5", &[PopVlan, set(Field::VlanPcp, 1)]),
            ("mpls", &[PopMpls(0x0800), set(Field::MplsTc, 1)]),
            ("in_port=1", &[set(Field::PbbIsid, 1)]),
            ("icmp6,icmp_type=135,icmp_code=1", &[set(Field::NdSll, 1)]),
            ("icmp6", &[set(Field::NdTarget, 1)]),
        ];
        for (matching, actions) in inconsistent {
            let result = check_actions(matching, actions.to_vec());
            let expected = matches!(
                result,
                Err(FlowModError::Inconsistent { .. } | FlowModError::InconsistentAction { .. })
            );
            assert!(expected, "{matching} {actions:?}: {result:?}");
        }
    }

    #[test]
    fn arguments_are_bounded() {
        let load = |field, bit, bits, value| vec![Action::Load { field, bit, bits, value }];
        let copy = |src, src_bit, dst, dst_bit, bits| {
            vec![Action::Move { src, src_bit, dst, dst_bit, bits }]
        };
        let (reg, meta) = (Field::Reg0, Field::Metadata);
        for (actions, expected) in [
            (vec![Action::PushMpls(0x0800)], FlowModError::BadMplsType(0x0800)),
            (vec![Action::PushPbb(0x8847)], FlowModError::BadPbbType(0x8847)),
            (vec![set(Field::Ipv6Exthdr, 1)], FlowModError::NotSettable(Field::Ipv6Exthdr)),
            (vec![set(Field::InPhyPort, 1)], FlowModError::NotSettable(Field::InPhyPort)),
            (load(Field::TcpFlags, 0, 1, 0), FlowModError::NotSettable(Field::TcpFlags)),
            (load(reg, 0, 4, 16), FlowModError::BadSetValue(reg)),
            (load(reg, 30, 3, 0), FlowModError::BadBits { field: reg, bit: 30, bits: 3 }),
            (load(reg, 0, 0, 0), FlowModError::BadBits { field: reg, bit: 0, bits: 0 }),
            (
                load(reg, u16::MAX, u16::MAX, 0),
                FlowModError::BadBits { field: reg, bit: u16::MAX, bits: u16::MAX },
            ),
            (copy(meta, 60, reg, 0, 8), FlowModError::BadBits { field: meta, bit: 60, bits: 8 }),
            (copy(meta, 0, reg, 28, 8), FlowModError::BadBits { field: reg, bit: 28, bits: 8 }),
            (copy(meta, 0, Field::InPort, 0, 32), FlowModError::NotSettable(Field::InPort)),
        ] {
            let result = check_actions("in_port=1", actions);
            assert_eq!(result.as_ref(), Err(&expected));
            // Every error has words.
            assert!(!expected.to_string().is_empty());
        }
        assert_eq!(check_actions("in_port=1", load(meta, 0, 64, u64::MAX)), Ok(()));
        assert_eq!(check_actions("in_port=1", copy(Field::InPort, 0, reg, 0, 32)), Ok(()));
    }
}
