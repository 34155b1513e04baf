//! Packets that wait for a controller's word (section 7.4.1, `buffer_id`). A controller that forgets
//! them costs nothing: the oldest make room.

use dataplane::state::OfPort;

/// Packets that can wait.
pub(super) const BUFFERS: u32 = 256;

/// A packet that waits.
pub(super) struct Buffered {
    pub(super) in_port: OfPort,
    pub(super) frame: Vec<u8>,
}

/// Why there is no such packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Missing {
    /// It was taken before.
    Taken,
    /// It never was, or had to make room.
    Unknown,
}

/// See the module. The low bits of an id are the place, the others tell its tenants apart.
#[derive(Default)]
pub(super) struct Buffers {
    slots: Vec<(u32, Option<Buffered>)>,
    next: u32,
}

impl Buffers {
    /// Keeps a packet; gives its id.
    pub(super) fn keep(&mut self, packet: Buffered) -> u32 {
        let id = self.next;
        // All ones say that a packet is not buffered.
        self.next = if id + 1 == u32::MAX { 0 } else { id + 1 };
        let slot = (id % BUFFERS) as usize;
        if slot < self.slots.len() {
            self.slots[slot] = (id, Some(packet));
        } else {
            // Places are used in their order.
            self.slots.push((id, Some(packet)));
        }
        id
    }

    /// Takes a packet out.
    pub(super) fn take(&mut self, id: u32) -> Result<Buffered, Missing> {
        match self.slots.get_mut((id % BUFFERS) as usize) {
            Some((of, packet)) if *of == id => packet.take().ok_or(Missing::Taken),
            _ => Err(Missing::Unknown),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_taken_once_and_the_oldest_make_room() {
        let mut buffers = Buffers::default();
        let packet = |n: u32| Buffered { in_port: OfPort(n), frame: vec![n as u8] };
        let ids: Vec<_> = (0..300).map(|n| buffers.keep(packet(n))).collect();
        let take = |b: &mut Buffers, n: usize| b.take(ids[n]).map(|p| p.in_port.0);
        assert_eq!(take(&mut buffers, 43), Err(Missing::Unknown));
        assert_eq!(take(&mut buffers, 44), Ok(44));
        assert_eq!(take(&mut buffers, 44), Err(Missing::Taken));
        assert_eq!(take(&mut buffers, 299), Ok(299));
        assert_eq!(buffers.take(u32::MAX).err(), Some(Missing::Unknown));
    }
}
