//! Port statistics (section 7.3.5.6).

use super::{Item, multipart_type};
use crate::wire::bytes::{Put, Reader};
use crate::wire::error::WireError;
use crate::wire::port::Port;

/// `ofp_port_stats`; a counter that is not kept is `u64::MAX`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the specification's names")]
pub struct PortStats {
    pub port_no: u32,
    pub rx_packets: u64,
    pub tx_packets: u64,
    pub rx_bytes: u64,
    pub tx_bytes: u64,
    pub rx_dropped: u64,
    pub tx_dropped: u64,
    pub rx_errors: u64,
    pub tx_errors: u64,
    pub rx_frame_err: u64,
    pub rx_over_err: u64,
    pub rx_crc_err: u64,
    pub collisions: u64,
    pub duration_sec: u32,
    pub duration_nsec: u32,
}

impl Item for PortStats {
    const KIND: u16 = multipart_type::PORT_STATS;

    fn decode(r: &mut Reader<'_>) -> Result<Self, WireError> {
        let port_no = r.u32()?;
        r.skip(4)?;
        Ok(Self {
            port_no,
            rx_packets: r.u64()?,
            tx_packets: r.u64()?,
            rx_bytes: r.u64()?,
            tx_bytes: r.u64()?,
            rx_dropped: r.u64()?,
            tx_dropped: r.u64()?,
            rx_errors: r.u64()?,
            tx_errors: r.u64()?,
            rx_frame_err: r.u64()?,
            rx_over_err: r.u64()?,
            rx_crc_err: r.u64()?,
            collisions: r.u64()?,
            duration_sec: r.u32()?,
            duration_nsec: r.u32()?,
        })
    }

    fn encode(&self, out: &mut Vec<u8>) {
        out.u32(self.port_no);
        out.zeros(4);
        for counter in [
            self.rx_packets,
            self.tx_packets,
            self.rx_bytes,
            self.tx_bytes,
            self.rx_dropped,
            self.tx_dropped,
            self.rx_errors,
            self.tx_errors,
            self.rx_frame_err,
            self.rx_over_err,
            self.rx_crc_err,
            self.collisions,
        ] {
            out.u64(counter);
        }
        out.u32(self.duration_sec);
        out.u32(self.duration_nsec);
    }
}

/// Port description (section 7.3.5.7).
impl Item for Port {
    const KIND: u16 = multipart_type::PORT_DESC;

    fn decode(r: &mut Reader<'_>) -> Result<Self, WireError> {
        Self::decode(r)
    }

    fn encode(&self, out: &mut Vec<u8>) {
        self.encode(out);
    }
}
