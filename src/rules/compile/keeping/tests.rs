use crate::base::units::Span;
use crate::policy::Ttl;
use crate::rules::samples::{Request, book, findings, source};
use crate::rules::{Keeping, LoadContext, Rulebook, SharedLevel, load};

const HERE: SharedLevel = SharedLevel::Present { has_keys: true, replicas: true };

/// The book and the findings, as `severity code message`, under these settings.
fn under(shared: SharedLevel, text: &str) -> (Option<Rulebook>, Vec<String>) {
    let ctx = LoadContext { shared, ..LoadContext::default() };
    let (book, all) = match load(&[source(text)], &ctx) {
        Ok(loaded) => (Some(loaded.book), loaded.warnings),
        Err(all) => (None, all),
    };
    let told = all
        .iter()
        .map(|one| format!("{} {} {}", one.severity.as_str(), one.code.as_str(), one.message));
    (book, told.collect())
}

fn keeping(text: &str) -> Keeping {
    under(HERE, text).0.unwrap().routes[0].keeping
}

#[test]
fn everything_is_kept_unless_said() {
    let plain = keeping("[[route]]\nmatch='GET /a'\n");
    let built_in = Keeping {
        l1: true,
        l2: true,
        compress: Some((3, 1_024)),
        serve: true,
        encrypt: false,
        replica: false,
    };
    assert_eq!(plain, built_in);
    let said = keeping(
        "[[route]]\nmatch='GET /a'\nl1=false\ncompress={ level=19, min='4KiB' }\nencrypt=true\n\
         read='replica'\n",
    );
    let wanted = Keeping {
        l1: false,
        compress: Some((19, 4_096)),
        encrypt: true,
        replica: true,
        ..built_in
    };
    assert_eq!(said, wanted);
    let level = keeping("[[route]]\nmatch='GET /a'\ncompress={ level=1 }\nl2=false\n");
    assert_eq!((level.compress, level.l2), (Some((1, 1_024)), false));
    let min = keeping("[[route]]\nmatch='GET /a'\ncompress={ min='0B' }\n");
    assert_eq!(min.compress, Some((3, 0)));
    assert_eq!(keeping("[[route]]\nmatch='GET /a'\ncompress=false\n").compress, None);
}

#[test]
fn compressed_bodies_are_served_unless_said() {
    let told = |compress: &str| {
        let keeping = keeping(&format!("[[route]]\nmatch='GET /a'\ncompress={compress}\n"));
        (keeping.compress, keeping.serve)
    };
    assert_eq!(told("true"), (Some((3, 1_024)), true));
    assert_eq!(told("{ level=5 }"), (Some((5, 1_024)), true));
    assert_eq!(told("{ serve=true, min='2KiB' }"), (Some((3, 2_048)), true));
    assert_eq!(told("{ serve=false }"), (Some((3, 1_024)), false));
    assert_eq!(told("false"), (None, false));
}

#[test]
fn the_type_says_it_for_its_routes_and_none_takes_it_back() {
    let rules = "[defaults]\nl1=false\ncompress=false\nread='replica'\n\
                 [type.t]\nl1=true\nencrypt=true\n\
                 [[route]]\nname='a'\nmatch='GET /a'\ntype='t'\n\
                 [[route]]\nname='b'\nmatch='GET /b'\nl1='none'\ncompress='none'\nread='none'\n";
    let book = under(HERE, rules).0.unwrap();
    let keeping = |name: &str| book.route_named(name).unwrap().keeping;
    assert_eq!(
        keeping("a"),
        Keeping {
            compress: None,
            serve: false,
            encrypt: true,
            replica: true,
            ..Keeping::default()
        }
    );
    assert_eq!(keeping("b"), Keeping::default());
}

#[test]
fn wrong_values_are_told() {
    for (line, words) in [
        ("compress={ level=20 }", "error C003 a level is a number from 1 to 19"),
        ("compress={ level=0 }", "error C003 a level is a number from 1 to 19"),
        ("compress={ lvl=1 }", "error C002 `lvl` is not a field of `compress` of [[route]]"),
        ("compress=3", "error C003 expected true, false or a table"),
        ("compress={ serve=1 }", "error C003 expected true or false, found an integer"),
        ("l1='yes'", "error C003 expected true or false, found text"),
        ("read='slave'", "error C003 `slave` is not one of the words"),
        ("l1=false\nl2=false", "error C021 with `l1` and `l2` false nothing is kept"),
    ] {
        let all = under(HERE, &format!("[[route]]\nmatch='GET /a'\n{line}\n")).1;
        assert!(all.len() == 1 && all[0].starts_with(words), "{line}: {all:?}");
    }
    let unused = under(HERE, "[type.t]\ncompress={ level=99 }\n").1;
    assert_eq!(unused, ["error C003 a level is a number from 1 to 19"]);
    let nothing = "l1=false\nl2=false\nmode='pass'\n";
    assert!(under(HERE, &format!("[[route]]\nmatch='GET /a'\n{nothing}")).1.is_empty());
}

#[test]
fn what_the_settings_leave_without_effect_is_told() {
    let route = |line: &str| format!("[[route]]\nmatch='GET /a'\n{line}\n");
    let without_keys = SharedLevel::Present { has_keys: false, replicas: false };
    let told = |shared, line: &str| under(shared, &route(line)).1.join("; ");
    assert_eq!(told(without_keys, "encrypt=true"), "error C004 there is no key to encrypt with");
    let absent = SharedLevel::Absent;
    assert_eq!(told(absent, "encrypt=true"), "warning C021 `encrypt` has no effect here");
    assert_eq!(told(HERE, "encrypt=true\nl2=false"), "warning C021 `encrypt` has no effect here");
    assert_eq!(told(absent, "l1=false"), "warning C021 nothing is kept: there is no shared level");
    assert_eq!(
        told(without_keys, "read='replica'"),
        "warning C021 `read = \"replica\"` has no effect here"
    );
    for line in ["encrypt=true", "l1=false", "read='replica'"] {
        assert_eq!(told(SharedLevel::Unknown, line), "", "rules alone are judged by themselves");
        assert_eq!(told(HERE, line), "");
    }
    let events = "[events]\nchannel='cistern:events'\n";
    assert_eq!(under(absent, events).1, ["warning C021 nothing listens to this channel"]);
    let all = load(
        &[source(&route("encrypt=true"))],
        &LoadContext { shared: without_keys, ..LoadContext::default() },
    );
    assert!(all.unwrap_err()[0].render(false).contains("set CISTERN_KEY"));
}

#[test]
fn a_shard_is_written_as_keys_are() {
    let rules = "[[route]]\nmatch='GET /dte/{id}'\nkey='dte:{id}'\nshard='r:{id|before(-)}'\n\
                 [[route]]\nmatch='GET /p/{a}/{b}'\nshard='{b}'\n\
                 [[route]]\nmatch='GET /q'\nkey='q:{query.x|default()}'\nshard='{query.x|default()}'\n\
                 [[route]]\nmatch='GET /s/{id}'\nkey='s:{id}'\nshard='{id|after(-)}'\n\
                 [[route]]\nmatch='GET /n/{id}'\nkey='n:{id}'\n";
    let book = book(rules);
    let shard = |line: &str| {
        let request = Request::new(line);
        let asked = request.asked();
        let (route, captures) = book.route(&asked).unwrap();
        let planned = route.read_plan(&asked, &captures, None, None.into()).unwrap();
        assert_eq!(planned.shard, route.shard(&asked, &captures, None, None.into()));
        (planned.shard, route.has_shard())
    };
    let some = |text: &str| (Some(text.to_owned()), true);
    assert_eq!(shard("GET /dte/76123456-33-100"), some("r:76123456"));
    assert_eq!(shard("GET /dte/7%7D%3A-1"), some("r:7%7D%3A"));
    assert_eq!(shard("GET /p/1/2"), some("2"));
    assert_eq!(shard("GET /q?x=1"), some("1"));
    assert_eq!(shard("GET /q"), (None, true), "empty braces mark nothing");
    assert_eq!(shard("GET /s/a-b"), some("b"));
    assert_eq!(shard("GET /s/ab"), (None, true));
    assert_eq!(shard("GET /n/1"), (None, false));
}

#[test]
fn a_shard_is_inherited_by_routes_with_a_key() {
    let rules = "[defaults]\nshard='{id}'\n\
                 [[route]]\nname='a'\nmatch='GET /a/{id}'\nkey='a:{id}'\n\
                 [[route]]\nname='b'\nmatch='GET /b/{id}'\nkey='b:{id}'\nshard='none'\n\
                 [[route]]\nname='c'\nmatch='POST /c'\n";
    let book = book(rules);
    let has = |name: &str| book.route_named(name).unwrap().has_shard();
    assert_eq!((has("a"), has("b"), has("c")), (true, false, false));
}

#[test]
fn a_shard_that_cannot_be_is_refused() {
    for (key, shard, code) in [
        ("k:{id}", "{json:/a}", "C025"),
        ("k:{id}:{identity}", "{identity}", "C025"),
        ("k:{id}:{cookie.sid}", "{cookie.sid}", "C025"),
        ("k:{id}", "{id}*", "C010"),
        ("k:{id}", "a{{b", "C010"),
        ("k:{id}", "", "C010"),
        ("k:{id}", "{nope}", "C024"),
        ("k:{id}", "{query.x}", "C029"),
        ("k:{id|lower}", "{id}", "C029"),
        ("k:{id}", "{id|or(query.x)}", "C029"),
        ("k:{query.x|default(1)}", "{query.x|before(-)}", "C029"),
        ("k:{id}", "{id|lower|take(2)}", ""),
        ("k:{id|lower}", "{id|lower|take(2)}", ""),
        ("k:{query.x|default(1)}", "{query.x|default(1)}", ""),
        ("k:{id}", "fixed", ""),
    ] {
        let route = format!("[[route]]\nmatch='GET /x/{{id}}'\nkey='{key}'\nshard='{shard}'\n");
        let all = findings(&route);
        let errors: Vec<_> = all.iter().filter(|one| one.starts_with("error")).collect();
        let wanted = usize::from(!code.is_empty());
        assert!(errors.len() == wanted, "{key} {shard}: {all:?}");
        assert!(errors.iter().all(|one| one.contains(code)), "{key} {shard}: {all:?}");
    }
    let keyless =
        |shard: &str| findings(&format!("[[route]]\nmatch='GET /{{a}}'\nshard='{shard}'\n"));
    assert!(keyless("{a}:{query.x}").is_empty());
    assert!(keyless("{header.x-a}")[0].starts_with("error C029"));
    assert!(keyless("{host}")[0].starts_with("error C029"));
    let two = "[[route]]\nmatch='GET /x/{id}'\nkey='k:{id}'\nshard='{id}'\n\
               [[route]]\nmatch='GET /y/{id}'\nkey='k:{id}'\n";
    let all = findings(two);
    assert!(all[0].contains("C015") && all[0].contains("the same shard"), "{all:?}");
}

#[test]
fn the_channel_is_named_once() {
    let channel = |text: &str| book(text).events.map(|events| events.channel);
    assert_eq!(channel("[events]\nchannel='cistern:events'\n").unwrap(), "cistern:events");
    assert_eq!(channel(""), None);
    let long = "x".repeat(257);
    for text in ["", "a\tb", "ñ", &long] {
        let all = findings(&format!("[events]\nchannel=\"{}\"\n", text.escape_debug()));
        assert!(all[0].starts_with("error C003"), "{all:?}");
    }
    assert!(findings("[events]\n")[0].starts_with("error C004"));
    assert_eq!(findings("[events]\nchannel=1\n").len(), 1);
    let file = |name: &str, text: &str| crate::rules::Source {
        name: name.into(),
        text: format!("version = 1\n{text}"),
    };
    let twice = ["a.toml", "b.toml"].map(|name| file(name, "[events]\nchannel='c'\n"));
    let all = crate::rules::samples::findings_of(&twice);
    assert!(all.iter().any(|one| one.contains("one file only")), "{all:?}");
}

#[test]
fn the_settings_lifetime_and_prefix_fill_in_what_nobody_names() {
    let ctx = LoadContext {
        default_ttl: Some(Span::from_secs(300)),
        default_prefix: Some("app:".into()),
        ..LoadContext::default()
    };
    let rules = "[type.t]\n[type.u]\nprefix=''\nttl='1s'\n\
                 [[route]]\nname='typed'\nmatch='GET /a'\ntype='t'\nkey='a'\n\
                 [[route]]\nname='own'\nmatch='GET /b'\ntype='u'\nkey='b'\n\
                 [[route]]\nname='keyed'\nmatch='GET /c'\nkey='c'\n\
                 [[route]]\nname='origin'\nmatch='GET /d'\nkey='d'\nttl='origin'\n\
                 [[route]]\nname='bare'\nmatch='GET /e'\n";
    let book = load(&[source(rules)], &ctx).unwrap().book;
    let ttl = |name: &str| book.route_named(name).unwrap().law.ttl;
    assert_eq!(ttl("typed"), Ttl::For(Span::from_secs(300)));
    assert_eq!(ttl("own"), Ttl::For(Span::from_secs(1)));
    assert_eq!(ttl("keyed"), Ttl::For(Span::from_secs(300)));
    assert_eq!((ttl("origin"), ttl("bare")), (Ttl::Origin, Ttl::Origin));
    assert!(!book.route_named("bare").unwrap().law.ruled);
    let key = |line: &str| Request::new(line).key(&book).unwrap();
    assert_eq!([key("GET /a"), key("GET /b"), key("GET /c")], ["app:a", "b", "c"]);
    let prefixes: Vec<_> = book.kinds.iter().map(|kind| kind.prefix.as_str()).collect();
    assert_eq!(prefixes, ["", "app:", ""]);
    let defaults =
        load(&[source("[defaults]\nttl='2s'\n[[route]]\nmatch='GET /a'\nkey='a'\n")], &ctx);
    assert_eq!(defaults.unwrap().book.routes[0].law.ttl, Ttl::For(Span::from_secs(2)));
}
