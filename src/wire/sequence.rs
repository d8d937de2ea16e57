//! Sequence numbers: they count records, and go from 2^31-1 to 0 (KIP-98; `DefaultRecordBatch.incrementSequence`).

/// One less than 2^31.
const MASK: u32 = i32::MAX.unsigned_abs();

/// The sequence number `count` records after `base`.
#[must_use]
pub fn after(base: i32, count: u32) -> i32 {
    (base.cast_unsigned().wrapping_add(count) & MASK).cast_signed()
}

/// The sequence number `count` records before `base`.
#[must_use]
pub fn before(base: i32, count: u32) -> i32 {
    (base.cast_unsigned().wrapping_sub(count) & MASK).cast_signed()
}

/// How many numbers `to` is after `from`.
#[must_use]
pub fn distance(from: i32, to: i32) -> u32 {
    to.cast_unsigned().wrapping_sub(from.cast_unsigned()) & MASK
}

/// Whether `one` comes before `other`, across the wrap: of two numbers the nearer way round counts.
#[must_use]
pub fn is_before(one: i32, other: i32) -> bool {
    let distance = distance(one, other);
    distance != 0 && distance <= MASK / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_the_last_number_comes_zero() {
        assert_eq!(after(0, 3), 3);
        assert_eq!(after(i32::MAX, 1), 0);
        assert_eq!(after(i32::MAX - 1, 5), 3);
        assert_eq!(before(0, 1), i32::MAX);
        assert_eq!(before(after(i32::MAX - 3, 10), 10), i32::MAX - 3);
    }

    #[test]
    fn order_holds_across_the_wrap() {
        assert!(is_before(0, 1) && !is_before(1, 0) && !is_before(7, 7));
        assert!(is_before(i32::MAX - 2, 4) && !is_before(4, i32::MAX - 2));
    }
}
