//! The rules file as written: one struct for each table, every field optional, nothing resolved.
//! The descriptions here are those of the published JSON Schema, so they speak to operators. What a
//! later version brings stands in the `later` lists and is refused by name.

use super::purging::{CascadeTable, DefaultOnWrite, OnWriteTable};
use super::read::{At, Free, Maybe, Named, OneOrMany, Text, document};
use super::values::{Compression, Duration, JobField, OriginName, Size, Statuses, TtlText};
use super::words::{
    ModeWord, OutcomeWord, OverrideWord, ReadWord, ShareWord, TenantWord, TtlModeWord, UnnamedWord,
};

document! {
    /// Rules of the cistern caching proxy: routes, what they cache, and what writes purge.
    RulesDocument {
        /// The version of this file's grammar: 1. Mandatory, above every table.
        #[schemars(required)]
        version: At<u64>,
        /// What the routes of this file say where neither they nor their type say otherwise.
        defaults: Defaults,
        /// TTL classes: `short = "60s"` is used as `"@short"`.
        ttl: Named<At<TtlText>>,
        /// The applications behind the proxy.
        origin: Named<OriginTable>,
        /// Data types: a key prefix, a budget, and defaults for the routes that name the type.
        r#type: Named<TypeTable>,
        /// Whose requests are, where many customers share the applications.
        tenant: TenantTable,
        /// What counts as a credential of the caller.
        credentials: CredentialsTable,
        /// The channel on which any program may say what to purge.
        events: EventsTable,
        /// What goes as well when a purge names something.
        cascade: Vec<At<CascadeTable>>,
        /// Routes in the order in which they are tried; the first that fits is taken.
        route: Vec<At<RouteTable>>,
        /// Tests that `cistern test` and every reload run.
        test: Vec<At<TestTable>>,
    } later ["jwt"]
}

document! {
    /// An application behind the proxy.
    OriginTable {
        /// Its address: `http://host:port`.
        #[schemars(required)]
        url: Text,
        /// Requests for these hosts go here: names, or `*.name` for what stands below one.
        hosts: OneOrMany<Text>,
        /// The Host that the origin gets instead of the client's.
        host: Text,
        /// The longest a whole exchange may take. Default 60s.
        timeout: At<Duration>,
        /// The longest that connecting may take. Default 2s.
        connect_timeout: At<Duration>,
        /// The longest wait for the first byte of an answer. Default 30s.
        first_byte_timeout: At<Duration>,
        /// The longest silence between two bytes. Default 30s.
        idle_timeout: At<Duration>,
        /// How often a request that cannot have been processed is sent again. Default 1.
        retries: At<u64>,
        /// How many requests the origin gets at once.
        max_concurrent: At<u64>,
        /// Fields that the proxy's own requests carry, such as those of `on_write.refresh`.
        job_headers: Named<At<JobField>>,
    } later ["urls", "queue", "health", "tls"]
}

document! {
    /// A data type: entries of one kind, with their own prefix and budget.
    TypeTable {
        /// Put before the keys of the type's routes.
        prefix: Text,
        /// The most memory that entries of this type take. Without it they share `l1.size`.
        max_size: At<Size>,
        /// The most entries of this type.
        max_entries: At<u64>,
        /// The lifetime: a duration, seconds, `@class`, `forever`, or `origin`.
        ttl: At<TtlText>,
        /// How it meets the origin's own lifetime. Default `replace`.
        ttl_mode: Maybe<TtlModeWord>,
        /// The statuses that get `ttl`. Default 200, 203, 204, 300, 301, 308.
        status: Maybe<Statuses>,
        /// Lifetimes of single statuses: `{ 404 = "30s" }`.
        status_ttl: Maybe<Named<At<TtlText>>>,
        /// What the rule reaches over of what the origin says.
        r#override: Maybe<Vec<OverrideWord>>,
        /// How long a stale answer may be served while a new one is fetched. Default 0s.
        stale_while_revalidate: Maybe<At<Duration>>,
        /// How long a stale answer may be served when the origin fails. Default 10m with a `ttl`.
        stale_if_error: Maybe<At<Duration>>,
        /// The media types that may be stored. Default any.
        content_type: Maybe<OneOrMany<Text>>,
        /// The longest body that is stored.
        max_object: Maybe<At<Size>>,
        /// The longest body that is read as JSON. Default 1MiB.
        json_max: Maybe<At<Size>>,
        /// JSON Pointers to what counts when answers are compared. Default the whole body.
        compare: Maybe<OneOrMany<Text>>,
        /// Whether it is kept in this process. Default true.
        l1: Maybe<At<bool>>,
        /// Whether it is kept in the shared level, where there is one. Default true.
        l2: Maybe<At<bool>>,
        /// Whether it is compressed: true from 1KiB up, or `{ level = 3, min = "1KiB" }`.
        compress: Maybe<At<Compression>>,
        /// Whether it is encrypted in the shared level. Default false.
        encrypt: Maybe<At<bool>>,
        /// Whether the shared level may be read from a replica. Default `master`.
        read: Maybe<At<ReadWord>>,
        /// `none`: data of the whole system, one entry for all tenants.
        tenant: At<TenantWord>,
    } later ["require", "refresh_ahead", "jitter"]
}

document! {
    /// What the routes of this file say where neither they nor their type say otherwise.
    Defaults {
        /// Whether to cache (`on`) or only to pass on (`pass`). Default `on`.
        mode: Maybe<ModeWord>,
        /// The origin of requests that no origin's `hosts` fit.
        origin: Maybe<At<OriginName>>,
        /// The data type.
        r#type: Maybe<Text>,
        /// What query parameters mean on routes with a key.
        query: QueryTable,
        /// The lifetime: a duration, seconds, `@class`, `forever`, or `origin`.
        ttl: At<TtlText>,
        /// How it meets the origin's own lifetime. Default `replace`.
        ttl_mode: Maybe<TtlModeWord>,
        /// The statuses that get `ttl`. Default 200, 203, 204, 300, 301, 308.
        status: Maybe<Statuses>,
        /// Lifetimes of single statuses: `{ 404 = "30s" }`.
        status_ttl: Maybe<Named<At<TtlText>>>,
        /// What the rule reaches over of what the origin says.
        r#override: Maybe<Vec<OverrideWord>>,
        /// How long a stale answer may be served while a new one is fetched. Default 0s.
        stale_while_revalidate: Maybe<At<Duration>>,
        /// How long a stale answer may be served when the origin fails. Default 10m with a `ttl`.
        stale_if_error: Maybe<At<Duration>>,
        /// Who may share an entry when the request has credentials. Default `auto`.
        share: Maybe<ShareWord>,
        /// When a request is neither read from the cache nor stored.
        bypass: Maybe<Text>,
        /// The media types that may be stored. Default any.
        content_type: Maybe<OneOrMany<Text>>,
        /// The longest body that is stored.
        max_object: Maybe<At<Size>>,
        /// The longest body that is read as JSON. Default 1MiB.
        json_max: Maybe<At<Size>>,
        /// JSON Pointers to what counts when answers are compared. Default the whole body.
        compare: Maybe<OneOrMany<Text>>,
        /// Whether it is kept in this process. Default true.
        l1: Maybe<At<bool>>,
        /// Whether it is kept in the shared level, where there is one. Default true.
        l2: Maybe<At<bool>>,
        /// Whether it is compressed: true from 1KiB up, or `{ level = 3, min = "1KiB" }`.
        compress: Maybe<At<Compression>>,
        /// Whether it is encrypted in the shared level. Default false.
        encrypt: Maybe<At<bool>>,
        /// Whether the shared level may be read from a replica. Default `master`.
        read: Maybe<At<ReadWord>>,
        /// What entries must have in common to lie in one slot of a Redis Cluster.
        shard: Maybe<Text>,
        /// Cookies that are left out of the stored copy; `*` for all.
        strip_cookies: Maybe<OneOrMany<Text>>,
        /// The member that tells hit, ttl and key inside JSON answers.
        inject: Maybe<Text>,
        /// What a write does to the cache.
        on_write: DefaultOnWrite,
    } later [
        "require", "refresh_ahead", "jitter", "grant_ttl", "response", "count",
        "when_store_down",
    ]
}

document! {
    /// A route: which requests it takes, and what is done with them.
    RouteTable {
        /// Its name in logs and metrics. Default: the first match.
        name: Text,
        /// Methods and path: `"GET /a/{id:int}"`, or a list of such.
        r#match: OneOrMany<Text>,
        /// Methods and a regular expression for the whole path, with named groups as values.
        match_regex: OneOrMany<Text>,
        /// The hosts it takes: a name, or `*.name`.
        host: OneOrMany<Text>,
        /// A further condition.
        when: Text,
        /// The template of the key. Without one the key is the target itself.
        key: Text,
        /// Whether to cache (`on`) or only to pass on (`pass`). Default `on`.
        mode: Maybe<ModeWord>,
        /// The origin's name.
        origin: Maybe<At<OriginName>>,
        /// The data type's name.
        r#type: Maybe<Text>,
        /// What query parameters mean on a route with a key.
        query: QueryTable,
        /// Templates of tags, beside those that the answer itself carries.
        tags: OneOrMany<Text>,
        /// The lifetime: a duration, seconds, `@class`, `forever`, or `origin`.
        ttl: At<TtlText>,
        /// How it meets the origin's own lifetime. Default `replace`.
        ttl_mode: Maybe<TtlModeWord>,
        /// The statuses that get `ttl`. Default 200, 203, 204, 300, 301, 308.
        status: Maybe<Statuses>,
        /// Lifetimes of single statuses: `{ 404 = "30s" }`.
        status_ttl: Maybe<Named<At<TtlText>>>,
        /// What the rule reaches over of what the origin says.
        r#override: Maybe<Vec<OverrideWord>>,
        /// How long a stale answer may be served while a new one is fetched. Default 0s.
        stale_while_revalidate: Maybe<At<Duration>>,
        /// How long a stale answer may be served when the origin fails. Default 10m with a `ttl`.
        stale_if_error: Maybe<At<Duration>>,
        /// Who may share an entry when the request has credentials. Default `auto`.
        share: Maybe<ShareWord>,
        /// When a request is neither read from the cache nor stored.
        bypass: Maybe<Text>,
        /// The media types that may be stored. Default any.
        content_type: Maybe<OneOrMany<Text>>,
        /// The longest body that is stored.
        max_object: Maybe<At<Size>>,
        /// The longest body that is read as JSON. Default 1MiB.
        json_max: Maybe<At<Size>>,
        /// JSON Pointers to what counts when answers are compared. Default the whole body.
        compare: Maybe<OneOrMany<Text>>,
        /// Whether it is kept in this process. Default true.
        l1: Maybe<At<bool>>,
        /// Whether it is kept in the shared level, where there is one. Default true.
        l2: Maybe<At<bool>>,
        /// Whether it is compressed: true from 1KiB up, or `{ level = 3, min = "1KiB" }`.
        compress: Maybe<At<Compression>>,
        /// Whether it is encrypted in the shared level. Default false.
        encrypt: Maybe<At<bool>>,
        /// Whether the shared level may be read from a replica. Default `master`.
        read: Maybe<At<ReadWord>>,
        /// What entries must have in common to lie in one slot of a Redis Cluster.
        shard: Maybe<Text>,
        /// Cookies that are left out of the stored copy; `*` for all.
        strip_cookies: Maybe<OneOrMany<Text>>,
        /// The member that tells hit, ttl and key inside JSON answers.
        inject: Maybe<Text>,
        /// What a write does to the cache.
        on_write: OnWriteTable,
        /// `none`: data of the whole system, one entry for all tenants.
        tenant: At<TenantWord>,
    } later [
        "keys", "levels", "store_at", "require", "refresh_ahead", "jitter", "grant_ttl",
        "response", "count", "when_store_down", "fallback_on", "requires_auth",
    ]
}

document! {
    /// What query parameters mean on routes with a key.
    QueryTable {
        /// Whether `{query}` holds the parameters in the order of their names. Default true.
        sort: At<bool>,
        /// Globs of names that never change the answer.
        ignore: Maybe<OneOrMany<Text>>,
        /// What happens with a parameter that nothing in the rule names. Default `bypass`.
        unnamed: Maybe<At<UnnamedWord>>,
    } later []
}

document! {
    /// Whose requests are. The tenant is a part of every entry's identity.
    TenantTable {
        /// Where its name comes from: `host`, a part of the path, `header.NAME` or `cookie.NAME`
        /// (these two only from `trust.peers`). All that are there must agree.
        #[schemars(required)]
        from: OneOrMany<Text>,
        /// A regular expression that the whole name must fit.
        pattern: Text,
        /// Whether a request of nobody is refused with 400; else it passes uncached. Default false.
        required: At<bool>,
    } later ["max_size", "max_entries"]
}

document! {
    /// What counts as a credential of the caller.
    CredentialsTable {
        /// Fields that identify the caller.
        headers: OneOrMany<Text>,
        /// Globs of cookies that do not. Every other cookie does.
        cookies_ignored: OneOrMany<Text>,
    } later []
}

document! {
    /// The channel on which any program may say what to purge.
    EventsTable {
        /// Its name in Redis: 1 to 256 printable characters.
        #[schemars(required)]
        channel: Text,
    } later []
}

document! {
    /// How entries are compressed.
    CompressTable {
        /// From 1, the fastest, to 19, the smallest. Default 3.
        level: At<u64>,
        /// The shortest body that is compressed. Default 1KiB.
        min: At<Size>,
        /// Whether clients that accept zstd get it as it is kept. Default true.
        serve: At<bool>,
    } later []
}

document! {
    /// A field's value that stands in a file.
    JobFileTable {
        /// The file, relative to that of the rules.
        #[schemars(required)]
        file: Text,
    } later []
}

document! {
    /// A request, and what the rules must make of it.
    TestTable {
        /// Method and target: `"GET /a?b=1"`.
        #[schemars(required)]
        request: Text,
        /// The request's fields.
        headers: Named<OneOrMany<Text>>,
        /// The request's body: text, or a table or list that is sent as JSON.
        body: Free,
        /// What the origin answers.
        response: ResponseTable,
        /// The route that takes it; `"none"` for no route.
        route: Text,
        /// The whole key, with the type's prefix.
        key: Text,
        /// The tenant whose it is; `"none"` where it is nobody's.
        tenant: Text,
        /// All tags, in any order.
        tags: Vec<Text>,
        /// What the route says about sharing.
        share: At<ShareWord>,
        /// The lifetime that the rules give to the answer.
        ttl: At<TtlText>,
        /// `miss` if it is looked up, `bypass` if not: a test begins with an empty cache.
        outcome: At<OutcomeWord>,
        /// Why it is not looked up or not stored.
        reason: Text,
        /// Exactly the selectors that `on_write` gives, in any order.
        purges: Vec<Text>,
    } later ["keys", "claims"]
}

document! {
    /// What the origin answers in a test.
    ResponseTable {
        /// The status. Default 200.
        status: At<u64>,
        /// The answer's fields.
        headers: Named<OneOrMany<Text>>,
        /// The answer's body: text, or a table or list that is sent as JSON.
        body: Free,
    } later []
}

/// The tables that people look for fields in, as they write them, with their fields.
pub(super) fn all_fields() -> [(&'static str, &'static [&'static str]); 15] {
    [
        ("the top of the file", RulesDocument::FIELDS.here),
        ("[defaults]", Defaults::FIELDS.here),
        ("[origin.NAME]", OriginTable::FIELDS.here),
        ("[type.NAME]", TypeTable::FIELDS.here),
        ("[[route]]", RouteTable::FIELDS.here),
        ("[tenant]", TenantTable::FIELDS.here),
        ("[credentials]", CredentialsTable::FIELDS.here),
        ("[[test]]", TestTable::FIELDS.here),
        ("`query`", QueryTable::FIELDS.here),
        ("`on_write`", OnWriteTable::FIELDS.here),
        ("`response`", ResponseTable::FIELDS.here),
        ("[events]", EventsTable::FIELDS.here),
        ("[[cascade]]", CascadeTable::FIELDS.here),
        ("`compress`", CompressTable::FIELDS.here),
        ("`job_headers`", JobFileTable::FIELDS.here),
    ]
}

/// The tables that have a field of this name.
pub(super) fn tables_with(name: &str) -> Vec<&'static str> {
    let with = all_fields().into_iter().filter(|(_, fields)| fields.contains(&name));
    with.map(|(table, _)| table).collect()
}
