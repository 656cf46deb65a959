use super::*;

fn take(bytes: &[u8]) -> Result<(), Excess> {
    Replies::new(1_000).take(bytes)
}

/// Whether a reply is at its end, however it was cut.
fn is_between(wire: &[u8]) -> bool {
    let mut whole = Replies::new(1_000);
    whole.take(wire).unwrap();
    let mut bytewise = Replies::new(1_000);
    for byte in wire {
        bytewise.take(&[*byte]).unwrap();
    }
    let between = |replies: &Replies| {
        matches!(replies.at, At::Mark) && replies.open.is_empty() && replies.bytes == 0
    };
    assert_eq!(between(&whole), between(&bytewise));
    between(&whole)
}

#[test]
fn replies_are_followed_to_their_end() {
    for wire in [
        &b"+OK\r\n"[..],
        b"-ERR no\r\n",
        b":-12\r\n",
        b"$-1\r\n",
        b"*-1\r\n",
        b"*0\r\n",
        b"$0\r\n\r\n",
        b"$5\r\na\r\nb\n\r\n",
        b"*2\r\n*2\r\n:1\r\n$1\r\nx\r\n*1\r\n*0\r\n",
        b"+OK\r\n*1\r\n+OK\r\n:1\r\n",
    ] {
        assert!(is_between(wire), "{}", wire.escape_ascii());
        assert!(!is_between(&wire[..wire.len() - 1]), "{}", wire.escape_ascii());
    }
}

#[test]
fn what_is_no_reply_is_refused() {
    for wire in [
        &b"HTTP/1.1 400 Bad Request\r\n"[..],
        b"%1\r\n",
        b"\r\n",
        b"$x\r\n",
        b":12x\r\n",
        b"$-2\r\n",
        b"$\r\n",
        b"+OK\n",
        b"*123456789012345678901234567890",
    ] {
        assert_eq!(take(wire), Err(Excess::Shape), "{}", wire.escape_ascii());
    }
}

#[test]
fn lengths_are_believed_only_up_to_the_bound() {
    assert_eq!(take(b"$997\r\n"), Err(Excess::Bytes), "with its line");
    assert_eq!(take(b"$990\r\n"), Ok(()));
    assert_eq!(take(b"$9223372036854775807\r\n"), Err(Excess::Bytes));
    let several = b"*2\r\n$600\r\n".iter().copied().chain([b'x'; 600]).chain(*b"\r\n$600\r\n");
    assert_eq!(take(&several.collect::<Vec<_>>()), Err(Excess::Bytes), "in one reply");
    let one = || b"$600\r\n".iter().copied().chain([b'x'; 600]).chain(*b"\r\n");
    assert_eq!(take(&one().chain(one()).collect::<Vec<_>>()), Ok(()), "in two");
    assert_eq!(take(&[b"+".as_slice(), &b"x".repeat(20_000)].concat()), Err(Excess::Bytes));
}

#[test]
fn so_are_counts_and_depths() {
    assert_eq!(take(b"*262144\r\n"), Ok(()));
    assert_eq!(take(b"*262145\r\n"), Err(Excess::Parts));
    assert_eq!(take(b"*9223372036854775807\r\n"), Err(Excess::Parts));
    let nested = |depth: usize| b"*1\r\n".repeat(depth);
    assert_eq!(take(&nested(16)), Ok(()));
    assert_eq!(take(&nested(17)), Err(Excess::Depth));
    let mut replies = Replies::new(1_000);
    replies.take(b"*2\r\n*262142\r\n").unwrap();
    for _ in 0..262_142 {
        // Bytes are counted too; nil costs three.
        replies.bytes = 0;
        replies.take(b"$-1\r\n").unwrap();
    }
    assert_eq!(replies.take(b"*1\r\n"), Err(Excess::Parts), "inner ones count");
}
