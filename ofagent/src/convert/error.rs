//! What the tables refuse, as error messages say it (section 7.4.4).

use crate::wire::error::{
    WireError, bad_action, bad_instruction, flow_mod_failed, group_mod_failed, kind,
    meter_mod_failed,
};
use dataplane::table::FlowModError;
use dataplane::table::group::GroupModError;
use dataplane::table::meter::MeterModError;

/// Why a flow-mod was refused.
#[must_use]
pub fn flow_mod(error: &FlowModError) -> WireError {
    let (kind, code) = match error {
        FlowModError::BadTable(_) | FlowModError::AllTables => {
            (kind::FLOW_MOD_FAILED, flow_mod_failed::BAD_TABLE_ID)
        }
        FlowModError::Overlap { .. } => (kind::FLOW_MOD_FAILED, flow_mod_failed::OVERLAP),
        FlowModError::TableFull(_) => (kind::FLOW_MOD_FAILED, flow_mod_failed::TABLE_FULL),
        FlowModError::BadGoto { .. } => (kind::BAD_INSTRUCTION, bad_instruction::BAD_TABLE_ID),
        FlowModError::UnknownGroup(_) => (kind::BAD_ACTION, bad_action::BAD_OUT_GROUP),
        FlowModError::UnknownMeter(_) => (kind::METER_MOD_FAILED, meter_mod_failed::UNKNOWN_METER),
        FlowModError::BadOutPort(_) => (kind::BAD_ACTION, bad_action::BAD_OUT_PORT),
        FlowModError::NotSettable(_) => (kind::BAD_ACTION, bad_action::BAD_SET_TYPE),
        FlowModError::BadSetValue(_) => (kind::BAD_ACTION, bad_action::BAD_SET_ARGUMENT),
        FlowModError::Inconsistent { .. } | FlowModError::InconsistentAction { .. } => {
            (kind::BAD_ACTION, bad_action::MATCH_INCONSISTENT)
        }
        FlowModError::BadTpid(_)
        | FlowModError::BadMplsType(_)
        | FlowModError::BadPbbType(_)
        | FlowModError::BadBits { .. } => (kind::BAD_ACTION, bad_action::BAD_ARGUMENT),
    };
    WireError::new(kind, code)
}

/// Why a group-mod was refused.
#[must_use]
pub fn group_mod(error: &GroupModError) -> WireError {
    let code = match error {
        GroupModError::Exists(_) => group_mod_failed::GROUP_EXISTS,
        GroupModError::Invalid { .. } => group_mod_failed::INVALID_GROUP,
        GroupModError::OutOfGroups => group_mod_failed::OUT_OF_GROUPS,
        GroupModError::OutOfBuckets(_) => group_mod_failed::OUT_OF_BUCKETS,
        GroupModError::WatchUnsupported(_) => group_mod_failed::WATCH_UNSUPPORTED,
        GroupModError::Loop(_) => group_mod_failed::LOOP,
        GroupModError::Unknown(_) => group_mod_failed::UNKNOWN_GROUP,
        GroupModError::Chained { .. } => group_mod_failed::CHAINED_GROUP,
        GroupModError::BadWatchPort(_) | GroupModError::BadWatchGroup(_) => {
            group_mod_failed::BAD_WATCH
        }
        GroupModError::BadAction { error, .. } => return flow_mod(error),
    };
    WireError::new(kind::GROUP_MOD_FAILED, code)
}

/// Why a meter-mod was refused.
#[must_use]
pub fn meter_mod(error: &MeterModError) -> WireError {
    let code = match error {
        MeterModError::Exists(_) => meter_mod_failed::METER_EXISTS,
        MeterModError::Invalid(_) => meter_mod_failed::INVALID_METER,
        MeterModError::Unknown(_) => meter_mod_failed::UNKNOWN_METER,
        MeterModError::BadFlags(_) => meter_mod_failed::BAD_FLAGS,
        MeterModError::BadRate(_) => meter_mod_failed::BAD_RATE,
        MeterModError::BadBandValue(_) => meter_mod_failed::BAD_BAND_VALUE,
        MeterModError::OutOfMeters => meter_mod_failed::OUT_OF_METERS,
        MeterModError::OutOfBands(_) => meter_mod_failed::OUT_OF_BANDS,
    };
    WireError::new(kind::METER_MOD_FAILED, code)
}
