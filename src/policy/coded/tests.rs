use super::*;
use crate::policy::testing::{lines, map};

fn codable(status: u16, head: &[(&str, &str)]) -> bool {
    let fields = map(head);
    let lines = fields.iter().map(|(name, value)| (name, value.as_bytes()));
    may_be_coded(StatusCode::from_u16(status).unwrap(), lines)
}

#[test]
fn an_ordinary_answer_may_be_coded() {
    let weak = ("etag", "W/\"1\"");
    for head in [
        &[][..],
        &[weak],
        &[("etag", " W/\"a, b\" ")],
        &[("last-modified", "Fri, 20 Nov 2026 12:00:00 GMT"), ("vary", "accept-language")],
        &[("cache-control", "public, max-age=60"), ("content-type", "application/json")],
        &[("cache-control", "x=no-transform, transform, no-transforms")],
        &[("accept-ranges", "bytes"), ("vary", "Accept-Encoding")],
    ] {
        assert!(codable(200, head), "{head:?}");
    }
}

#[test]
fn what_speaks_of_the_exact_bytes_forbids_it() {
    for head in [
        ("content-encoding", "gzip"),
        ("content-encoding", "identity"),
        ("content-encoding", ""),
        ("etag", "\"1\""),
        ("etag", "1"),
        ("etag", ""),
        ("etag", "w/\"1\""),
        ("etag", "W/1"),
        ("etag", "W/\"1"),
        ("etag", "W/\"1\", \"2\""),
        ("content-digest", "sha-256=:x:"),
        ("repr-digest", "sha-256=:x:"),
        ("digest", "sha-256=x"),
        ("content-md5", "x"),
        ("signature", "a=:x:"),
        ("signature-input", "a=()"),
        ("cache-control", "no-transform"),
        ("cache-control", "max-age=60 , No-Transform"),
        ("cache-control", "no-transform=1"),
        ("cache-control", "private=\"a, no-transform\""),
        ("cache-control", "private=\"a, no-transform, b"),
        ("cache-control", "\"no-transform\""),
        ("cdn-cache-control", "max-age=60, no-transform"),
        ("surrogate-control", "no-transform"),
    ] {
        assert!(!codable(200, &[head]), "{head:?}");
        assert!(!codable(200, &[("etag", "W/\"1\""), ("x-a", "b"), head]), "{head:?}");
    }
    assert!(!codable(200, &[("etag", "W/\"1\""), ("etag", "\"1\"")]), "each line counts");
    assert!(!codable(200, &[("cache-control", "public"), ("cache-control", "no-transform")]));
}

#[test]
fn only_what_is_whole_and_usual_is_coded() {
    for status in [201, 203, 204, 206, 301, 404, 410, 500] {
        assert!(!codable(status, &[]), "{status}");
    }
}

fn accepting(values: &[&str]) -> Form {
    form(&map(&values.iter().map(|value| ("accept-encoding", *value)).collect::<Vec<_>>()))
}

#[test]
fn who_names_the_coding_and_wants_it_no_less_gets_it() {
    for values in [
        &["zstd"][..],
        &["gzip, deflate, br, zstd"],
        &["ZSTD"],
        &["zstd;q=1"],
        &["zstd ; q=0.001"],
        &["zstd;Q=1.000"],
        &["zstd;q=1."],
        &["gzip;q=0, zstd;q=0.5"],
        &["zstd;q=0.5, identity;q=0.5"],
        &["zstd, identity;q=0"],
        &["zstd;q=0.1, *;q=1"],
        &["gzip;q=1.0, br;q=1.0, zstd;q=0.2"],
        &["gzip", "br", "zstd"],
        &["", "zstd", ""],
        &[" , ,zstd,, "],
        &["zstd", "zstd;q=0.5"],
    ] {
        assert_eq!(accepting(values), Form::Coded, "{values:?}");
    }
}

#[test]
fn who_does_not_name_it_or_wants_it_less_does_not() {
    for values in [
        &[][..],
        &[""],
        &["gzip, deflate, br"],
        &["*"],
        &["identity;q=0, *"],
        &["x-zstd"],
        &["zst"],
        &["zstd;q=0"],
        &["zstd;q=0.000"],
        &["zstd;q=0.4, identity;q=0.5"],
        &["zstd;q=0.9, identity"],
        &["zstd;q=0.9", "identity"],
        &["zstd", "zstd;q=0"],
        &["zstd;q=0.5, identity;q=0, identity;q=1"],
    ] {
        assert_eq!(accepting(values), Form::Plain, "{values:?}");
    }
}

#[test]
fn a_list_that_cannot_be_read_asks_for_nothing() {
    for bad in [
        "zstd;q=2",
        "zstd;q=1.001",
        "zstd;q=0.0001",
        "zstd;q=",
        "zstd;q=.5",
        "zstd;q=0,5",
        "zstd;q=-1",
        "zstd;q=0.5a",
        "zstd;q =1",
        "zstd;q=\"1\"",
        "zstd;level=3",
        "zstd;q=1;q=1",
        "zstd;",
        ";q=1",
        "zs td",
        "\"zstd\"",
        "zstd/1",
    ] {
        assert_eq!(accepting(&[bad]), Form::Plain, "{bad}");
        assert_eq!(accepting(&["zstd", bad]), Form::Plain, "{bad} after a good one");
    }
    for bad in ["gzip;q=x", "br;w=1", "a b", "gzip; q=1;"] {
        assert_eq!(accepting(&[bad, "zstd"]), Form::Plain, "{bad}");
    }
    assert_eq!(form(&map(&[("accept-encoding", "zstd, caf\u{e9}")])), Form::Plain);
}

#[test]
fn a_wish_for_the_untouched_or_for_a_part_is_met_plainly() {
    let with = |name: &str, value: &str| form(&map(&[("accept-encoding", "zstd"), (name, value)]));
    assert_eq!(with("cache-control", "max-age=0"), Form::Coded);
    assert_eq!(with("cache-control", "max-age=0, no-transform"), Form::Plain);
    assert_eq!(with("range", "bytes=0-1"), Form::Part);
    assert_eq!(with("range", "nonsense"), Form::Part);
    assert_eq!(with("if-range", "\"1\""), Form::Coded, "it says nothing without a range");
    assert_eq!(form(&map(&[("range", "bytes=0-1")])), Form::Plain);
    let both = [("accept-encoding", "zstd"), ("range", "bytes=0-1"), ("cache-control", "a")];
    assert_eq!(form(&map(&both)), Form::Part);
    assert_eq!(form(&map(&[both[0], both[1], ("cache-control", "no-transform")])), Form::Plain);
}

#[test]
fn reading_a_request_allocates_nothing() {
    let request = map(&[
        ("accept-encoding", "gzip;q=0.8, deflate, br, zstd;q=0.9"),
        ("accept-encoding", "identity;q=0.1"),
        ("cache-control", "max-age=0"),
    ]);
    let info = allocation_counter::measure(|| assert_eq!(form(&request), Form::Coded));
    assert_eq!(info.count_total, 0);
}

#[test]
fn vary_says_it_once() {
    let varied = |values: &[&str]| {
        let mut fields = map(&values.iter().map(|value| ("vary", *value)).collect::<Vec<_>>());
        vary(&mut fields);
        lines(&fields, "vary")
    };
    assert_eq!(varied(&[]), ["Accept-Encoding"]);
    assert_eq!(varied(&["origin"]), ["origin", "Accept-Encoding"]);
    assert_eq!(varied(&["x-accept-encoding"]), ["x-accept-encoding", "Accept-Encoding"]);
    for there in [
        &["accept-encoding"][..],
        &["Origin, Accept-Encoding"],
        &["origin", "ACCEPT-ENCODING , a"],
        &["*"],
        &["a, *"],
    ] {
        assert_eq!(varied(there), there);
    }
}

#[test]
fn a_coded_head_offers_no_parts() {
    let mut fields = map(&[("accept-ranges", "bytes"), ("content-type", "a/b")]);
    mark(&mut fields);
    assert_eq!(fields, map(&[("content-type", "a/b"), ("content-encoding", "zstd")]));
    assert!(fields.keys().all(|name| !is_of_plain(name)));
    assert!(is_of_plain(&header::ACCEPT_RANGES));
}

#[test]
fn a_part_is_not_continued_by_a_date_that_both_forms_share() {
    let asks = |name: &str| spoils_parts(&map(&[(name, "x")]), &Method::GET);
    assert!(asks("if-range") && !asks("range") && !asks("if-modified-since"));
    assert!(!spoils_parts(&map(&[("if-range", "x")]), &Method::HEAD));
}
