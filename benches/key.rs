//! Building keys by rules: finding the route of a request and writing its key. The first case has
//! no rule, where the target itself is the key. Run: `cargo bench --bench key`.

#![expect(clippy::unwrap_used, reason = "a bench that cannot go on ends")]

mod measure;

use cistern::entry::Key;
use cistern::rules::{Asked, LoadContext, Rulebook, Source, load};
use http::header::{ACCEPT_LANGUAGE, AUTHORIZATION, COOKIE};
use http::{HeaderMap, HeaderValue, Method};
use measure::{case, table};

/// A rules file of the usual shapes; `fill` stands for a hundred routes that do not match.
fn rules(fill: usize) -> String {
    let others = (0..fill)
        .map(|n| {
            format!(
                "[[route]]\nname = \"r{n}\"\nmatch = \"GET /api/r{n}/{{id}}\"\n\
                 key = \"r{n}:{{id}}\"\nttl = \"1m\"\nshare = \"public\"\n\n"
            )
        })
        .collect::<Vec<_>>()
        .concat();
    format!("version = 1\n\n{others}{ROUTES}")
}

const ROUTES: &str = r#"
[[route]]
name = "path"
match = "GET /items/{id:int}"
key = "items:{id}"
ttl = "1h"
share = "public"

[[route]]
name = "path-and-query"
match = "GET /users/{user}/orders"
key = "orders:{user}:page:{query.page|default(1)}:size:{query.size|default(20)}"
ttl = "1h"
share = "public"

[[route]]
name = "whole-query"
match = "GET /search"
key = "search:{query}"
query.sort = true
ttl = "1h"
share = "public"

[[route]]
name = "fields"
match = "GET /news/{id}"
key = "news:{id}:{header.accept-language}:{cookie.theme|default(light)}"
ttl = "1h"
share = "public"
"#;

fn main() {
    let fields = fields();
    let (few, many) = (book(&rules(0)), book(&rules(100)));
    let plain = book("version = 1\n");
    let at = |target| Asked {
        method: &Method::GET,
        scheme: "http",
        authority: "shop.example",
        target,
        fields: &fields,
        trusted: false,
    };
    let orders = at("/users/ana%20b/orders?size=50&page=3");
    table(
        "the key of a read",
        vec![
            case("no rule: the target", || target_key(&plain, &orders)),
            case("path", || key(&few, &at("/items/12345"))),
            case("path and query", || key(&few, &orders)),
            case("path and query, behind 100 routes", || key(&many, &orders)),
            case("whole query, sorted", || key(&few, &at("/search?q=blue+shoes&page=3&size=50"))),
            case("path, header and cookie", || key(&few, &at("/news/77"))),
        ],
    );
}

fn book(text: &str) -> Rulebook {
    let source = Source { name: "rules.toml".into(), text: text.into() };
    load(&[source], &LoadContext::default()).unwrap().book
}

fn fields() -> HeaderMap {
    HeaderMap::from_iter([
        (ACCEPT_LANGUAGE, HeaderValue::from_static("es-CL")),
        (COOKIE, HeaderValue::from_static("session=0123456789abcdef; theme=dark")),
        (AUTHORIZATION, HeaderValue::from_static("Bearer abc.def.ghi")),
    ])
}

fn target_key(book: &Rulebook, asked: &Asked<'_>) -> Key {
    assert!(book.route(asked).is_none());
    Key::new(&format!("{}://{}{}", asked.scheme, asked.authority, asked.target), "", "")
}

fn key(book: &Rulebook, asked: &Asked<'_>) -> Key {
    let (route, captures) = book.route(asked).unwrap();
    let planned = route.read_plan(asked, &captures, None, None.into()).unwrap();
    Key::new(&planned.key.unwrap(), "http://shop.example", "")
}
