//! Flow-mod (section 7.3.4.1).

use super::instruction::Instruction;
use super::oxm::Match;

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
