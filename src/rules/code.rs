//! The codes of what `check` finds, each with an explanation for `cistern explain-code`. A code
//! keeps its meaning for ever; one that is no longer raised leaves a gap.

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident: $code:literal, $title:literal, $text:literal;)*) => {
        /// What kind of finding this is.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $($(#[$doc])* $name,)*
        }

        impl Code {
            /// Every code in order.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The stable name, such as `C012`.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $code,)*
                }
            }

            /// What it is about, in a few words.
            pub const fn title(self) -> &'static str {
                match self {
                    $(Self::$name => $title,)*
                }
            }

            /// Why it is raised and what to do, in a few sentences.
            pub const fn explanation(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}

codes! {
    /// Not TOML, or not JSON.
    Syntax: "C001", "the file cannot be read",
        "The text is not TOML 1.0, or for a .json file not JSON. Nothing in this file was \
         looked at beyond the place that is shown.";
    /// A field that this table does not have.
    UnknownField: "C002", "unknown field",
        "No field is ever ignored. Either the name is misspelt, or the line landed in another \
         table: in TOML every line belongs to the last [table] above it.";
    /// A value of another type, or one that the field does not take.
    WrongValue: "C003", "a value that the field does not take",
        "The value has another type than the field, or is a word, duration, size or number that \
         it does not take. The message lists what would be right.";
    /// Something that must be there is not.
    Missing: "C004", "something is missing",
        "A table lacks a field without which it means nothing: `version` at the top of each \
         file, `url` of an origin, `match` of a route, `request` of a test, `channel` of \
         [events]. Or `encrypt` is asked for and the settings name no key.";
    /// A version of the file format that this program does not read.
    Version: "C005", "another version of the rules file",
        "`version` says which grammar the file was written for. This program reads version 1. A \
         file for a newer one may mean things that would be misread here, so it is refused \
         whole.";
    /// A capability of a later version.
    NotBuilt: "C006", "not built yet",
        "The field is part of the rules' grammar, but this version cannot do what it asks for. \
         It is refused, so that nothing is accepted without effect.";
    /// The same name twice.
    Duplicate: "C007", "a name that is taken",
        "All files of a directory form one name space. Routes, origins, types and TTL classes \
         may each be defined once.";
    /// A name that nothing defines.
    UnknownName: "C008", "a name that nothing defines",
        "A route or type refers to an origin, type, TTL class or rule that no file defines.";
    /// Not a match.
    Match: "C009", "a match that cannot be read",
        "A match is methods, one space and a path: \"GET /a/{id:int}\", \"PUT|PATCH /a/{id}/\", \
         \"* /static/{rest...}\". Methods are never left out, a trailing slash counts.";
    /// Not a template.
    Template: "C010", "a template that cannot be read",
        "A template is text with values in braces, such as \
         \"stats:{id}:{query.days|default(30)}\". A brace that is meant as text is written \
         twice.";
    /// Not a condition.
    Condition: "C011", "a condition that cannot be read",
        "A condition compares values with texts in single quotes or with integers: \
         \"query.fresh == '1' || header.x-preview\". It knows ==, !=, <, <=, >, >=, =~ and in, \
         !, && and ||.";
    /// Callers that the key does not tell apart.
    KeyWithoutIdentity: "C012", "a key that does not tell callers apart",
        "Requests with credentials reach this route, and no part of its key says whose they \
         are. Answers to them are neither read nor stored under share = \"auto\". Add \
         {identity} to the key or say share = \"identity\" to keep one entry for each caller; \
         say share = \"public\" if every caller may see the same answer.";
    /// Different values could give one key.
    KeyNotInjective: "C013", "different requests could share a key",
        "A key must tell different values apart. Between two values stands a character that \
         values cannot hold, such as a colon (escaped values hold A-Z a-z 0-9 - . _ ~ and %). \
         take, before and after lose information and are refused.";
    /// A route behind one that takes everything it could.
    Unreachable: "C014", "a route that can never match",
        "Routes are tried in the order of the file and the first that fits is taken. An earlier \
         route without `when` fits everything this one could fit. Move the more specific route \
         up.";
    /// Two routes that could write the same entry.
    KeysCollide: "C015", "two routes whose keys can be equal",
        "Routes that share entries must have the same type and origin, else one route's answer \
         would be served for the other. Give one of them another prefix.";
    /// A POST or QUERY that is read, but not by its body.
    BodyNotInKey: "C016", "a read with a body that the key does not hold",
        "POST and QUERY are reads only when the key holds what the body says: \
         {req.body|sha256}, {req.json}, {req.json:/text}. Otherwise two different questions \
         would get one answer.";
    /// Not a selector, or one that would take too much.
    Selector: "C017", "a selector that cannot be used",
        "A selector names what a write purges: key:, prefix:, pattern:, tag:, type:, rule:, \
         url: or all. A part that may be missing needs text before it, because a selector is \
         widened there.";
    /// A status that rules may not store.
    Status: "C018", "a status that is not stored by a rule",
        "206, 304, 401, 403, 407, 429 and 5xx are stored only when the origin itself says so. \
         Partial answers are cut from whole ones, refusals belong to one caller, failures pass.";
    /// A window of staleness without effect.
    StaleWindow: "C019", "a window of staleness that does not fit the lifetime",
        "What lives for ever is never stale, and what must be asked about each time (ttl = \
         \"0s\") should not be served stale without asking.";
    /// Nowhere to send requests.
    NoOrigin: "C020", "no origin",
        "Requests that no origin's `hosts` fit are answered with 404. Name one in [defaults] \
         origin, or start with --origin.";
    /// A field that changes nothing where it stands.
    NoEffect: "C021", "a field without effect",
        "The field is understood, but nothing on this route lets it matter.";
    /// A secret in the key.
    SecretInKey: "C022", "a secret that keys, tags or selectors would show",
        "Keys appear in Cache-Status, logs, statistics and Redis. For a field or cookie that is a \
         credential a keyed digest stands there; a parameter of the query stands there as it is, \
         unless it is digested: {query.token|sha256}.";
    /// A test that cannot be run.
    Test: "C023", "a test that cannot be run",
        "A [[test]] has `request = \"METHOD /target\"` and at least one expectation.";
    /// A part that no match of the route has.
    UnknownPart: "C024", "a part that the route does not have",
        "A bare name in a template is a part of the path, or a named group of match_regex, of \
         the same route.";
    /// A value that is not known at this point.
    NotHere: "C025", "a value that is not known here",
        "Conditions and keys are decided before the origin is asked, so they cannot use the \
         answer (json:); conditions are decided before the body is read (req.json, req.body).";
    /// More than the program holds.
    TooMany: "C026", "more than this program holds",
        "Every list has a bound, so that a generated file cannot make the proxy slow.";
    /// A test whose expectations are not met.
    TestFailed: "C027", "a test that fails",
        "The rules make something else of this request than its [[test]] expects. Rules whose \
         tests fail are not taken by a reload.";
    /// A parameter that reaches the origin and is in no key.
    UnkeyedParameter: "C028", "a parameter that is named and not in the key",
        "`tags` or `when` names the parameter, so requests with it are read from the cache; the \
         origin gets it, and the key does not hold it. What the origin answers to one value is \
         then served for all others. Put it into the key, or into `query.ignore` if it never \
         changes the answer.";
    /// A shard with something that the key does not hold.
    ShardNotInKey: "C029", "a shard that the key does not decide",
        "The entry of a key lies in one slot of a cluster. So each value of a shard begins as a \
         value of the key does, with the same filters, and may go on from there: key = \"{id}\", \
         shard = \"{id|before(-)}\". On a route without a key the target decides: its parts and \
         parameters.";
    /// A cascade that would go on for ever, or whose selectors cannot be made.
    Cascade: "C030", "a cascade that cannot be followed",
        "A [[cascade]] has `when`, a key:, tag:, type: or rule: selector in which each * is one part \
         without a colon, and `then`, selectors that repeat the parts as {1}, {2}. What follows \
         may make others follow, but never itself, and the longest such chain has 8 of them.";
    /// A tenant that is whatever its caller says.
    ChosenTenant: "C031", "a tenant that callers can choose",
        "Whoever may choose the tenant of a request could read that tenant's answers. A field counts \
         only from trust.peers, which are trusted to set it themselves. A cookie counts only from \
         them too, but most proxies pass cookies on as they came: then a forged cookie is believed.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_distinct_and_in_order() {
        let names: Vec<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        let mut sorted = names.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(names, sorted);
        assert!(Code::ALL.iter().all(|code| !code.explanation().contains("  ")));
    }
}
