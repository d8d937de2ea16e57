//! How often somebody may ask: token buckets, bounded in number. The clock is the caller's.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Somebody new, when so many are known and busy, shares a bucket with everybody else who is new.
const BUCKETS_MAX: usize = 10_000;
/// A longer wait is not told: nobody should stop for a day because of a clock.
const WAIT_MAX: Duration = Duration::from_hours(1);

/// Tokens that come back at a steady rate, up to a burst.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Rate {
    pub per_second: f64,
    pub burst: u32,
}

impl Rate {
    #[must_use]
    pub fn per_minute(times: u32) -> Self {
        Self {
            per_second: f64::from(times) / 60.0,
            burst: times,
        }
    }
}

#[derive(Clone, Copy)]
struct Bucket {
    tokens: f64,
    at: Instant,
}

impl Bucket {
    fn full(rate: Rate, now: Instant) -> Self {
        Self {
            tokens: f64::from(rate.burst),
            at: now,
        }
    }

    fn fill(&mut self, rate: Rate, now: Instant) {
        // A clock that goes back gives nothing and takes nothing.
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.tokens = (self.tokens + passed * rate.per_second).min(f64::from(rate.burst));
        self.at = self.at.max(now);
    }

    /// How long until there is a token.
    fn wait(&self, rate: Rate) -> Option<Duration> {
        if self.tokens >= 1.0 {
            return None;
        }
        let seconds = (1.0 - self.tokens) / rate.per_second;
        Some(
            Duration::try_from_secs_f64(seconds)
                .unwrap_or(WAIT_MAX)
                .min(WAIT_MAX),
        )
    }
}

/// A bucket for everybody who has a key.
pub struct Buckets<K> {
    rate: Rate,
    keys_max: usize,
    state: Mutex<State<K>>,
}

struct State<K> {
    buckets: HashMap<K, Bucket>,
    others: Option<Bucket>,
    /// When full buckets were looked for without finding any.
    swept: Option<Instant>,
}

impl<K: Hash + Eq> Buckets<K> {
    #[must_use]
    pub fn new(rate: Rate) -> Self {
        Self {
            rate,
            keys_max: BUCKETS_MAX,
            state: Mutex::new(State {
                buckets: HashMap::new(),
                others: None,
                swept: None,
            }),
        }
    }

    /// Takes a token.
    ///
    /// # Errors
    /// How long until there is one.
    pub fn take(&self, key: K, now: Instant) -> Result<(), Duration> {
        self.with(key, now, |bucket, rate| {
            bucket.wait(rate).map_or(Ok(()), Err)?;
            bucket.tokens -= 1.0;
            Ok(())
        })
    }

    /// Whether there is a token, without taking it.
    ///
    /// # Errors
    /// How long until there is one.
    pub fn look(&self, key: K, now: Instant) -> Result<(), Duration> {
        self.with(key, now, |bucket, rate| bucket.wait(rate).map_or(Ok(()), Err))
    }

    fn with<T>(&self, key: K, now: Instant, act: impl FnOnce(&mut Bucket, Rate) -> T) -> T {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let state = &mut *state;
        let full = Bucket::full(self.rate, now);
        if state.buckets.len() >= self.keys_max && !state.buckets.contains_key(&key) {
            state.forget_full(self.rate, now);
        }
        let room = state.buckets.len() < self.keys_max || state.buckets.contains_key(&key);
        let bucket = if room {
            state.buckets.entry(key).or_insert(full)
        } else {
            state.others.get_or_insert(full)
        };
        bucket.fill(self.rate, now);
        act(bucket, self.rate)
    }
}

impl<K: Hash + Eq> State<K> {
    /// A bucket that is full again is as good as none. Looked for once a second, not once a request.
    fn forget_full(&mut self, rate: Rate, now: Instant) {
        let lately = |swept: Instant| now.saturating_duration_since(swept) < Duration::from_secs(1);
        if self.swept.is_some_and(lately) {
            return;
        }
        self.swept = Some(now);
        self.buckets.retain(|_, bucket| {
            bucket.fill(rate, now);
            bucket.tokens < f64::from(rate.burst)
        });
    }
}

/// Whom an address stands for: an IPv6 host has as many addresses in its /64 as it likes.
#[must_use]
pub fn host_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from(u128::from(address) & !u128::from(u64::MAX))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate {
        per_second: 10.0,
        burst: 3,
    };

    #[test]
    fn a_burst_is_served_and_then_the_rate() {
        let buckets = Buckets::new(RATE);
        let start = Instant::now();
        for _ in 0..3 {
            assert_eq!(buckets.look("a", start), Ok(()));
            assert_eq!(buckets.take("a", start), Ok(()));
        }
        assert_eq!(buckets.take("a", start), Err(Duration::from_millis(100)));
        assert_eq!(buckets.take("b", start), Ok(()), "each has its own");
        let later = start + Duration::from_millis(100);
        assert_eq!(buckets.take("a", later), Ok(()));
        assert!(buckets.look("a", later).is_err());
        // A clock that jumps back opens nothing.
        assert!(buckets.take("a", start).is_err());
        let much_later = start + Duration::from_hours(1);
        let served = (0..10).filter(|_| buckets.take("a", much_later).is_ok()).count();
        assert_eq!(served, 3, "no more than the burst gathers");
    }

    #[test]
    fn the_number_of_buckets_is_bounded_and_idle_ones_make_room() {
        let mut buckets = Buckets::new(RATE);
        buckets.keys_max = 10;
        let start = Instant::now();
        for key in 0..10 {
            buckets.take(key, start).unwrap();
        }
        let served = (10..20).filter(|key| buckets.take(*key, start).is_ok()).count();
        assert_eq!(served, 3, "the others share one");
        assert_eq!(buckets.state.lock().unwrap().buckets.len(), 10);
        let later = start + Duration::from_secs(2);
        buckets.take(20, later).unwrap();
        assert_eq!(buckets.state.lock().unwrap().buckets.len(), 1);
    }

    #[test]
    fn a_rate_of_nearly_nothing_still_tells_a_wait() {
        let buckets = Buckets::new(Rate {
            per_second: f64::MIN_POSITIVE,
            burst: 1,
        });
        let now = Instant::now();
        buckets.take((), now).unwrap();
        assert_eq!(buckets.take((), now), Err(WAIT_MAX));
    }

    #[test]
    fn an_ipv6_host_is_its_network() {
        let of = |text: &str| host_of(text.parse().unwrap());
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:1:2"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
    }
}
