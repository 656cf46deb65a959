//! Two clocks made one: times in a frame are those of Redis, so that nodes whose clocks differ read
//! the same age out of it.

use crate::base::clock::Timestamp;

/// How far the clock of Redis is ahead of this node's, in milliseconds; negative when it is behind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Skew(i64);

impl Skew {
    /// From milliseconds.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// From what the clock of Redis showed at a moment of this node's clock.
    pub const fn between(redis: Timestamp, own: Timestamp) -> Self {
        let (redis, own) = (redis.as_millis(), own.as_millis());
        // Either way saturating: a clock may show anything.
        if redis >= own { Self(clamped(redis - own)) } else { Self(-clamped(own - redis)) }
    }

    /// Milliseconds.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// A moment of this node's clock by the clock of Redis.
    pub const fn to_redis(self, own: Timestamp) -> Timestamp {
        Timestamp::from_millis(own.as_millis().saturating_add_signed(self.0))
    }

    /// A moment of the clock of Redis by this node's.
    pub const fn to_own(self, redis: Timestamp) -> Timestamp {
        Timestamp::from_millis(redis.as_millis().saturating_sub_signed(self.0))
    }
}

const fn clamped(millis: u64) -> i64 {
    if millis > i64::MAX as u64 { i64::MAX } else { millis.cast_signed() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        let own = Timestamp::from_secs(1_000);
        let ahead = Skew::between(Timestamp::from_secs(1_005), own);
        assert_eq!(ahead, Skew::from_millis(5_000));
        assert_eq!(ahead.to_redis(own), Timestamp::from_secs(1_005));
        assert_eq!(ahead.to_own(Timestamp::from_secs(1_005)), own);
        let behind = Skew::between(Timestamp::from_secs(993), own);
        assert_eq!(behind.as_millis(), -7_000);
        assert_eq!(behind.to_own(behind.to_redis(own)), own);
    }

    #[test]
    fn whatever_clocks_show() {
        let (first, last) = (Timestamp::default(), Timestamp::NEVER);
        assert_eq!(Skew::between(last, first).as_millis(), i64::MAX);
        assert_eq!(Skew::between(first, last).as_millis(), -i64::MAX);
        assert_eq!(Skew::from_millis(i64::MAX).to_redis(last), last);
        assert_eq!(Skew::from_millis(i64::MIN).to_redis(first), first);
        assert_eq!(Skew::from_millis(i64::MAX).to_own(first), first);
        assert_eq!(Skew::from_millis(i64::MIN).to_own(last), last);
    }
}
