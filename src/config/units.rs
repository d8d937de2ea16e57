//! Sizes and durations as people write them.

use std::time::Duration;

/// `100MiB`, `64 KB`, `4096` (bytes).
pub fn bytes(text: &str) -> Result<usize, String> {
    let (number, unit) = split(text).ok_or_else(|| format!("`{text}` is not a size"))?;
    let scale: u64 = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kib" | "k" => 1 << 10,
        "mib" | "m" => 1 << 20,
        "gib" | "g" => 1 << 30,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        _ => return Err(format!("`{unit}` is not a unit of size")),
    };
    let bytes = number
        .checked_mul(scale)
        .and_then(|bytes| usize::try_from(bytes).ok());
    bytes.ok_or_else(|| format!("`{text}` is more than this machine can count"))
}

/// `250ms`, `30s`, `5m`, `1h`. A unit is needed: a bare number has been seconds here and milliseconds there.
pub fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = split(text).ok_or_else(|| format!("`{text}` is not a duration"))?;
    let scale_ms: u64 = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        "" => return Err(format!("`{text}` has no unit")),
        _ => return Err(format!("`{unit}` is not a unit of time")),
    };
    let milliseconds = number.checked_mul(scale_ms);
    milliseconds
        .map(Duration::from_millis)
        .ok_or_else(|| format!("`{text}` is too long"))
}

/// The digits in front, and the unit behind them.
fn split(text: &str) -> Option<(u64, &str)> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(end);
    Some((digits.parse().ok()?, unit.trim_start()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_binary_and_decimal_units() {
        assert_eq!(bytes("100MiB"), Ok(104_857_600));
        assert_eq!(bytes("1GiB"), Ok(1 << 30));
        assert_eq!(bytes("64 kb"), Ok(64_000));
        assert_eq!(bytes("4096"), Ok(4096));
        assert!(bytes("1.5GiB").is_err());
        assert!(bytes("-1").is_err());
        assert!(bytes("10 apples").unwrap_err().contains("apples"));
        assert!(bytes("99999999999GiB").unwrap_err().contains("more than"));
        assert!(bytes("").is_err());
    }

    #[test]
    fn durations_need_a_unit() {
        assert_eq!(duration("30s"), Ok(Duration::from_secs(30)));
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(duration("5m"), Ok(Duration::from_mins(5)));
        assert_eq!(duration("1h"), Ok(Duration::from_hours(1)));
        assert!(duration("30").unwrap_err().contains("no unit"));
        assert!(duration("30 years").unwrap_err().contains("years"));
        assert!(
            duration("18446744073709551615h")
                .unwrap_err()
                .contains("too long")
        );
    }
}
