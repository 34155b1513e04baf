//! Role (section 7.3.9).

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
