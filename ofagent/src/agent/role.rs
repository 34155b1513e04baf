//! Roles (section 6.3.4).

use super::{Agent, ConnId};
use crate::wire::Message;
use crate::wire::error::{WireError, kind, role_request_failed};
use crate::wire::role::{ControllerRole, Role};

/// Shown while no master was ever elected (section 7.3.9).
const NO_GENERATION: u64 = u64::MAX;

impl Agent {
    /// A connection's role.
    #[must_use]
    pub fn role(&self, conn: ConnId) -> Option<ControllerRole> {
        self.connections.get(&conn).map(|c| c.role)
    }

    pub(super) fn role_request(
        &mut self,
        conn: ConnId,
        xid: u32,
        wanted: Role,
    ) -> Result<(), WireError> {
        if matches!(wanted.role, ControllerRole::Master | ControllerRole::Slave) {
            // The distance, in a circle: negative is behind.
            let distance = |last: u64| wanted.generation_id.wrapping_sub(last) as i64;
            if self.generation_id.is_some_and(|last| distance(last) < 0) {
                let code = role_request_failed::STALE;
                return Err(WireError::new(kind::ROLE_REQUEST_FAILED, code));
            }
            self.generation_id = Some(wanted.generation_id);
        }
        if wanted.role == ControllerRole::Master {
            for other in self.connections.values_mut() {
                if other.role == ControllerRole::Master {
                    other.role = ControllerRole::Slave;
                }
            }
        }
        let generation_id = self.generation_id.unwrap_or(NO_GENERATION);
        if let Some(connection) = self.connections.get_mut(&conn) {
            if wanted.role != ControllerRole::NoChange {
                connection.role = wanted.role;
            }
            let reply = Role { role: connection.role, generation_id };
            connection.outbox.send(xid, &Message::RoleReply(reply));
        }
        Ok(())
    }
}
