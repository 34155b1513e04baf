//! Instructions (section 7.2.4).

use super::action::Action;
use super::bytes::{Put, Reader};
use super::error::{WireError, bad_instruction, kind};

/// An instruction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Instruction {
    /// `OFPIT_GOTO_TABLE`.
    GotoTable(u8),
    /// `OFPIT_WRITE_METADATA`.
    WriteMetadata {
        /// Value.
        metadata: u64,
        /// Mask.
        mask: u64,
    },
    /// `OFPIT_WRITE_ACTIONS`.
    WriteActions(Vec<Action>),
    /// `OFPIT_APPLY_ACTIONS`.
    ApplyActions(Vec<Action>),
    /// `OFPIT_CLEAR_ACTIONS`.
    ClearActions,
    /// `OFPIT_METER`.
    Meter(u32),
}

/// `enum ofp_instruction_type`.
pub mod instruction_type {
    #![allow(missing_docs, reason = "the specification's names")]
    pub const GOTO_TABLE: u16 = 1;
    pub const WRITE_METADATA: u16 = 2;
    pub const WRITE_ACTIONS: u16 = 3;
    pub const APPLY_ACTIONS: u16 = 4;
    pub const CLEAR_ACTIONS: u16 = 5;
    pub const METER: u16 = 6;
    pub const EXPERIMENTER: u16 = 0xffff;
}

const fn bad(code: u16) -> WireError {
    WireError::new(kind::BAD_INSTRUCTION, code)
}

impl Instruction {
    /// All instructions that fill `r`, each kind at most once (section 5.9).
    pub(super) fn decode_list(r: &mut Reader<'_>) -> Result<Vec<Self>, WireError> {
        let mut r = Reader::new(r.rest(), bad(bad_instruction::BAD_LEN));
        let mut instructions = Vec::new();
        let mut seen = 0u32;
        while !r.is_empty() {
            let kind = r.peek_u16()?;
            let instruction = Self::decode(&mut r)?;
            let bit = 1 << kind;
            if seen & bit != 0 {
                return Err(bad(bad_instruction::DUP_INST));
            }
            seen |= bit;
            instructions.push(instruction);
        }
        Ok(instructions)
    }

    /// Decoded kinds are below 32.
    fn decode(r: &mut Reader<'_>) -> Result<Self, WireError> {
        let mut ahead = *r;
        let kind = ahead.u16()?;
        let len = usize::from(ahead.u16()?);
        if len < 8 || len % 8 != 0 {
            return Err(bad(bad_instruction::BAD_LEN));
        }
        let mut body = r.part(len)?;
        body.skip(4)?;
        let instruction = match kind {
            instruction_type::GOTO_TABLE => {
                let table = body.u8()?;
                body.skip(3)?;
                if table == super::TABLE_ALL {
                    return Err(bad(bad_instruction::BAD_TABLE_ID));
                }
                Self::GotoTable(table)
            }
            instruction_type::WRITE_METADATA => {
                body.skip(4)?;
                Self::WriteMetadata { metadata: body.u64()?, mask: body.u64()? }
            }
            instruction_type::WRITE_ACTIONS => {
                body.skip(4)?;
                Self::WriteActions(Action::decode_list(&mut body)?)
            }
            instruction_type::APPLY_ACTIONS => {
                body.skip(4)?;
                Self::ApplyActions(Action::decode_list(&mut body)?)
            }
            // Open vSwitch, like the specification's own header file, has it without actions.
            instruction_type::CLEAR_ACTIONS => {
                body.skip(4)?;
                Self::ClearActions
            }
            instruction_type::METER => Self::Meter(body.u32()?),
            instruction_type::EXPERIMENTER => return Err(bad(bad_instruction::BAD_EXPERIMENTER)),
            _ => return Err(bad(bad_instruction::UNKNOWN_INST)),
        };
        body.end()?;
        Ok(instruction)
    }

    /// Appends all of `instructions`.
    pub(super) fn encode_list(instructions: &[Self], out: &mut Vec<u8>) {
        for instruction in instructions {
            instruction.encode(out);
        }
    }

    fn encode(&self, out: &mut Vec<u8>) {
        use instruction_type as t;
        let start = out.len();
        let (kind, actions): (_, &[Action]) = match self {
            Self::GotoTable(_) => (t::GOTO_TABLE, &[]),
            Self::WriteMetadata { .. } => (t::WRITE_METADATA, &[]),
            Self::WriteActions(actions) => (t::WRITE_ACTIONS, actions),
            Self::ApplyActions(actions) => (t::APPLY_ACTIONS, actions),
            Self::ClearActions => (t::CLEAR_ACTIONS, &[]),
            Self::Meter(_) => (t::METER, &[]),
        };
        out.u16(kind);
        out.u16(0);
        match self {
            Self::GotoTable(table) => out.u32(u32::from(*table) << 24),
            Self::Meter(meter) => out.u32(*meter),
            _ => out.zeros(4),
        }
        if let Self::WriteMetadata { metadata, mask } = self {
            out.u64(*metadata);
            out.u64(*mask);
        }
        Action::encode_list(actions, out);
        out.patch_len(start + 2, start);
    }
}
