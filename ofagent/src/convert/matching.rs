//! Matches (section 7.2.3). That fields are in order, each once and behind its prerequisites, is the
//! codec's business.

use super::field::{FIELDS, Needs, WireField, by_id};
use crate::wire::error::{WireError, bad_match, kind};
use crate::wire::oxm::{Match as WireMatch, Oxm, OxmId, basic, lookup};
use dataplane::flow::key::VLAN_PRESENT;
use dataplane::flow::{Field, Match};
use dataplane::state::OfPort;

const PRESENT: u128 = VLAN_PRESENT as u128;
const VID: u128 = 0xfff;
const PCP: u128 = 0xe000;
/// First of OpenFlow 1.0's reserved ports.
const OLD_RESERVED: u16 = 0xff00;

const fn bad(code: u16) -> WireError {
    WireError::new(kind::BAD_MATCH, code)
}

/// A match from the wire.
///
/// # Errors
/// `OFPBMC_BAD_FIELD`: the packet path does not have the field. `OFPBMC_BAD_VALUE`: no packet has such a
/// value.
pub fn from_wire(fields: &WireMatch) -> Result<Match, WireError> {
    let mut m = Match::default();
    for oxm in &fields.0 {
        let w = by_id(oxm.id).ok_or(bad(bad_match::BAD_FIELD))?;
        let (value, mask) = value_and_mask(w, oxm).ok_or(bad(bad_match::BAD_VALUE))?;
        w.field.write_masked(&mut m.key, value, mask);
        let before = w.field.read(&m.mask.0);
        w.field.write(&mut m.mask.0, before | mask);
    }
    Ok(m)
}

/// Value and mask as the packet path has them; nothing if no packet has such a value.
pub(super) fn value_and_mask(w: &WireField, oxm: &Oxm) -> Option<(u128, u128)> {
    let whole = w.field.max();
    let mask = oxm.mask.map_or(whole, |mask| mask >> w.shift & whole);
    let mut value = oxm.value >> w.shift;
    if w.field == Field::InPort && oxm.len == 2 {
        value = new_port(value as u16).0.into();
    }
    // A VLAN id without the present bit is on no packet; only zero (`OFPVID_NONE`) stands for itself.
    let untagged = w.field == Field::VlanVid && mask & PRESENT != 0 && value & PRESENT == 0;
    let known = value & !whole == 0 && !(untagged && value & VID != 0);
    known.then_some((value, mask))
}

/// A port number of OpenFlow 1.0.
pub(super) fn new_port(port: u16) -> OfPort {
    let high = if port >= OLD_RESERVED { 0xffff_0000 } else { 0 };
    OfPort(u32::from(port) | high)
}

/// A match as it goes over the wire.
#[must_use]
pub fn to_wire(m: &Match) -> WireMatch {
    let mut fields = Vec::new();
    let odd_vlan = is_odd_vlan(m);
    for w in FIELDS {
        let mask = w.field.read(&m.mask.0);
        if mask == 0 || !means(w, m) {
            continue;
        }
        match w.field {
            Field::VlanTci if !odd_vlan => continue,
            Field::VlanVid | Field::VlanPcp if odd_vlan => continue,
            Field::VlanPcp if !m.key.has_vlan() => continue,
            _ => {}
        }
        fields.push(oxm(w, w.field.read(&m.key), mask));
    }
    WireMatch(fields)
}

/// Whether this is what the bytes that several fields share hold in packets of this match.
fn means(w: &WireField, m: &Match) -> bool {
    match w.needs {
        Needs::Nothing | Needs::Vlan => true,
        needs => needs.met(m),
    }
}

/// Whether the match's VLAN bits can only be said as a TCI of NXM, not as VID and PCP of OXM.
fn is_odd_vlan(m: &Match) -> bool {
    let (tci, mask) = (Field::VlanTci.read(&m.key), Field::VlanTci.read(&m.mask.0));
    let pcp_alone = mask & PCP != 0 && tci & PRESENT == 0;
    let no_tag = tci == 0 && mask & (PRESENT | VID) == PRESENT | VID && mask & PCP == PCP;
    (pcp_alone && !no_tag) || !matches!(mask & PCP, 0 | PCP)
}

/// A field with its value; the mask is left out where it is the whole field.
pub(super) fn oxm(w: &WireField, value: u128, mask: u128) -> Oxm {
    let mask = (mask != w.field.max()).then_some(mask);
    // Every field that is written is one of the codec's; a test sees to it.
    let len = lookup(w.id).map_or(0, |info| info.bytes);
    Oxm { id: w.id, len, value, mask }
}

/// The field `in_port` of a packet-in.
#[must_use]
pub fn in_port(port: u32) -> Oxm {
    Oxm { id: OxmId::basic(basic::IN_PORT), len: 4, value: port.into(), mask: None }
}
