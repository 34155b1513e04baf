//! Packet-out (section 7.3.7).

use super::action::Action;
use super::bytes::{Put, Reader};
use super::error::{WireError, bad_request};

/// `ofp_packet_out`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the specification's names")]
pub struct PacketOut {
    /// [`super::NO_BUFFER`]: `data` is the packet.
    pub buffer_id: u32,
    pub in_port: u32,
    pub actions: Vec<Action>,
    pub data: Vec<u8>,
}

impl PacketOut {
    pub(super) fn decode(r: &mut Reader<'_>) -> Result<Self, WireError> {
        let buffer_id = r.u32()?;
        let in_port = r.u32()?;
        let actions_len = usize::from(r.u16()?);
        r.skip(6)?;
        if actions_len % 8 != 0 {
            return Err(WireError::bad_request(bad_request::BAD_LEN));
        }
        let actions = Action::decode_list(&mut r.part(actions_len)?)?;
        Ok(Self { buffer_id, in_port, actions, data: r.rest().to_vec() })
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.u32(self.buffer_id);
        out.u32(self.in_port);
        let len_at = out.len();
        out.zeros(8);
        let start = out.len();
        Action::encode_list(&self.actions, out);
        out.patch_len(len_at, start);
        out.extend_from_slice(&self.data);
    }
}
