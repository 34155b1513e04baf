//! Asynchronous configuration (section 7.3.10).

/// `ofp_async_config`: which asynchronous messages a connection wants, as bits of their reasons; of
/// each pair the first is for a master or equal, the second for a slave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the specification's names")]
pub struct AsyncConfig {
    pub packet_in: [u32; 2],
    pub port_status: [u32; 2],
    pub flow_removed: [u32; 2],
}
