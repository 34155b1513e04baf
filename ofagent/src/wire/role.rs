//! Role (section 7.3.9).

use super::bytes::{Put, Reader};
use super::error::{WireError, kind, role_request_failed};

/// `enum ofp_controller_role`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the specification's names")]
#[repr(u32)]
pub enum ControllerRole {
    NoChange = 0,
    Equal = 1,
    Master = 2,
    Slave = 3,
}

/// `ofp_role_request`, and its reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Role {
    /// The role.
    pub role: ControllerRole,
    /// Of the election of a master.
    pub generation_id: u64,
}

impl ControllerRole {
    fn from_wire(role: u32) -> Result<Self, WireError> {
        Ok(match role {
            0 => Self::NoChange,
            1 => Self::Equal,
            2 => Self::Master,
            3 => Self::Slave,
            _ => {
                return Err(WireError::new(
                    kind::ROLE_REQUEST_FAILED,
                    role_request_failed::BAD_ROLE,
                ));
            }
        })
    }
}

impl Role {
    pub(super) fn decode(r: &mut Reader<'_>) -> Result<Self, WireError> {
        let role = r.u32()?;
        r.skip(4)?;
        let generation_id = r.u64()?;
        Ok(Self { role: ControllerRole::from_wire(role)?, generation_id })
    }

    pub(super) fn encode(self, out: &mut Vec<u8>) {
        out.u32(self.role as u32);
        out.zeros(4);
        out.u64(self.generation_id);
    }
}
