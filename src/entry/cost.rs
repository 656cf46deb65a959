//! What things cost in memory, as the allocator gives it out: a budget that counted only payload
//! would be passed by a third. The figures are checked against the resident size in a test.

/// The two counts in front of what an `Arc` holds.
pub const COUNTS: usize = 16;

/// What `bytes::Bytes` allocates beside a block as soon as it is shared.
pub const SHARED_BLOCK: u64 = 32;

/// The bytes an allocation of `len` takes: the size classes stand at four steps between powers of
/// two, and at 16 bytes below 128.
pub const fn block(len: usize) -> u64 {
    let len = len as u64;
    if len == 0 {
        return 0;
    }
    if len <= 128 {
        return len.next_multiple_of(16);
    }
    if len.is_power_of_two() {
        return len;
    }
    len.next_multiple_of(len.next_power_of_two() / 8)
}

/// What a shared text takes.
pub const fn text(len: usize) -> u64 {
    block(len + COUNTS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_follow_the_size_classes() {
        for (asked, given) in [
            (0, 0),
            (1, 16),
            (16, 16),
            (17, 32),
            (128, 128),
            (129, 160),
            (161, 192),
            (256, 256),
            (257, 320),
            (1_025, 1_280),
            (1_024, 1_024),
            (262_144, 262_144),
        ] {
            assert_eq!(block(asked), given, "{asked}");
        }
    }
}
