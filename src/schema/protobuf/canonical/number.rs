//! Numbers as `java.text.DecimalFormat` writes those that commons-lang's `NumberUtils.createNumber` reads: in decimal, with
//! at most three digits after the point, half to even. Confluent's normalised form loses the others.

/// Digits of a number beyond which it is not written out.
const DIGITS_MAX: usize = 4096;
const FRACTION_DIGITS: usize = 3;

/// `None`: no number that Java reads (`inf`, `-nan`), or one of too many digits; it stays as it is.
pub(super) fn normalize(text: &str) -> Option<String> {
    let (negative, magnitude) = match text.strip_prefix('-') {
        Some(magnitude) => (true, magnitude),
        None => (false, text),
    };
    if let Some(digits) = magnitude
        .strip_prefix("0x")
        .or_else(|| magnitude.strip_prefix("0X"))
    {
        return integer(negative, digits, 16);
    }
    if magnitude.bytes().all(|byte| byte.is_ascii_digit()) {
        let is_octal = magnitude.len() > 1 && magnitude.starts_with('0');
        return integer(negative, magnitude, if is_octal { 8 } else { 10 });
    }
    let decimal = Decimal::read(magnitude.trim_end_matches(['f', 'F', 'd', 'D']))?;
    let written = decimal.as_java_reads_it(magnitude)?;
    // A zero that has a point keeps its sign.
    Some(format!("{}{written}", if negative { "-" } else { "" }))
}

fn integer(negative: bool, digits: &str, radix: u32) -> Option<String> {
    let value = u128::from_str_radix(digits, radix).ok()?;
    let sign = if negative && value != 0 { "-" } else { "" };
    Some(format!("{sign}{value}"))
}

/// `0.digits` times ten to the `point`: no zeros at the ends of `digits`.
struct Decimal {
    digits: String,
    point: i64,
}

impl Decimal {
    fn read(text: &str) -> Option<Self> {
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
            None => (text, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all = format!("{whole}{fraction}");
        if all.is_empty() || !all.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let digits = all.trim_start_matches('0');
        let leading = (all.len() - digits.len()) as i64;
        let point = (whole.len() as i64 - leading).checked_add(exponent)?;
        Some(Self {
            digits: digits.trim_end_matches('0').to_owned(),
            point,
        })
    }

    /// A float if its shortest form is the double's too, else a double if it says just this number, else all digits.
    fn as_java_reads_it(&self, text: &str) -> Option<String> {
        let (float, double): (f32, f64) = (text.parse().ok()?, text.parse().ok()?);
        let is_lost = |value: f64| value.is_infinite() || (value == 0.0 && !self.digits.is_empty());
        if !is_lost(f64::from(float)) && float.to_string() == double.to_string() {
            return Self::of_double(f64::from(float));
        }
        if !is_lost(double) && Self::read(&double.to_string())?.same(self) {
            return Self::of_double(double);
        }
        self.rounded(false)
    }

    fn same(&self, other: &Self) -> bool {
        self.digits == other.digits && (self.point == other.point || self.digits.is_empty())
    }

    fn of_double(value: f64) -> Option<String> {
        // Halves are looked for in the double itself, of which below two to the 53rd this prints every digit.
        if value < 9e15 {
            return Self::read(&format!("{value:.FRACTION_DIGITS$}"))?.rounded(true);
        }
        Self::read(&value.to_string())?.rounded(true)
    }

    /// With [`FRACTION_DIGITS`] digits after the point; `is_short` has no more.
    fn rounded(&self, is_short: bool) -> Option<String> {
        let keep = self.point.checked_add(FRACTION_DIGITS as i64)?;
        if keep > DIGITS_MAX as i64 {
            return None;
        }
        let Ok(keep) = usize::try_from(keep) else {
            return Some("0".to_owned());
        };
        let digits = self.digits.get(..keep.min(self.digits.len())).unwrap_or_default();
        let dropped = self.digits.get(digits.len()..).unwrap_or_default();
        // The kept digits as an integer of thousandths.
        let mut thousandths: Vec<u8> = digits.bytes().chain(std::iter::repeat(b'0')).take(keep).collect();
        let is_odd = thousandths.last().is_some_and(|digit| digit % 2 == 1);
        if !is_short && (dropped > "5" || (dropped == "5" && is_odd)) {
            increment(&mut thousandths);
        }
        let text = String::from_utf8(thousandths).ok()?;
        let text = format!("{text:0>width$}", width = FRACTION_DIGITS + 1);
        let (whole, fraction) = text.split_at_checked(text.len().saturating_sub(FRACTION_DIGITS))?;
        let whole = whole.trim_start_matches('0');
        let whole = if whole.is_empty() { "0" } else { whole };
        let fraction = fraction.trim_end_matches('0');
        Some(match fraction {
            "" => whole.to_owned(),
            fraction => format!("{whole}.{fraction}"),
        })
    }
}

fn increment(digits: &mut Vec<u8>) {
    for digit in digits.iter_mut().rev() {
        if *digit < b'9' {
            *digit += 1;
            return;
        }
        *digit = b'0';
    }
    digits.insert(0, b'1');
}

#[cfg(test)]
mod tests {
    use super::normalize;

    #[test]
    fn numbers_are_written_as_javas_decimal_format_writes_them() {
        let cases = [
            ("1", Some("1")),
            ("0x1F", Some("31")),
            ("-0X10", Some("-16")),
            ("010", Some("8")),
            ("-0", Some("0")),
            ("18446744073709551615", Some("18446744073709551615")),
            ("1.50", Some("1.5")),
            ("1.0", Some("1")),
            ("1.", Some("1")),
            (".5", Some("0.5")),
            ("3.14159", Some("3.142")),
            ("0.0005", Some("0.001")),
            ("0.0025", Some("0.002")),
            ("0.0625", Some("0.062")),
            ("1e10", Some("10000000000")),
            ("-2.5e-1", Some("-0.25")),
            ("9007199254740993.0", Some("9007199254740993")),
            (
                "123456789012345678901.00450000000000000000000",
                Some("123456789012345678901.004"),
            ),
            ("123456789012345678901.0055", Some("123456789012345678901.006")),
            ("1999999999.9999999", Some("2000000000")),
            ("1e22", Some("9999999778196308000000")),
            ("1e5000", None),
            ("1e-400", Some("0")),
            ("-0.0001", Some("-0")),
            ("1e99999999999", None),
            ("-inf", None),
            ("nan", None),
            ("e5", None),
        ];
        for (written, expected) in cases {
            assert_eq!(normalize(written).as_deref(), expected, "{written}");
        }
        assert_eq!(normalize("1e400"), Some(format!("1{}", "0".repeat(400))));
    }
}
