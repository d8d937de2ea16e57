//! Numbers from a seed (SplitMix64): one seed is one case.

#[derive(Clone)]
pub struct Numbers(u64);

impl Numbers {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    /// One time in `of`.
    pub fn once(&mut self, of: usize) -> bool {
        self.below(of) == 0
    }

    pub fn one<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.below(list.len())]
    }

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
        if self.once(2) {
            border
        } else {
            border.wrapping_neg()
        }
    }
}
