//! Groups, which Open vSwitch brings to OpenFlow 1.0 in the form of 1.5 (OpenFlow 1.5.1, sections
//! 7.3.4.3 and 7.3.5.10), with the actions of 1.0.

use super::action;
use crate::wire::bytes::{Put, Reader};
use crate::wire::error::{WireError, group_mod_failed, kind};
use crate::wire::group_mod::{Bucket, GroupMod, GroupModCommand, GroupType};
use crate::wire::multipart::group::GroupDesc;
use crate::wire::{GROUP_ANY, PORT_ANY};

/// `OFPGBPT_WEIGHT`.
const WEIGHT: u16 = 0;
/// `OFPGBPT_WATCH_PORT`.
const WATCH_PORT: u16 = 1;
/// `OFPGBPT_WATCH_GROUP`.
const WATCH_GROUP: u16 = 2;
/// Each of these is so long.
const PROPERTY_LEN: u16 = 8;
/// `ofp_bucket` without actions and properties.
const BUCKET_LEN: usize = 8;

const fn bad(code: u16) -> WireError {
    WireError::new(kind::GROUP_MOD_FAILED, code)
}

/// `NXT_GROUP_MOD`. Single buckets are not changed: what asks for that is refused.
pub(super) fn decode_mod(r: &mut Reader<'_>) -> Result<GroupMod, WireError> {
    let command = match r.u16()? {
        0 => GroupModCommand::Add,
        1 => GroupModCommand::Modify,
        2 => GroupModCommand::Delete,
        _ => return Err(bad(group_mod_failed::BAD_COMMAND)),
    };
    let kind = GroupType::from_wire(r.u8()?)?;
    r.skip(1)?;
    let group_id = r.u32()?;
    let buckets_len = usize::from(r.u16()?);
    r.skip(6)?;
    let mut array = r.or(bad(group_mod_failed::BAD_BUCKET)).part(buckets_len)?;
    r.skip(buckets_len)?;
    let mut buckets = Vec::new();
    while !array.is_empty() {
        buckets.push(decode_bucket(&mut array, kind)?);
    }
    // Properties: how a select group selects, which it does in one way only.
    if !r.is_empty() {
        return Err(bad(group_mod_failed::INVALID_GROUP));
    }
    Ok(GroupMod { command, kind, group_id, buckets })
}

fn decode_bucket(r: &mut Reader<'_>, kind: GroupType) -> Result<Bucket, WireError> {
    let len = usize::from(r.peek_u16()?);
    if len < BUCKET_LEN || len % 8 != 0 {
        return Err(bad(group_mod_failed::BAD_BUCKET));
    }
    let mut body = r.part(len)?;
    body.skip(2)?;
    let actions_len = usize::from(body.u16()?);
    body.skip(4)?;
    let actions = action::decode_list(&mut body.part(actions_len)?)?;
    let weight = u16::from(kind == GroupType::Select);
    let mut bucket = Bucket { weight, watch_port: PORT_ANY, watch_group: GROUP_ANY, actions };
    while !body.is_empty() {
        let property = body.u16()?;
        if body.u16()? != PROPERTY_LEN {
            return Err(bad(group_mod_failed::BAD_BUCKET));
        }
        match property {
            WEIGHT => {
                bucket.weight = body.u16()?;
                body.skip(2)?;
            }
            WATCH_PORT => bucket.watch_port = body.u32()?,
            WATCH_GROUP => bucket.watch_group = body.u32()?,
            _ => return Err(bad(group_mod_failed::BAD_BUCKET)),
        }
    }
    Ok(bucket)
}

/// A group in the answer to `NXST_GROUP_DESC`. Buckets are numbered, as in Open vSwitch.
pub(super) fn encode_desc(desc: &GroupDesc, out: &mut Vec<u8>) {
    let start = out.len();
    out.u16(0);
    out.u8(desc.kind as u8);
    out.zeros(1);
    out.u32(desc.group_id);
    let len_at = out.len();
    out.zeros(8);
    let buckets_at = out.len();
    for (id, bucket) in (0..).zip(&desc.buckets) {
        encode_bucket(id, bucket, desc.kind, out);
    }
    out.patch_len(len_at, buckets_at);
    out.patch_len(start, start);
}

fn encode_bucket(id: u32, bucket: &Bucket, kind: GroupType, out: &mut Vec<u8>) {
    let start = out.len();
    out.zeros(4);
    out.u32(id);
    let actions_at = out.len();
    action::encode_list(&bucket.actions, out);
    out.patch_len(start + 2, actions_at);
    if kind == GroupType::Select {
        property(WEIGHT, u32::from(bucket.weight) << 16, out);
    }
    if bucket.watch_port != PORT_ANY {
        property(WATCH_PORT, bucket.watch_port, out);
    }
    if bucket.watch_group != GROUP_ANY {
        property(WATCH_GROUP, bucket.watch_group, out);
    }
    out.patch_len(start, start);
}

fn property(kind: u16, value: u32, out: &mut Vec<u8>) {
    out.u16(kind);
    out.u16(PROPERTY_LEN);
    out.u32(value);
}
