//! The bytes of one direction: read in at the end, parsed in the middle, sent from the front.
//!
//! ```text
//! | sent | sendable | unparsed | spare |
//!        ^sent      ^parsed    ^end
//! ```
//! What is forwarded untouched is never copied: parsing only moves the line between unparsed and sendable.

use std::ops::Range;

/// An idle pipe holds nothing; the first read takes this much.
pub const READ_BYTES_MIN: usize = 8 << 10;
/// A busy stream's reads grow to this.
pub const READ_BYTES_MAX: usize = 128 << 10;
/// What every connection may hold without asking the process-wide budget.
pub const UNRESERVED_BYTES: usize = 16 << 10;

#[derive(Default)]
pub struct Pipe {
    data: Vec<u8>,
    sent: usize,
    parsed: usize,
    /// Taken from the budget beyond [`UNRESERVED_BYTES`].
    reserved: usize,
    read_bytes: usize,
}

impl Pipe {
    #[must_use]
    pub fn unparsed(&self) -> &[u8] {
        self.data.get(self.parsed..).unwrap_or_default()
    }

    #[must_use]
    pub fn sendable(&self) -> &[u8] {
        self.data.get(self.sent..self.parsed).unwrap_or_default()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sent == self.data.len()
    }

    /// `count` unparsed bytes are to be sent as they are.
    pub fn forward(&mut self, count: usize) {
        self.parsed = self.parsed.saturating_add(count).min(self.data.len());
    }

    /// Replaces the bytes at `range` (counted from the first unparsed byte).
    pub fn replace(&mut self, range: Range<usize>, with: &[u8]) {
        let start = self.parsed.saturating_add(range.start).min(self.data.len());
        let end = self
            .parsed
            .saturating_add(range.end)
            .clamp(start, self.data.len());
        if let Some(place) = self.data.get_mut(start..end)
            && place.len() == with.len()
        {
            place.copy_from_slice(with);
            return;
        }
        let tail = self.data.split_off(end);
        self.data.truncate(start);
        self.data.extend_from_slice(with);
        self.data.extend_from_slice(&tail);
    }

    /// Puts `bytes` before the first unparsed byte, to be sent.
    pub fn insert(&mut self, bytes: &[u8]) {
        self.replace(0..0, bytes);
        self.forward(bytes.len());
    }

    /// Takes `count` unparsed bytes out.
    pub fn discard(&mut self, count: usize) {
        self.replace(0..count, &[]);
    }

    pub fn consume_sent(&mut self, count: usize) {
        self.sent = self.sent.saturating_add(count).min(self.parsed);
        if self.is_empty() {
            self.data.clear();
            self.sent = 0;
            self.parsed = 0;
        }
    }

    /// What is to be sent goes to nobody any more.
    pub fn drop_sendable(&mut self) {
        self.consume_sent(self.sendable().len());
    }

    /// The buffer to append a read to, with room for it. `frame_left`: bytes still missing of a frame that is held
    /// whole (0 when streaming). `reserve` asks the budget for more; a refused stream keeps its size.
    /// `None`: a held frame has to wait for the budget.
    pub fn read_buffer(
        &mut self,
        frame_left: usize,
        reserve: &mut dyn FnMut(usize) -> bool,
    ) -> Option<&mut Vec<u8>> {
        let held = self.data.len() - self.sent;
        let wanted = if frame_left == 0 {
            self.read_bytes.max(READ_BYTES_MIN)
        } else {
            held + frame_left
        };
        if wanted > self.reserved + UNRESERVED_BYTES {
            let more = wanted - self.reserved - UNRESERVED_BYTES;
            if reserve(more) {
                self.reserved += more;
            } else if frame_left > 0 {
                return None;
            } else {
                self.read_bytes = READ_BYTES_MIN;
            }
        }
        // Memory follows the bytes that have arrived, not the length that was announced.
        let room = if frame_left == 0 {
            self.read_bytes.max(READ_BYTES_MIN)
        } else {
            frame_left.min(held.max(READ_BYTES_MAX))
        };
        let spare = self.data.capacity() - self.data.len();
        if spare < room.min(READ_BYTES_MIN) || (frame_left > 0 && spare < room) {
            if self.sent > 0 {
                self.data.drain(..self.sent);
                self.parsed -= self.sent;
                self.sent = 0;
            }
            self.data.reserve_exact(room);
        }
        Some(&mut self.data)
    }

    /// A read of `count` bytes was appended: one that filled the buffer makes the next larger, a small one smaller.
    pub fn appended(&mut self, count: usize) {
        if self.data.len() == self.data.capacity() {
            self.read_bytes = (self.read_bytes.max(READ_BYTES_MIN) * 2).min(READ_BYTES_MAX);
        } else if count < self.read_bytes / 4 {
            self.read_bytes /= 2;
        }
    }

    /// Gives back what an idle connection does not need; returns what is to go back to the budget.
    #[must_use]
    pub fn relax(&mut self) -> usize {
        if !self.is_empty() {
            return 0;
        }
        self.data = Vec::new();
        std::mem::take(&mut self.reserved)
    }

    #[must_use]
    pub fn reserved(&self) -> usize {
        self.reserved
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pipe(bytes: &[u8]) -> Pipe {
        let mut pipe = Pipe::default();
        pipe.read_buffer(0, &mut |_| true)
            .unwrap()
            .extend_from_slice(bytes);
        pipe.appended(bytes.len());
        pipe
    }

    #[test]
    fn what_is_forwarded_is_what_is_sent() {
        let mut pipe = pipe(b"abcdef");
        pipe.forward(3);
        assert_eq!(pipe.sendable(), b"abc");
        assert_eq!(pipe.unparsed(), b"def");
        pipe.consume_sent(2);
        assert_eq!(pipe.sendable(), b"c");
        pipe.forward(3);
        pipe.consume_sent(4);
        assert!(pipe.is_empty());
    }

    #[test]
    fn an_edit_in_the_middle_keeps_its_neighbours() {
        let mut pipe = pipe(b"abcdef");
        pipe.forward(1);
        pipe.replace(1..3, b"XYZ!");
        pipe.insert(b"-");
        pipe.discard(1);
        assert_eq!((pipe.sendable(), pipe.unparsed()), (&b"a-"[..], &b"XYZ!ef"[..]));
    }

    #[test]
    fn a_held_frame_takes_its_memory_as_bytes_arrive_and_its_budget_at_once() {
        let mut pipe = pipe(b"abcd");
        let mut asked = 0;
        let buffer = pipe.read_buffer(100 << 20, &mut |bytes| {
            asked += bytes;
            true
        });
        assert!(buffer.unwrap().capacity() <= 2 * READ_BYTES_MAX);
        assert_eq!(asked, 4 + (100 << 20) - UNRESERVED_BYTES);
        assert!(
            pipe.read_buffer(100 << 20, &mut |_| panic!("asked twice"))
                .is_some()
        );
    }

    #[test]
    fn a_held_frame_waits_for_the_budget_and_a_stream_does_not() {
        let mut pipe = pipe(b"abcd");
        assert!(pipe.read_buffer(1 << 20, &mut |_| false).is_none());
        assert!(pipe.read_buffer(0, &mut |_| false).is_some());
    }
}
