use crate::base::ids::KindId;
use crate::base::units::Span;
use crate::policy::law::{CookieStrip, Ttl, TtlMode};
use crate::rules::samples::{Request, book, findings, findings_of, shown, source};
use crate::rules::{LoadContext, Mode, Rulebook, Share, Source, load};

fn file(name: &str, text: &str) -> Source {
    Source { name: name.into(), text: format!("version = 1\n{text}") }
}

fn book_of(files: &[Source]) -> Rulebook {
    load(files, &LoadContext::default()).unwrap_or_else(|all| panic!("{}", shown(&all))).book
}

#[test]
fn built_in_values_are_those_of_the_reference() {
    let book = book("[[route]]\nmatch = 'GET /a'\n");
    let route = &book.routes[0];
    assert_eq!(&*route.name, "GET /a");
    assert_eq!((route.kind, &*route.kind_name), (KindId(0), ""));
    assert_eq!((route.share, route.mode), (Share::Auto, Mode::On));
    assert_eq!(route.json_max, 1_048_576);
    assert_eq!(route.law.ttl, Ttl::Origin);
    assert_eq!(route.law.statuses, [200, 203, 204, 300, 301, 308]);
    assert_eq!(route.law.stale_if_error, None);
    assert!(!route.law.ruled, "a route that says nothing only routes");
    let origin = &book.origins[0];
    assert_eq!(origin.url.to_string(), "http://127.0.0.1:8000");
    assert_eq!(origin.timeout, Span::from_secs(60));
    assert_eq!(origin.connect_timeout, Span::from_secs(2));
    assert_eq!(origin.first_byte_timeout, Span::from_secs(30));
    assert_eq!(origin.idle_timeout, Span::from_secs(30));
    assert_eq!((origin.retries, origin.max_concurrent), (1, None));
}

#[test]
fn every_field_of_the_law_is_compiled() {
    let book = book(
        "[ttl]\nshort = '60s'\n[[route]]\nmatch = 'GET /a'\nttl = '@short'\nttl_mode = 'at_most'\n\
         status = [200, 404]\nstatus_ttl = { 410 = '10m', 404 = 'forever', 302 = 5 }\n\
         override = ['no-store', 'vary']\nstale_while_revalidate = '30s'\nstale_if_error = '1h'\n\
         content_type = ['Application/JSON']\nmax_object = '2MB'\njson_max = '64KiB'\n\
         strip_cookies = ['a', 'b']\ninject = '_cache'\nshare = 'never'\n",
    );
    let route = &book.routes[0];
    let law = &route.law;
    assert!(law.ruled);
    assert_eq!(law.ttl, Ttl::For(Span::from_secs(60)));
    assert_eq!(law.ttl_mode, TtlMode::AtMost);
    assert_eq!(law.statuses, [200, 404]);
    assert_eq!(
        law.status_ttl,
        [(410, Span::from_secs(600)), (404, Span::FOREVER), (302, Span::from_secs(5))]
    );
    assert!(law.overrides.no_store && law.overrides.vary);
    assert!(!law.overrides.private && !law.overrides.no_cache && !law.overrides.must_revalidate);
    assert_eq!(law.stale_while_revalidate, Some(Span::from_secs(30)));
    assert_eq!(law.stale_if_error, Some(Span::from_secs(3_600)));
    assert_eq!(law.content_types, ["application/json"]);
    assert_eq!(law.max_object, Some(2_000_000));
    assert_eq!(law.strip_cookies, CookieStrip::Named(vec!["a".into(), "b".into()]));
    assert_eq!(route.json_max, 65_536);
    assert_eq!(route.inject.as_deref(), Some("_cache"));
    assert_eq!(route.share, Share::Never);
}

#[test]
fn what_a_route_does_not_say_is_inherited_and_none_takes_it_back() {
    let rules = "[defaults]\nttl = '300s'\nshare = 'public'\ntype = 't'\nstale_while_revalidate = \
                 '1s'\n\
                 status = [200]\ninject = '_c'\nbypass = 'query.fresh'\non_write.when = ['200']\n\
                 [type.t]\nttl = '600s'\nstatus = [200, 301]\n\
                 [type.u]\n\
                 [[route]]\nname = 'a'\nmatch = 'GET /a'\n\
                 [[route]]\nname = 'b'\nmatch = 'GET /b'\ntype = 'u'\nstale_while_revalidate = \
                 'none'\n\
                 inject = 'none'\nbypass = 'none'\nshare = 'none'\nstatus = 'none'\n\
                 [[route]]\nname = 'c'\nmatch = 'GET /c'\ntype = 'none'\nttl = 'none'\n\
                 stale_if_error = '0s'\n";
    let book = book(rules);
    let law = |name: &str| &book.route_named(name).unwrap().law;
    assert_eq!(law("a").ttl, Ttl::For(Span::from_secs(600)));
    assert_eq!(law("a").statuses, [200, 301]);
    assert_eq!(law("a").stale_while_revalidate, Some(Span::from_secs(1)));
    assert_eq!(law("a").stale_if_error, Some(Span::from_secs(600)));
    assert_eq!(law("b").ttl, Ttl::For(Span::from_secs(300)));
    assert_eq!(law("b").statuses, [200, 203, 204, 300, 301, 308]);
    assert_eq!(law("b").stale_while_revalidate, None);
    assert_eq!(law("c").ttl, Ttl::Origin);
    assert_eq!(law("c").stale_if_error, Some(Span::ZERO));
    let route = |name: &str| book.route_named(name).unwrap();
    assert_eq!((route("a").share, route("b").share), (Share::Public, Share::Auto));
    assert_eq!((route("a").inject.as_deref(), route("b").inject.as_deref()), (Some("_c"), None));
    assert_eq!((&*route("a").kind_name, &*route("c").kind_name), ("t", ""));
    assert!(!route("a").on_write.is_success(http::StatusCode::CREATED));
    assert_eq!(Request::new("GET /a?fresh").key(&book).unwrap_err(), "bypass-rule");
    assert!(Request::new("GET /b?fresh").key(&book).is_ok());
}

#[test]
fn stale_if_error_can_be_taken_back() {
    let book = book("[[route]]\nmatch = 'GET /a'\nttl = '5m'\nstale_if_error = 'none'\n");
    assert_eq!(book.routes[0].law.stale_if_error, None);
}

#[test]
fn defaults_hold_for_their_own_file_and_names_for_all() {
    let book = book_of(&[
        file(
            "a.toml",
            "[defaults]\nttl = '1s'\n[[route]]\nname = 'a'\nmatch = 'GET /a'\ntype = 't'\n",
        ),
        file(
            "b.toml",
            "[[route]]\nname = 'b'\nmatch = 'GET /b'\n[type.t]\nprefix = 't:'\nmax_size = '1MB'\n\
             max_entries = 9\n",
        ),
    ]);
    assert_eq!(book.route_named("a").unwrap().law.ttl, Ttl::For(Span::from_secs(1)));
    assert_eq!(book.route_named("b").unwrap().law.ttl, Ttl::Origin);
    let kind = book.kind(book.route_named("a").unwrap().kind).unwrap();
    assert_eq!((&*kind.name, kind.prefix.as_str()), ("t", "t:"));
    assert_eq!((kind.max_bytes, kind.max_entries), (Some(1_000_000), Some(9)));
    assert_eq!(&*book.kind(KindId(0)).unwrap().name, "");
}

#[test]
fn names_are_unique_over_all_files_and_both_places_are_told() {
    let twice = "[ttl]\nx = '1s'\n[origin.o]\nurl = 'http://h:1'\n[type.t]\n[[route]]\nname = \
                 'r'\nmatch = 'GET /NAME'\n";
    let files = ["a", "b"].map(|name| file(&format!("{name}.toml"), &twice.replace("NAME", name)));
    let all = load(&files, &LoadContext::default()).unwrap_err();
    assert_eq!(all.len(), 4);
    for one in &all {
        assert_eq!(one.code.as_str(), "C007");
        let text = one.render(false);
        assert!(text.contains("a.toml") && text.contains("b.toml"), "{text}");
    }
    let unnamed = "[[route]]\nmatch = 'GET /a'\nwhen = 'query.x'\n[[route]]\nmatch = 'GET /a'\n";
    assert!(findings(unnamed)[0].starts_with("error C007 "), "{:?}", findings(unnamed));
}

#[test]
fn the_origin_is_chosen_in_the_order_of_the_reference() {
    let origins = "[origin.a]\nurl='http://a:1'\nhosts=['*.a.example']\n[origin.b]\n\
                   url='http://b'\n\
                   [origin.c]\nurl='http://[::1]:3'\nhost='fixed.example:80'\n";
    let book = book_of(&[file(
        "r.toml",
        &format!(
            "[defaults]\norigin='b'\n{origins}[[route]]\nname='n'\nmatch='GET /n'\norigin='c'\n\
             [[route]]\nname='d'\nmatch='GET /d'\n"
        ),
    )]);
    let origin = |line: &str, host: &str| {
        let request = Request::new(line).host(host);
        let asked = request.asked();
        let route = book.route(&asked).map(|(route, _)| &**route);
        book.origin_for(route, &asked).map(|origin| origin.name.to_string())
    };
    assert_eq!(origin("GET /n", "x.a.example").as_deref(), Some("c"));
    assert_eq!(origin("GET /d", "x.a.example").as_deref(), Some("a"));
    assert_eq!(origin("GET /d", "other").as_deref(), Some("b"));
    assert_eq!(origin("GET /zzz", "other").as_deref(), Some("b"));
    assert_eq!(book.origins[2].url.host, "::1");
    assert_eq!(book.origins[2].fixed_host.as_deref(), Some("fixed.example:80"));
    assert_eq!(book.origins[1].url.port, 80);
    let nowhere = book_of(&[file(
        "r.toml",
        "[origin.a]\nurl='http://a'\nhosts='a'\n[origin.b]\nurl='http://b'\nhosts='b'\n",
    )]);
    let request = Request::new("GET /").host("c");
    assert!(nowhere.origin_for(None, &request.asked()).is_none());
    assert!(Rulebook::empty().origin_for(None, &request.asked()).is_none());
}

#[test]
fn the_command_line_s_origin_comes_after_the_files_default() {
    let ctx = LoadContext { origin: Some("http://cli:9".into()), ..LoadContext::default() };
    let with = |text: &str| load(&[source(text)], &ctx).unwrap().book;
    let name = |book: &Rulebook| book.origins[book.default_origin.unwrap()].name.to_string();
    assert_eq!(name(&with("")), "--origin");
    assert_eq!(name(&with("[defaults]\norigin = 'o'\n")), "o");
    let book = load(&[], &ctx).unwrap().book;
    assert_eq!((name(&book).as_str(), book.routes.len()), ("--origin", 0));
    let wrong = LoadContext { origin: Some("https://x".into()), ..LoadContext::default() };
    assert!(load(&[], &wrong).unwrap_err()[0].message.contains("not built yet"));
}

#[test]
fn what_counts_as_a_credential_can_be_said_once() {
    let book = book("[credentials]\nheaders = ['X-Me']\ncookies_ignored = '*'\n");
    let seen = |name: &str, value: &str| {
        let request = Request::new("GET /").with(name, value);
        book.credentials.seen(request.asked().fields)
    };
    assert!(seen("x-me", "1") && seen("authorization", "1") && !seen("cookie", "a=1"));
    let files = ["a", "b"].map(|name| file(name, "[credentials]\nheaders = []\n"));
    assert!(findings_of(&files)[0].contains("one file only"));
}
