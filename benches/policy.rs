//! The decisions of the cache: what a hit asks of it (directives, a verdict, a condition) and what
//! a store does. The first case is a line of `Cache-Control` read. Run: `cargo bench --bench
//! policy`.

#![expect(clippy::unwrap_used, reason = "a bench that cannot go on ends")]

mod measure;

use cistern::base::clock::Timestamp;
use cistern::base::ids::Tick;
use cistern::base::units::Span;
use cistern::policy::{
    Credentials, Exchange, Law, Manner, Profile, RequestDirectives, ResponseDirectives, Selecting,
    condition, judge, merge, storable, stored_fields,
};
use http::header::ACCEPT_LANGUAGE;
use http::{HeaderMap, Method, StatusCode};
use measure::{case, table};

fn main() {
    let request = map(&[
        ("host", "shop.example"),
        ("user-agent", "curl/8.5.0"),
        ("accept", "*/*"),
        ("accept-language", "es-CL, es;q=0.9"),
        ("cache-control", "max-age=0, no-cache"),
        ("if-none-match", "\"fedcba9876543210\", \"0123456789abcdef\""),
    ]);
    let response = map(&[
        ("server", "origin"),
        ("date", "Mon, 05 Jan 2026 10:00:00 GMT"),
        ("content-type", "application/json; charset=utf-8"),
        ("content-length", "1024"),
        ("last-modified", "Mon, 05 Jan 2026 09:00:00 GMT"),
        ("etag", "\"0123456789abcdef\""),
        ("vary", "Accept-Language"),
        ("cache-control", "public, max-age=300, stale-while-revalidate=60, s-maxage=600"),
    ]);
    let at = Timestamp::from_secs(1_767_607_200);
    let later = at.plus(Span::from_secs(100));
    let (law, manner) = (Law::default(), Manner::of(Profile::Safe));
    let exchange = Exchange {
        method: &Method::GET,
        target: "http://shop.example/items/7",
        request: &request,
        credentials: Credentials::Absent,
        status: StatusCode::OK,
        response: &response,
        asked_at: at,
        answered_at: at,
        born: Tick(1),
        directives: RequestDirectives::default(),
    };
    let keep = storable(&exchange, &law, &manner).unwrap();
    let wishes = RequestDirectives::default();
    let selecting = Selecting::of(&[ACCEPT_LANGUAGE], &request);
    let held = || condition(&request, &Method::GET, StatusCode::OK, &response, at);
    table(
        "policy",
        vec![
            case("directives of a request", || RequestDirectives::of(&request, true)),
            case("judge", || judge(&keep.stamp, &wishes, later)),
            case("directives of an answer", || ResponseDirectives::of(&response, &manner.targeted)),
            case("one variant by its field", || selecting.matches(&request)),
            case("a condition of two tags", held),
            case("storable", || storable(&exchange, &law, &manner)),
            case("fields to store", || stored_fields(&exchange, &keep, &law, &manner)),
            case("a renewal's fields merged", || merge(&response, &response, &manner)),
        ],
    );
}

fn map(lines: &[(&str, &str)]) -> HeaderMap {
    lines.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
}
