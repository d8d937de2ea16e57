//! `date-time`, `date`, `time` (RFC 3339 section 5.6) and `duration` (its appendix A).

pub fn is_date_time(text: &str) -> bool {
    let bytes = text.as_bytes();
    let Some((date, rest)) = bytes.split_at_checked(10) else {
        return false;
    };
    match rest {
        [b'T' | b't', time @ ..] => date_holds(date) && time_holds(time),
        _ => false,
    }
}

pub fn is_date(text: &str) -> bool {
    date_holds(text.as_bytes())
}

pub fn is_time(text: &str) -> bool {
    time_holds(text.as_bytes())
}

/// `YYYY-MM-DD`, a day that the month has.
fn date_holds(date: &[u8]) -> bool {
    let &[y0, y1, y2, y3, b'-', m0, m1, b'-', d0, d1] = date else {
        return false;
    };
    let (Some(century), Some(years), Some(month), Some(day)) =
        (two(y0, y1), two(y2, y3), two(m0, m1), two(d0, d1))
    else {
        return false;
    };
    let year = century * 100 + years;
    let is_leap = year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if is_leap => 29,
        2 => 28,
        _ => return false,
    };
    (1..=days).contains(&day)
}

/// `hh:mm:ss[.fraction](Z|±hh:mm)`; second 60 only at the end of a day in UTC (section 5.7).
fn time_holds(time: &[u8]) -> bool {
    let &[h0, h1, b':', m0, m1, b':', s0, s1, ref rest @ ..] = time else {
        return false;
    };
    let (Some(hour), Some(minute), Some(second)) = (two(h0, h1), two(m0, m1), two(s0, s1)) else {
        return false;
    };
    let offset = match rest {
        [b'.', fraction @ ..] => {
            let digits = digits(fraction);
            if digits == 0 {
                return false;
            }
            fraction.get(digits..).unwrap_or_default()
        }
        offset => offset,
    };
    let Some(offset) = offset_minutes(offset) else {
        return false;
    };
    if hour > 23 || minute > 59 || second > 60 {
        return false;
    }
    let utc = (i32::from(hour) * 60 + i32::from(minute) - offset).rem_euclid(24 * 60);
    second < 60 || utc == 24 * 60 - 1
}

fn offset_minutes(offset: &[u8]) -> Option<i32> {
    let (sign, h0, h1, m0, m1) = match *offset {
        [b'Z' | b'z'] => return Some(0),
        [b'+', h0, h1, b':', m0, m1] => (1, h0, h1, m0, m1),
        [b'-', h0, h1, b':', m0, m1] => (-1, h0, h1, m0, m1),
        _ => return None,
    };
    let (hours, minutes) = (two(h0, h1)?, two(m0, m1)?);
    (hours <= 23 && minutes <= 59).then_some(sign * (i32::from(hours) * 60 + i32::from(minutes)))
}

/// The number of two digits.
fn two(tens: u8, ones: u8) -> Option<u16> {
    (tens.is_ascii_digit() && ones.is_ascii_digit())
        .then(|| u16::from(tens - b'0') * 10 + u16::from(ones - b'0'))
}

/// How many digits the text starts with.
fn digits(text: &[u8]) -> usize {
    text.iter().take_while(|byte| byte.is_ascii_digit()).count()
}

/// In the appendix's grammar units follow each other without a gap: `P1Y2D` and `PT1H2S` are none.
pub fn is_duration(text: &str) -> bool {
    let Some(mut rest) = text.as_bytes().strip_prefix(b"P") else {
        return false;
    };
    if let Some(b"W") = rest.get(digits(rest)..) {
        return rest.len() > 1;
    }
    let dates = take_units(&mut rest, b"YMD");
    let Some(dates) = dates else { return false };
    match rest {
        [] => dates > 0,
        [b'T', times @ ..] => {
            let mut times = times;
            take_units(&mut times, b"HMS").is_some_and(|count| count > 0) && times.is_empty()
        }
        _ => false,
    }
}

/// Takes `1*DIGIT unit` as long as they come, the units next to each other in `order`; how many. `None`: out of order.
fn take_units(rest: &mut &[u8], order: &[u8]) -> Option<usize> {
    let mut count = 0;
    let mut next = None;
    loop {
        let length = digits(rest);
        if length == 0 {
            return Some(count);
        }
        let unit = rest.get(length)?;
        let place = order.iter().position(|name| name == unit)?;
        if next.is_some_and(|next| next != place) {
            return None;
        }
        next = Some(place + 1);
        count += 1;
        *rest = rest.get(length + 1..).unwrap_or_default();
    }
}
