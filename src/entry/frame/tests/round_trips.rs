//! What goes in comes out.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::base::limits::LABEL_TAGS_MAX;
use crate::entry::Place;
use crate::entry::body::SEGMENT_BYTES;

fn moments() -> impl Strategy<Value = Timestamp> {
    let millis =
        prop_oneof![Just(u64::MAX), Just(0), 0..4_000_000_000_000_u64, (1_u64 << 61)..(1 << 62),];
    millis.prop_map(Timestamp::from_millis)
}

prop_compose! {
    fn stamps()(
        stored in 10_000_000..4_000_000_000_000_u64,
        age: u64,
        date in moments(),
        until in [moments(), moments(), moments()],
        flags in 0..64_u8,
    ) -> Stamp {
        let [fresh_until, revalidate, error] = until;
        Stamp {
            stored_at: Timestamp::from_millis(stored),
            age_at_store: Span::from_millis(age),
            date,
            fresh_until,
            revalidate_until: revalidate.max(fresh_until),
            error_until: error.max(fresh_until),
            born: Tick(9),
            flags: StampFlags::from_bits(flags).unwrap(),
        }
    }
}

fn heads() -> impl Strategy<Value = Head> {
    let name = prop_oneof!["x-[a-z0-9]{0,12}", Just("set-cookie".to_owned())];
    let value = "[ -~\u{80}-\u{ff}]{0,40}";
    (200..=599_u16, vec((name, value), 0..40)).prop_map(|(status, lines)| {
        let status = if status == 304 { 200 } else { status };
        let lines: Vec<_> = lines.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        Head::new(StatusCode::from_u16(status).unwrap(), &fields(&lines))
    })
}

fn bodies() -> impl Strategy<Value = Body> {
    let bytes = prop_oneof![
        3 => vec(any::<u8>(), 0..3_000),
        2 => (0..200_usize).prop_map(|items| json_of(items).into_bytes()),
        1 => Just(Vec::new()),
        1 => (4 * SEGMENT_BYTES..4 * SEGMENT_BYTES + 500)
            .prop_map(|len| (0..len).map(|i| (i % 7 * i / 100) as u8).collect()),
    ];
    bytes.prop_map(|bytes| Body::from_chunks(vec![bytes.into()]))
}

fn selectings() -> impl Strategy<Value = Selecting> {
    vec(("x-[a-z]{1,8}", proptest::option::of("[ -~]{0,150}")), 0..10).prop_map(|parts| {
        let mut names: Vec<HeaderName> = parts.iter().map(|(n, _)| n.parse().unwrap()).collect();
        names.sort_by(|a, b| a.as_str().cmp(b.as_str()));
        names.dedup();
        let said = parts.iter().filter_map(|(n, v)| Some((n.as_str(), v.as_deref()?)));
        Selecting::of(&names, &fields(&said.collect::<Vec<_>>()))
    })
}

prop_compose! {
    fn labels()(
        kind in "\\PC{0,20}",
        rule in proptest::option::of("\\PC{0,20}"),
        target in proptest::option::of("http://\\PC{0,100}"),
        tags in vec("\\PC{0,60}", 0..=LABEL_TAGS_MAX),
    ) -> Labels {
        let place = Place { rule: rule.map(Arc::from), kind: kind.into() };
        Labels {
            place: Arc::new(place),
            tags: tags.into_iter().map(Arc::from).collect(),
            target: target.map(Arc::from),
        }
    }
}

prop_compose! {
    fn entries()(
        head in heads(),
        body in bodies(),
        stamp in stamps(),
        selecting in selectings(),
        labels in labels(),
    ) -> Entry {
        Entry::new(head, body, stamp, selecting, labels)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn every_entry_comes_back_as_it_was(
        entry in entries(),
        key in ("\\PC{0,40}", "[a-z:/.]{0,20}", "[0-9a-f]{0,8}"),
        number: u64,
        skew in -1_000_000..1_000_000_i64,
        pack: bool,
        seal: bool,
    ) {
        let key = Key::new(&key.0, &key.1, &key.2);
        let (ring, number, skew) = (ring(RING), Number(number), Skew::from_millis(skew));
        let packing = pack.then(|| Packing { min: 100, ..Packing::default() });
        let how = Treatment { packing, seal: seal.then_some(&ring) };
        let frame = encode(&key, &entry, number, skew, &how).unwrap().bytes;
        let shapes = Shapes::default();
        let opened = decode(&key, &frame, skew, Some(&ring), Tick(9), &shapes).unwrap();
        prop_assert_eq!(opened.entry.stamp, entry.stamp);
        prop_assert_eq!(&opened.entry.selecting, &entry.selecting);
        prop_assert_eq!(&opened.entry.labels, &entry.labels);
        prop_assert_eq!(opened.entry.head.to_header_map(), entry.head.to_header_map());
        let lengths = |body: &Body| body.segments().iter().map(Bytes::len).collect::<Vec<_>>();
        prop_assert_eq!(lengths(&opened.entry.body), lengths(&entry.body));
        prop_assert_eq!(opened.entry.used_secs(), entry.used_secs());
        let outline = outline(&frame).unwrap();
        prop_assert_eq!(outline.number, number);
        prop_assert_eq!(outline.to_labels(&shapes), entry.labels.clone());
        let was = describe(&Opened { number, sealed: seal, entry });
        prop_assert_eq!(describe(&opened), was);
    }
}

#[test]
fn an_outline_needs_the_labels_and_no_more() {
    let frame = sealed(&full("body"), &ring(RING));
    let end = outline_bytes(&frame[..HEADER_BYTES]).unwrap();
    let read = outline(&frame[..end]).unwrap();
    assert_eq!((read.number, read.kind, read.rule), (NUMBER, "item", Some("items")));
    assert_eq!(
        (read.target, read.tags),
        (Some("https://shop.example/a/7"), vec!["rut:7", "año 2026"])
    );
    assert_eq!(outline(&frame[..end - 1]), Err(FrameError::Truncated));
    assert_eq!(outline_bytes(&frame[..HEADER_BYTES - 1]), Err(FrameError::Truncated));
    assert_eq!(outline(&plain(&bare())).unwrap().rule, None);
    assert_eq!(frame[NUMBER_AT], NUMBER.0.to_le_bytes());
}

#[test]
fn bodies_are_packed_where_it_saves_and_nothing_has_done_it_before() {
    let packing = Some(Packing::default());
    let how = Treatment { packing, seal: None };
    let entry = full(&json_of(100));
    let packed = |entry: &Entry| encode(&key(), entry, NUMBER, NO_SKEW, &how).unwrap().bytes;
    assert!(packed(&entry).len() < plain(&entry).len() / 2);
    assert_eq!(packed(&full(&json_of(10))), plain(&full(&json_of(10))), "too short");
    for (coding, packs) in [("identity", true), ("gzip", false), ("identity, br", false)] {
        let head = Head::new(StatusCode::OK, &fields(&[("content-encoding", coding)]));
        let coded = Entry { head, ..full(&json_of(100)) };
        assert_eq!(packed(&coded).len() < plain(&coded).len(), packs, "{coding}");
    }
}

#[test]
fn a_packed_body_comes_back_in_both_forms_where_it_may_go_out_so() {
    let (full_frame, longer) = ("x".repeat(SEGMENT_BYTES), "x".repeat(SEGMENT_BYTES + 1));
    for (tag, body, seal, whole) in [
        ("W/\"1\"", &json_of(100), false, true),
        ("W/\"1\"", &full_frame, false, true),
        ("W/\"1\"", &longer, false, false),
        ("\"1\"", &json_of(100), false, false),
        ("W/\"1\"", &json_of(100), true, false),
        ("W/\"1\"", &json_of(1), false, false),
    ] {
        let head = Head::new(StatusCode::OK, &fields(&[("etag", tag)]));
        let entry = Entry { head, ..full(body) };
        let ring = ring(RING);
        let how = Treatment { packing: Some(Packing::default()), seal: seal.then_some(&ring) };
        let framed = encode(&key(), &entry, NUMBER, NO_SKEW, &how).unwrap();
        let opened = open_with(&framed.bytes, Some(&ring)).unwrap().entry;
        assert_eq!(opened.body.to_bytes(), body.as_bytes());
        let coded = opened.body.coded().map(Body::to_bytes);
        assert_eq!(coded.is_some(), whole, "{tag} {seal} {}", body.len());
        let fits = (1_024..=SEGMENT_BYTES).contains(&body.len());
        assert_eq!(framed.packed.is_some(), !seal && fits);
        if let Some(coded) = coded {
            assert_eq!(Some(&coded[..]), framed.packed.as_deref());
            let plain = zstd::stream::decode_all(&coded[..]).unwrap();
            assert_eq!(plain, body.as_bytes());
        }
    }
}

#[test]
fn clocks_that_differ_read_the_same_age() {
    let redis = |secs: u64| Timestamp::from_secs(10_000 + secs);
    // One node is five seconds fast, the other five slow.
    let (fast, slow) = (Span::from_secs(5), Span::from_secs(5));
    let (writer, reader) = (
        Skew::between(redis(0), redis(0).plus(fast)),
        Skew::between(redis(0), redis(0).minus(slow)),
    );
    let stored_at = redis(0).plus(fast);
    let stamp = Stamp {
        stored_at,
        age_at_store: Span::from_secs(3),
        fresh_until: stored_at.plus(Span::from_secs(60)),
        revalidate_until: stored_at.plus(Span::from_secs(70)),
        ..full("").stamp
    };
    let entry = Entry { stamp, ..full("text") };
    let frame = encode(&key(), &entry, NUMBER, writer, &Treatment::default()).unwrap().bytes;
    let opened = decode(&key(), &frame, reader, None, Tick(1), &Shapes::default()).unwrap();
    let read = opened.entry.stamp;
    let now = |secs| redis(secs).minus(slow);
    assert_eq!(read.age(now(10)), Span::from_secs(13));
    assert!(read.is_fresh(now(59)) && !read.is_fresh(now(60)));
    assert_eq!(read.revalidate_until, now(70));
    assert_eq!(read.error_until, Timestamp::NEVER);
    assert_eq!(read.date, entry.stamp.date, "what the origin said is served as it was");
    assert_eq!(read.born, Tick(1));
}

#[test]
fn what_was_dead_on_arrival_stays_dead() {
    let stored_at = Timestamp::from_secs(1_000);
    let ends = [Timestamp::from_secs(940), Timestamp::from_secs(990), Timestamp::from_secs(1_010)];
    let [fresh_until, revalidate_until, error_until] = ends;
    let stamp = Stamp { stored_at, fresh_until, revalidate_until, error_until, ..full("").stamp };
    let frame = plain(&Entry { stamp, ..full("") });
    assert_eq!(open(&frame).unwrap().entry.stamp, stamp);
}

#[test]
fn what_a_credential_selects_has_no_frame() {
    let framed = |name: &'static str, said: &[(&str, &str)]| {
        let names = [HeaderName::from_static(name)];
        let selecting = Selecting::of(&names, &fields(said));
        encode(&key(), &Entry { selecting, ..full("") }, NUMBER, NO_SKEW, &Treatment::default())
    };
    for name in ["cookie", "authorization", "x-api-key", "proxy-authorization"] {
        assert_eq!(framed(name, &[(name, "secret")]), Err(FrameError::Secret), "{name}");
        assert!(framed(name, &[]).is_ok(), "nobody's secret is in an absent {name}");
    }
    assert!(framed("accept", &[("accept", "text/html")]).is_ok());
}

#[test]
fn what_no_frame_can_hold_has_none() {
    let framed =
        |entry: Entry| encode(&key(), &entry, NUMBER, NO_SKEW, &Treatment::default()).map(|_| ());
    let lines: Vec<_> = (0..257).map(|i| (format!("x-{i}"), "1")).collect();
    let lines: Vec<_> = lines.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    let head = |count| Head::new(StatusCode::OK, &fields(&lines[..count]));
    assert_eq!(framed(Entry { head: head(256), ..full("") }), Ok(()));
    assert_eq!(framed(Entry { head: head(257), ..full("") }), Err(FrameError::TooLong));
    let long = "x".repeat(330 * 1_024);
    let head = Head::new(StatusCode::OK, &fields(&[("x-long", &long)]));
    assert_eq!(framed(Entry { head, ..full("") }), Err(FrameError::TooLong));
    let tagged = |tag: &str, count: usize| {
        let tags = vec![Arc::from(tag); count].into();
        framed(Entry { labels: Labels { tags, ..Labels::default() }, ..full("") })
    };
    assert_eq!(tagged(&long[..8 * 1_024], 66), Ok(()));
    assert_eq!(tagged(&long[..=8 * 1_024], 1), Err(FrameError::TooLong));
    assert_eq!(tagged("t", 67), Err(FrameError::TooLong));
    let target = Some(Arc::from(&long[..65_536]));
    let labels = Labels { target, ..Labels::default() };
    assert_eq!(framed(Entry { labels, ..full("") }), Err(FrameError::TooLong));
    let body = Body::from_chunks(vec![vec![7; FRAME_BODY_BYTES_MAX as usize + 1].into()]);
    assert_eq!(framed(Entry { body, ..full("") }), Err(FrameError::TooLong));
    let head = Head::new(StatusCode::NOT_MODIFIED, &HeaderMap::new());
    assert_eq!(framed(Entry { head, ..full("") }), Err(FrameError::Corrupt("status")));
    let head = Head::new(StatusCode::OK, &fields(&[("transfer-encoding", "chunked")]));
    assert_eq!(framed(Entry { head, ..full("") }), Err(FrameError::Corrupt("field name")));
}

#[test]
fn an_entry_pins_nothing_of_its_frame() {
    for body in [json_of(1), json_of(10_000)] {
        let frame = plain(&full(&body));
        let opened = open(&frame).unwrap();
        assert!(frame.is_unique(), "{}", body.len());
        let own_names = full(&body).head.name_bytes();
        assert_eq!(opened.entry.cost() + own_names, full(&body).cost());
    }
}
