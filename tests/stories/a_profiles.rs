//! What the two profiles part over: everything a standard leaves to the cache.

use crate::support::cistern::{Cistern, in_front_of};
use crate::support::client::{ask, get};
use crate::support::origin::{Origin, text};

const SAFE: &str = "safe";
const RFC: &str = "rfc";

fn under(profile: &str) -> (Origin, Cistern) {
    let origin = Origin::start();
    let cistern = in_front_of(origin.address()).profile(profile).start();
    (origin, cistern)
}

#[test]
fn safe_is_the_default() {
    let origin = Origin::start();
    origin.answers("GET /a", text("x").for_a_minute().field("Set-Cookie: a=b"));
    let cistern = in_front_of(origin.address()).start();
    cistern.get("/a").passed_because("set-cookie");
}

#[test]
fn cookies_of_the_answer() {
    for profile in [SAFE, RFC] {
        let (origin, cistern) = under(profile);
        origin.answers("GET /a", text("x").for_a_minute().field("Set-Cookie: a=b"));
        cistern.get("/a").served_by_origin();
        let again = cistern.get("/a");
        assert_eq!(again.is_hit(), profile == RFC);
        assert_eq!(again.get("set-cookie").as_deref(), Some("a=b"));
    }
}

#[test]
fn wishes_of_the_client() {
    for profile in [SAFE, RFC] {
        let (origin, cistern) = under(profile);
        origin.answers("GET /a", text("x").for_a_minute());
        cistern.get("/a");
        for line in ["no-cache", "max-age=0", "min-fresh=100"] {
            let wish = cistern.send(&get("/a").header("Cache-Control", line));
            assert_eq!(wish.is_hit(), profile == SAFE, "{profile}: {line}");
        }
        let pragma = cistern.send(&get("/a").header("Pragma", "no-cache"));
        assert_eq!(pragma.is_hit(), profile == SAFE, "{profile}: Pragma");
        let asked = origin.asked("GET /a");
        assert_eq!(asked == 1, profile == SAFE, "{profile}: {asked}");
    }
}

#[test]
fn lifetimes_that_nobody_named() {
    for profile in [SAFE, RFC] {
        let (origin, cistern) = under(profile);
        let old = "Last-Modified: Sat, 01 Jan 2022 00:00:00 GMT";
        origin.answers("GET /a", text("x").field(old));
        cistern.get("/a");
        assert_eq!(cistern.get("/a").is_hit(), profile == RFC, "{profile}");
    }
}

#[test]
fn answers_to_a_post_that_say_where_they_stand() {
    for profile in [SAFE, RFC] {
        let (origin, cistern) = under(profile);
        origin.answers("POST /a", text("posted").for_a_minute().field("Content-Location: /a"));
        origin.answers("GET /a", text("got"));
        cistern.send(&ask("POST", "/a")).with_status(200);
        let body = if profile == RFC { "posted" } else { "got" };
        assert_eq!(cistern.get("/a").text(), body, "{profile}");
    }
}

#[test]
fn cookies_of_the_request() {
    for profile in [SAFE, RFC] {
        let (origin, cistern) = under(profile);
        origin.answers("GET /a", text("x").for_a_minute());
        let mine = get("/a").cookie("session=1");
        cistern.send(&mine);
        assert_eq!(cistern.send(&mine).is_hit(), profile == RFC, "{profile}");
        // A cookie that counts visitors names nobody.
        let counted = get("/b").cookie("_ga=1");
        origin.answers("GET /b", text("x").for_a_minute());
        cistern.send(&counted);
        cistern.send(&counted).served_from_store();
    }
}
