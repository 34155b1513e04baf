//! Group-mod (section 7.3.4.2).

use super::action::Action;
use super::bytes::{Put, Reader};
use super::error::{WireError, group_mod_failed, kind};

/// `ofp_bucket`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the specification's names")]
pub struct Bucket {
    pub weight: u16,
    pub watch_port: u32,
    pub watch_group: u32,
    pub actions: Vec<Action>,
}

/// `enum ofp_group_mod_command`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the specification's names")]
#[repr(u16)]
pub enum GroupModCommand {
    Add = 0,
    Modify = 1,
    Delete = 2,
}

/// `enum ofp_group_type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the specification's names")]
#[repr(u8)]
pub enum GroupType {
    All = 0,
    Select = 1,
    Indirect = 2,
    FastFailover = 3,
}

/// `ofp_group_mod`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the specification's names")]
pub struct GroupMod {
    pub command: GroupModCommand,
    pub kind: GroupType,
    pub group_id: u32,
    pub buckets: Vec<Bucket>,
}

const fn bad(code: u16) -> WireError {
    WireError::new(kind::GROUP_MOD_FAILED, code)
}

impl Bucket {
    /// Bytes of the structure without its actions.
    const FIXED_LEN: usize = 16;

    /// All buckets that fill `r`.
    pub(super) fn decode_list(r: &mut Reader<'_>) -> Result<Vec<Self>, WireError> {
        let mut r = Reader::new(r.rest(), bad(group_mod_failed::BAD_BUCKET));
        let mut buckets = Vec::new();
        while !r.is_empty() {
            let len = usize::from(r.peek_u16()?);
            if len < Self::FIXED_LEN || len % 8 != 0 {
                return Err(bad(group_mod_failed::BAD_BUCKET));
            }
            let mut body = r.part(len)?;
            body.skip(2)?;
            let weight = body.u16()?;
            let watch_port = body.u32()?;
            let watch_group = body.u32()?;
            body.skip(4)?;
            let actions = Action::decode_list(&mut body)?;
            buckets.push(Self { weight, watch_port, watch_group, actions });
        }
        Ok(buckets)
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        let start = out.len();
        out.u16(0);
        out.u16(self.weight);
        out.u32(self.watch_port);
        out.u32(self.watch_group);
        out.zeros(4);
        Action::encode_list(&self.actions, out);
        out.patch_len(start, start);
    }
}

impl GroupModCommand {
    fn from_wire(command: u16) -> Result<Self, WireError> {
        Ok(match command {
            0 => Self::Add,
            1 => Self::Modify,
            2 => Self::Delete,
            _ => return Err(bad(group_mod_failed::BAD_COMMAND)),
        })
    }
}

impl GroupType {
    pub(super) fn from_wire(kind: u8) -> Result<Self, WireError> {
        Ok(match kind {
            0 => Self::All,
            1 => Self::Select,
            2 => Self::Indirect,
            3 => Self::FastFailover,
            _ => return Err(bad(group_mod_failed::BAD_TYPE)),
        })
    }
}

impl GroupMod {
    pub(super) fn decode(r: &mut Reader<'_>) -> Result<Self, WireError> {
        let command = r.u16()?;
        let kind = r.u8()?;
        r.skip(1)?;
        let group_id = r.u32()?;
        Ok(Self {
            command: GroupModCommand::from_wire(command)?,
            kind: GroupType::from_wire(kind)?,
            group_id,
            buckets: Bucket::decode_list(r)?,
        })
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.u16(self.command as u16);
        out.u8(self.kind as u8);
        out.zeros(1);
        out.u32(self.group_id);
        for bucket in &self.buckets {
            bucket.encode(out);
        }
    }
}
