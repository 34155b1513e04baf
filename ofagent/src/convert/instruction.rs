//! Instructions (section 7.2.4).

use super::action::{list_from_wire, list_to_wire};
use crate::wire::error::{WireError, bad_instruction, kind};
use crate::wire::instruction::Instruction;
use dataplane::action::Instructions;
use dataplane::flow::Match;

/// Instructions from the wire, of a rule with this match.
///
/// # Errors
/// `OFPBIC_DUP_INST`, or what is wrong with an action.
pub fn from_wire(list: &[Instruction], m: &Match) -> Result<Instructions, WireError> {
    let mut out = Instructions::default();
    let mut seen = 0u8;
    for instruction in list {
        let bit = match instruction {
            Instruction::GotoTable(table) => {
                out.goto_table = Some(*table);
                1
            }
            Instruction::WriteMetadata { metadata, mask } => {
                out.metadata = Some((*metadata, *mask));
                2
            }
            Instruction::WriteActions(actions) => {
                out.write = list_from_wire(actions, m)?;
                4
            }
            Instruction::ApplyActions(actions) => {
                out.apply = list_from_wire(actions, m)?;
                8
            }
            Instruction::ClearActions => {
                out.clear = true;
                16
            }
            Instruction::Meter(meter) => {
                out.meter = Some(*meter);
                32
            }
        };
        if seen & bit != 0 {
            return Err(WireError::new(kind::BAD_INSTRUCTION, bad_instruction::DUP_INST));
        }
        seen |= bit;
    }
    Ok(out)
}

/// Instructions as they go over the wire, in the order in which they are done (section 5.9).
#[must_use]
pub fn to_wire(i: &Instructions, m: &Match) -> Vec<Instruction> {
    let mut out = Vec::new();
    out.extend(i.meter.map(Instruction::Meter));
    if !i.apply.is_empty() {
        out.push(Instruction::ApplyActions(list_to_wire(&i.apply, m)));
    }
    if i.clear {
        out.push(Instruction::ClearActions);
    }
    if !i.write.is_empty() {
        out.push(Instruction::WriteActions(list_to_wire(&i.write, m)));
    }
    out.extend(i.metadata.map(|(metadata, mask)| Instruction::WriteMetadata { metadata, mask }));
    out.extend(i.goto_table.map(Instruction::GotoTable));
    out
}
