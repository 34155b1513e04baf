//! Hello (section 7.5.1).

/// `ofp_hello`: versions that the sender speaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// The version in its header: the highest that the sender speaks.
    pub version: u8,
    /// The version bitmap element, if it has one; bit N stands for version N. (Versions above 31 do
    /// not exist.)
    pub bitmap: Option<u32>,
}
