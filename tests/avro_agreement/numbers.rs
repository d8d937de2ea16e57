//! Numbers as they end somewhere in Avro's encoding.

use crate::choices::Choices;

impl Choices {
    /// All sizes of numbers are about as likely.
    pub fn long(&mut self) -> i64 {
        let bits = self.below(64);
        (self.next() as i64) >> bits
    }

    /// A number where something ends: of a byte's, an int's or a long's range, or of a limit.
    pub fn border(&mut self) -> i64 {
        let border = *self.one(&[
            0,
            1,
            2,
            63,
            64,
            8191,
            8192,
            i64::from(i32::MAX) - 8,
            i64::from(i32::MAX),
            i64::from(u32::MAX),
            1 << 34,
            1 << 40,
            1 << 62,
            i64::MAX,
        ]);
        let border = border.saturating_add(self.below(3) as i64 - 1);
        if self.once_in(2) {
            border
        } else {
            border.wrapping_neg()
        }
    }
}
