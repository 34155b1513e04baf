//! Errors (section 7.4.4).

use super::bytes::{Put, Reader};
use thiserror::Error;

/// `enum ofp_error_type`.
pub mod kind {
    #![allow(missing_docs, reason = "the specification's names")]
    pub const HELLO_FAILED: u16 = 0;
    pub const BAD_REQUEST: u16 = 1;
    pub const BAD_ACTION: u16 = 2;
    pub const BAD_INSTRUCTION: u16 = 3;
    pub const BAD_MATCH: u16 = 4;
    pub const FLOW_MOD_FAILED: u16 = 5;
    pub const GROUP_MOD_FAILED: u16 = 6;
    pub const PORT_MOD_FAILED: u16 = 7;
    pub const TABLE_MOD_FAILED: u16 = 8;
    pub const QUEUE_OP_FAILED: u16 = 9;
    pub const SWITCH_CONFIG_FAILED: u16 = 10;
    pub const ROLE_REQUEST_FAILED: u16 = 11;
    pub const METER_MOD_FAILED: u16 = 12;
    pub const TABLE_FEATURES_FAILED: u16 = 13;
    pub const EXPERIMENTER: u16 = 0xffff;
}

/// `enum ofp_hello_failed_code`.
pub mod hello_failed {
    #![allow(missing_docs, reason = "the specification's names")]
    pub const INCOMPATIBLE: u16 = 0;
    pub const EPERM: u16 = 1;
}

/// `enum ofp_bad_request_code`.
pub mod bad_request {
    #![allow(missing_docs, reason = "the specification's names")]
    pub const BAD_VERSION: u16 = 0;
    pub const BAD_TYPE: u16 = 1;
    pub const BAD_MULTIPART: u16 = 2;
    pub const BAD_EXPERIMENTER: u16 = 3;
    pub const BAD_EXP_TYPE: u16 = 4;
    pub const EPERM: u16 = 5;
    pub const BAD_LEN: u16 = 6;
    pub const BUFFER_EMPTY: u16 = 7;
    pub const BUFFER_UNKNOWN: u16 = 8;
    pub const BAD_TABLE_ID: u16 = 9;
    pub const IS_SLAVE: u16 = 10;
    pub const BAD_PORT: u16 = 11;
    pub const BAD_PACKET: u16 = 12;
    pub const MULTIPART_BUFFER_OVERFLOW: u16 = 13;
}

/// `enum ofp_bad_action_code`.
pub mod bad_action {
    #![allow(missing_docs, reason = "the specification's names")]
    pub const BAD_TYPE: u16 = 0;
    pub const BAD_LEN: u16 = 1;
    pub const BAD_EXPERIMENTER: u16 = 2;
    pub const BAD_EXP_TYPE: u16 = 3;
    pub const BAD_OUT_PORT: u16 = 4;
    pub const BAD_ARGUMENT: u16 = 5;
    pub const EPERM: u16 = 6;
    pub const TOO_MANY: u16 = 7;
    pub const BAD_QUEUE: u16 = 8;
    pub const BAD_OUT_GROUP: u16 = 9;
    pub const MATCH_INCONSISTENT: u16 = 10;
    pub const UNSUPPORTED_ORDER: u16 = 11;
    pub const BAD_TAG: u16 = 12;
    pub const BAD_SET_TYPE: u16 = 13;
    pub const BAD_SET_LEN: u16 = 14;
    pub const BAD_SET_ARGUMENT: u16 = 15;
}

/// `enum ofp_bad_instruction_code`.
pub mod bad_instruction {
    #![allow(missing_docs, reason = "the specification's names")]
    pub const UNKNOWN_INST: u16 = 0;
    pub const UNSUP_INST: u16 = 1;
    pub const BAD_TABLE_ID: u16 = 2;
    pub const UNSUP_METADATA: u16 = 3;
    pub const UNSUP_METADATA_MASK: u16 = 4;
    pub const BAD_EXPERIMENTER: u16 = 5;
    pub const BAD_EXP_TYPE: u16 = 6;
    pub const BAD_LEN: u16 = 7;
    pub const EPERM: u16 = 8;
    pub const DUP_INST: u16 = 9;
}

/// `enum ofp_bad_match_code`.
pub mod bad_match {
    #![allow(missing_docs, reason = "the specification's names")]
    pub const BAD_TYPE: u16 = 0;
    pub const BAD_LEN: u16 = 1;
    pub const BAD_TAG: u16 = 2;
    pub const BAD_DL_ADDR_MASK: u16 = 3;
    pub const BAD_NW_ADDR_MASK: u16 = 4;
    pub const BAD_WILDCARDS: u16 = 5;
    pub const BAD_FIELD: u16 = 6;
    pub const BAD_VALUE: u16 = 7;
    pub const BAD_MASK: u16 = 8;
    pub const BAD_PREREQ: u16 = 9;
    pub const DUP_FIELD: u16 = 10;
    pub const EPERM: u16 = 11;
}

/// `enum ofp_flow_mod_failed_code`.
pub mod flow_mod_failed {
    #![allow(missing_docs, reason = "the specification's names")]
    pub const UNKNOWN: u16 = 0;
    pub const TABLE_FULL: u16 = 1;
    pub const BAD_TABLE_ID: u16 = 2;
    pub const OVERLAP: u16 = 3;
    pub const EPERM: u16 = 4;
    pub const BAD_TIMEOUT: u16 = 5;
    pub const BAD_COMMAND: u16 = 6;
    pub const BAD_FLAGS: u16 = 7;
}

/// `enum ofp_group_mod_failed_code`.
pub mod group_mod_failed {
    #![allow(missing_docs, reason = "the specification's names")]
    pub const GROUP_EXISTS: u16 = 0;
    pub const INVALID_GROUP: u16 = 1;
    pub const WEIGHT_UNSUPPORTED: u16 = 2;
    pub const OUT_OF_GROUPS: u16 = 3;
    pub const OUT_OF_BUCKETS: u16 = 4;
    pub const CHAINING_UNSUPPORTED: u16 = 5;
    pub const WATCH_UNSUPPORTED: u16 = 6;
    pub const LOOP: u16 = 7;
    pub const UNKNOWN_GROUP: u16 = 8;
    pub const CHAINED_GROUP: u16 = 9;
    pub const BAD_TYPE: u16 = 10;
    pub const BAD_COMMAND: u16 = 11;
    pub const BAD_BUCKET: u16 = 12;
    pub const BAD_WATCH: u16 = 13;
    pub const EPERM: u16 = 14;
}

/// `enum ofp_port_mod_failed_code`.
pub mod port_mod_failed {
    #![allow(missing_docs, reason = "the specification's names")]
    pub const BAD_PORT: u16 = 0;
    pub const BAD_HW_ADDR: u16 = 1;
    pub const BAD_CONFIG: u16 = 2;
    pub const BAD_ADVERTISE: u16 = 3;
    pub const EPERM: u16 = 4;
}

/// `enum ofp_table_mod_failed_code`.
pub mod table_mod_failed {
    #![allow(missing_docs, reason = "the specification's names")]
    pub const BAD_TABLE: u16 = 0;
    pub const BAD_CONFIG: u16 = 1;
    pub const EPERM: u16 = 2;
}

/// `enum ofp_queue_op_failed_code`.
pub mod queue_op_failed {
    #![allow(missing_docs, reason = "the specification's names")]
    pub const BAD_PORT: u16 = 0;
    pub const BAD_QUEUE: u16 = 1;
    pub const EPERM: u16 = 2;
}

/// `enum ofp_switch_config_failed_code`.
pub mod switch_config_failed {
    #![allow(missing_docs, reason = "the specification's names")]
    pub const BAD_FLAGS: u16 = 0;
    pub const BAD_LEN: u16 = 1;
    pub const EPERM: u16 = 2;
}

/// `enum ofp_role_request_failed_code`.
pub mod role_request_failed {
    #![allow(missing_docs, reason = "the specification's names")]
    pub const STALE: u16 = 0;
    pub const UNSUP: u16 = 1;
    pub const BAD_ROLE: u16 = 2;
}

/// `enum ofp_meter_mod_failed_code`.
pub mod meter_mod_failed {
    #![allow(missing_docs, reason = "the specification's names")]
    pub const UNKNOWN: u16 = 0;
    pub const METER_EXISTS: u16 = 1;
    pub const INVALID_METER: u16 = 2;
    pub const UNKNOWN_METER: u16 = 3;
    pub const BAD_COMMAND: u16 = 4;
    pub const BAD_FLAGS: u16 = 5;
    pub const BAD_RATE: u16 = 6;
    pub const BAD_BURST: u16 = 7;
    pub const BAD_BAND: u16 = 8;
    pub const BAD_BAND_VALUE: u16 = 9;
    pub const OUT_OF_METERS: u16 = 10;
    pub const OUT_OF_BANDS: u16 = 11;
}

/// `enum ofp_table_features_failed_code`.
pub mod table_features_failed {
    #![allow(missing_docs, reason = "the specification's names")]
    pub const BAD_TABLE: u16 = 0;
    pub const BAD_METADATA: u16 = 1;
    pub const BAD_TYPE: u16 = 2;
    pub const BAD_LEN: u16 = 3;
    pub const BAD_ARGUMENT: u16 = 4;
    pub const EPERM: u16 = 5;
}

/// What is wrong with a message: type and code of the error that answers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("OpenFlow error type {kind}, code {code}")]
pub struct WireError {
    /// [`kind`].
    pub kind: u16,
    /// A code of that type.
    pub code: u16,
}

impl WireError {
    /// An error of this type and code.
    #[must_use]
    pub const fn new(kind: u16, code: u16) -> Self {
        Self { kind, code }
    }

    /// `OFPET_BAD_REQUEST` with this code.
    #[must_use]
    pub const fn bad_request(code: u16) -> Self {
        Self::new(kind::BAD_REQUEST, code)
    }
}

/// `ofp_error_msg`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorMessage {
    /// Type and code.
    pub error: WireError,
    /// At least 64 bytes of the message that was wrong, or a text for `HELLO_FAILED`.
    pub data: Vec<u8>,
}

impl ErrorMessage {
    pub(super) fn decode(r: &mut Reader<'_>) -> Result<Self, WireError> {
        let error = WireError::new(r.u16()?, r.u16()?);
        Ok(Self { error, data: r.rest().to_vec() })
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.u16(self.error.kind);
        out.u16(self.error.code);
        out.extend_from_slice(&self.data);
    }
}
