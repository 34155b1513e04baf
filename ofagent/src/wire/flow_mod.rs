//! Flow-mod (section 7.3.4.1).

use super::bytes::{Put, Reader};
use super::error::{WireError, flow_mod_failed, kind};
use super::instruction::Instruction;
use super::oxm::Match;
use super::oxm::Unknown;

/// `enum ofp_flow_mod_command`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the specification's names")]
#[repr(u8)]
pub enum FlowModCommand {
    Add = 0,
    Modify = 1,
    ModifyStrict = 2,
    Delete = 3,
    DeleteStrict = 4,
}

/// `ofp_flow_mod`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the specification's names")]
pub struct FlowMod {
    pub cookie: u64,
    pub cookie_mask: u64,
    /// [`super::TABLE_ALL`]: all (delete only).
    pub table_id: u8,
    pub command: FlowModCommand,
    /// Seconds.
    pub idle_timeout: u16,
    /// Seconds.
    pub hard_timeout: u16,
    pub priority: u16,
    /// [`super::NO_BUFFER`], or a buffered packet to do the new flow's actions on.
    pub buffer_id: u32,
    pub out_port: u32,
    pub out_group: u32,
    /// `OFPFF_*`, as sent.
    pub flags: u16,
    pub matching: Match,
    pub instructions: Vec<Instruction>,
}

/// All of `enum ofp_flow_mod_flags`.
const ALL_FLAGS: u16 = 0x1f;

impl FlowModCommand {
    fn from_wire(command: u8) -> Result<Self, WireError> {
        Ok(match command {
            0 => Self::Add,
            1 => Self::Modify,
            2 => Self::ModifyStrict,
            3 => Self::Delete,
            4 => Self::DeleteStrict,
            _ => return Err(WireError::new(kind::FLOW_MOD_FAILED, flow_mod_failed::BAD_COMMAND)),
        })
    }
}

impl FlowMod {
    pub(super) fn decode(r: &mut Reader<'_>) -> Result<Self, WireError> {
        let cookie = r.u64()?;
        let cookie_mask = r.u64()?;
        let table_id = r.u8()?;
        let command = r.u8()?;
        let idle_timeout = r.u16()?;
        let hard_timeout = r.u16()?;
        let priority = r.u16()?;
        let buffer_id = r.u32()?;
        let out_port = r.u32()?;
        let out_group = r.u32()?;
        let flags = r.u16()?;
        r.skip(2)?;
        let command = FlowModCommand::from_wire(command)?;
        let matching = Match::decode(r, Unknown::Refuse)?;
        let instructions = Instruction::decode_list(r)?;
        if flags & !ALL_FLAGS != 0 {
            return Err(WireError::new(kind::FLOW_MOD_FAILED, flow_mod_failed::BAD_FLAGS));
        }
        Ok(Self {
            cookie,
            cookie_mask,
            table_id,
            command,
            idle_timeout,
            hard_timeout,
            priority,
            buffer_id,
            out_port,
            out_group,
            flags,
            matching,
            instructions,
        })
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.u64(self.cookie);
        out.u64(self.cookie_mask);
        out.u8(self.table_id);
        out.u8(self.command as u8);
        out.u16(self.idle_timeout);
        out.u16(self.hard_timeout);
        out.u16(self.priority);
        out.u32(self.buffer_id);
        out.u32(self.out_port);
        out.u32(self.out_group);
        out.u16(self.flags);
        out.zeros(2);
        self.matching.encode(out);
        Instruction::encode_list(&self.instructions, out);
    }
}
