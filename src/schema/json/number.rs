//! Exact decimal arithmetic on numbers as they are written: comparing, equality, whole numbers, multiples. No
//! float in between, so 0.1, 1e400 and 30-digit ids mean what they say.

use std::cmp::Ordering;

/// A number as `± digits × 10^exponent`. `digits` borrows the text around the point; leading and trailing zeros
/// are not part of it, so equal numbers have equal parts. Zero has no digits.
#[derive(Clone, Copy, Debug)]
pub struct Decimal<'a> {
    negative: bool,
    whole: &'a [u8],
    fraction: &'a [u8],
    /// Power of ten of the last digit.
    exponent: i64,
    /// `digits` as a number when there are at most 19 of them.
    small: Option<u64>,
}

/// Exponents beyond this are taken as this: nothing distinguishes 10^(10^15) from more.
const EXPONENT_MAX: i64 = 1_000_000_000_000_000;

impl<'a> Decimal<'a> {
    /// `text` follows JSON's grammar of numbers.
    pub fn parse(text: &'a [u8]) -> Self {
        let (negative, text) = match text.split_first() {
            Some((b'-', rest)) => (true, rest),
            _ => (false, text),
        };
        let mantissa_end = text
            .iter()
            .position(|byte| matches!(byte, b'e' | b'E'))
            .unwrap_or(text.len());
        let (mantissa, exponent_text) = text.split_at(mantissa_end);
        let point = mantissa
            .iter()
            .position(|byte| *byte == b'.')
            .unwrap_or(mantissa.len());
        let (whole, fraction) = mantissa.split_at(point);
        let fraction = fraction.get(1..).unwrap_or_default();
        let exponent = parse_exponent(exponent_text.get(1..).unwrap_or_default());
        Self::trimmed(negative, whole, fraction, exponent)
    }

    fn trimmed(negative: bool, whole: &'a [u8], fraction: &'a [u8], exponent: i64) -> Self {
        let mut whole = trim_leading(whole);
        let mut fraction = trim_trailing(fraction);
        if whole.is_empty() {
            let significant = trim_leading(fraction);
            let exponent = exponent - fraction.len() as i64;
            return Self::with_small(negative, significant, &[], exponent);
        }
        let mut exponent = exponent - fraction.len() as i64;
        if fraction.is_empty() {
            let significant = trim_trailing(whole);
            exponent += (whole.len() - significant.len()) as i64;
            whole = significant;
            fraction = &[];
        }
        Self::with_small(negative, whole, fraction, exponent)
    }

    fn with_small(negative: bool, whole: &'a [u8], fraction: &'a [u8], exponent: i64) -> Self {
        let count = whole.len() + fraction.len();
        let mut decimal = Self {
            negative,
            whole,
            fraction,
            exponent,
            small: None,
        };
        if count == 0 {
            decimal.negative = false;
            decimal.exponent = 0;
        }
        if count <= 19 {
            decimal.small = Some(
                decimal
                    .digits()
                    .fold(0, |value, digit| value * 10 + u64::from(digit)),
            );
        }
        decimal
    }

    fn digits(&self) -> impl Iterator<Item = u8> + 'a {
        self.whole
            .iter()
            .chain(self.fraction)
            .map(|byte| byte.wrapping_sub(b'0'))
    }

    fn count(&self) -> usize {
        self.whole.len() + self.fraction.len()
    }

    pub fn is_zero(&self) -> bool {
        self.count() == 0
    }

    pub fn is_positive(&self) -> bool {
        !self.negative && !self.is_zero()
    }

    /// Whether nothing is behind the decimal point.
    pub fn is_whole(&self) -> bool {
        self.exponent >= 0
    }

    /// A whole number that is not negative; what is more than 2^32 - 1 becomes that.
    pub fn to_u32(self) -> u32 {
        let digits = self.small.unwrap_or(u64::MAX);
        let power = u32::try_from(self.exponent)
            .ok()
            .and_then(|exponent| 10u64.checked_pow(exponent));
        let value = if self.is_zero() {
            0
        } else {
            power
                .and_then(|power| digits.checked_mul(power))
                .unwrap_or(u64::MAX)
        };
        u32::try_from(value).unwrap_or(u32::MAX)
    }

    pub fn equals(&self, other: &Self) -> bool {
        self.negative == other.negative
            && self.exponent == other.exponent
            && match (self.small, other.small) {
                (Some(left), Some(right)) => left == right,
                (None, None) => self.count() == other.count() && self.digits().eq(other.digits()),
                _ => false,
            }
    }

    pub fn compare(&self, other: &Self) -> Ordering {
        let sign = |decimal: &Self| i8::from(decimal.is_positive()) - i8::from(decimal.negative);
        match sign(self).cmp(&sign(other)) {
            Ordering::Equal if self.negative => other.compare_magnitude(self),
            Ordering::Equal => self.compare_magnitude(other),
            unequal => unequal,
        }
    }

    fn compare_magnitude(&self, other: &Self) -> Ordering {
        if self.is_zero() || other.is_zero() {
            return self.count().cmp(&other.count());
        }
        let top = |decimal: &Self| decimal.exponent + decimal.count() as i64;
        top(self).cmp(&top(other)).then_with(|| {
            // Same magnitude of the first digit: the first difference decides, a missing digit is a zero.
            let mut left = self.digits();
            let mut right = other.digits();
            loop {
                match (left.next(), right.next()) {
                    (None, None) => return Ordering::Equal,
                    (left, right) => match left.unwrap_or(0).cmp(&right.unwrap_or(0)) {
                        Ordering::Equal => {}
                        unequal => return unequal,
                    },
                }
            }
        })
    }

    /// Feeds what makes equal numbers equal to a hash.
    pub fn hash_parts(&self, mut feed: impl FnMut(u64)) {
        feed(u64::from(self.negative));
        feed(self.exponent as u64);
        self.digits().for_each(|digit| feed(u64::from(digit)));
    }
}

/// A divisor for `multipleOf`.
#[derive(Clone, Copy, Debug)]
pub struct Divisor {
    digits: u64,
    exponent: i64,
}

impl Divisor {
    /// `None` unless positive with at most 19 significant digits.
    pub fn new(decimal: &Decimal<'_>) -> Option<Self> {
        if !decimal.is_positive() {
            return None;
        }
        Some(Self {
            digits: decimal.small?,
            exponent: decimal.exponent,
        })
    }

    pub fn divides(self, decimal: &Decimal<'_>) -> bool {
        if decimal.is_zero() {
            return true;
        }
        // The last digits are not zero, so a value that reaches further down than the divisor is no multiple.
        let Ok(shift) = u64::try_from(decimal.exponent - self.exponent) else {
            return false;
        };
        let modulus = u128::from(self.digits);
        let digits = decimal
            .digits()
            .fold(0u128, |value, digit| (value * 10 + u128::from(digit)) % modulus);
        (digits * power_of_ten(shift, modulus)).is_multiple_of(modulus)
    }
}

/// 10^`exponent` mod `modulus`, which is below 2^64.
fn power_of_ten(mut exponent: u64, modulus: u128) -> u128 {
    let mut base = 10 % modulus;
    let mut result = 1 % modulus;
    while exponent > 0 {
        if exponent & 1 == 1 {
            result = result * base % modulus;
        }
        base = base * base % modulus;
        exponent >>= 1;
    }
    result
}

fn parse_exponent(text: &[u8]) -> i64 {
    let (negative, digits) = match text.split_first() {
        Some((b'-', rest)) => (true, rest),
        Some((b'+', rest)) => (false, rest),
        _ => (false, text),
    };
    let value = digits.iter().fold(0i64, |value, byte| {
        (value * 10 + i64::from(byte.wrapping_sub(b'0'))).min(EXPONENT_MAX)
    });
    if negative { -value } else { value }
}

fn trim_leading(digits: &[u8]) -> &[u8] {
    let zeros = digits.iter().take_while(|byte| **byte == b'0').count();
    digits.get(zeros..).unwrap_or_default()
}

fn trim_trailing(digits: &[u8]) -> &[u8] {
    let zeros = digits.iter().rev().take_while(|byte| **byte == b'0').count();
    digits.get(..digits.len() - zeros).unwrap_or_default()
}

/// An integer of at most 18 digits, read the short way.
#[inline]
pub fn short_integer(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text.split_first() {
        Some((b'-', rest)) => (true, rest),
        _ => (false, text),
    };
    if digits.len() > 18 {
        return None;
    }
    let mut value = 0i64;
    for byte in digits {
        if !byte.is_ascii_digit() {
            return None;
        }
        value = value * 10 + i64::from(byte - b'0');
    }
    Some(if negative { -value } else { value })
}

/// How a number without an exponent, of at most 18 digits before the point, stands to an integer.
#[inline]
pub fn order_short(text: &[u8], limit: i64) -> Option<Ordering> {
    let Some(point) = text.iter().position(|byte| *byte == b'.') else {
        return short_integer(text).map(|value| value.cmp(&limit));
    };
    let (whole, fraction) = text.split_at(point);
    let whole = short_integer(whole)?;
    let mut behind = false;
    for byte in fraction.iter().skip(1) {
        if !byte.is_ascii_digit() {
            return None;
        }
        behind |= *byte != b'0';
    }
    // What is behind the point moves the number away from zero by less than one.
    Some(match whole.cmp(&limit) {
        Ordering::Equal if !behind => Ordering::Equal,
        Ordering::Equal if text.first() == Some(&b'-') => Ordering::Less,
        Ordering::Equal => Ordering::Greater,
        unequal => unequal,
    })
}
