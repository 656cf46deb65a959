//! What the tests of this floor share: books from text, requests from words.

use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::{Asked, Diagnostic, LoadContext, Rulebook, Source, Veil, load};

/// A file of rules with a version and one origin before the given text.
pub(super) fn source(text: &str) -> Source {
    let text = format!("version = 1\n{text}\n[origin.o]\nurl = \"http://127.0.0.1:8000\"\n");
    Source { name: "r.toml".into(), text }
}

/// The book of a text that has no error.
pub(super) fn book(text: &str) -> Rulebook {
    match load(&[source(text)], &LoadContext::default()) {
        Ok(loaded) => loaded.book,
        Err(all) => panic!("{}", shown(&all)),
    }
}

/// Every finding about a text, as `severity code line: message`.
pub(super) fn findings(text: &str) -> Vec<String> {
    findings_of(&[source(text)])
}

/// The same for several files.
pub(super) fn findings_of(sources: &[Source]) -> Vec<String> {
    let all = load(sources, &LoadContext::default()).map_or_else(|all| all, |done| done.warnings);
    all.iter()
        .map(|one| {
            let line = one.place.as_ref().map_or(0, |place| place.line_column().0);
            let (severity, code) = (one.severity.as_str(), one.code.as_str());
            format!("{severity} {code} {line}: {}", one.message)
        })
        .collect()
}

/// All findings as people see them.
pub(super) fn shown(all: &[Diagnostic]) -> String {
    all.iter().map(|one| one.render(false)).collect::<Vec<_>>().join("\n\n")
}

/// A request that owns its parts.
pub(super) struct Request {
    method: Method,
    authority: String,
    target: String,
    fields: HeaderMap,
}

impl Request {
    /// From `GET /a?b=1`.
    pub(super) fn new(line: &str) -> Self {
        let (method, target) = line.split_once(' ').unwrap();
        Self {
            method: Method::from_bytes(method.as_bytes()).unwrap(),
            authority: "shop.example".into(),
            target: target.into(),
            fields: HeaderMap::new(),
        }
    }

    /// To another host.
    pub(super) fn host(mut self, authority: &str) -> Self {
        self.authority = authority.into();
        self
    }

    /// With one more field line.
    pub(super) fn with(mut self, name: &str, value: &str) -> Self {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        self.fields.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        self
    }

    /// As rules see it.
    pub(super) fn asked(&self) -> Asked<'_> {
        Asked {
            method: &self.method,
            scheme: "http",
            authority: &self.authority,
            target: &self.target,
            fields: &self.fields,
            trusted: true,
        }
    }

    /// The name of the route that takes it.
    pub(super) fn route(&self, book: &Rulebook) -> Option<String> {
        book.route(&self.asked()).map(|(route, _)| route.name.to_string())
    }

    /// Its key, or the reason and detail why it has none.
    pub(super) fn key(&self, book: &Rulebook) -> Result<String, String> {
        self.key_with(book, None, None)
    }

    /// The same with a body and a digest of the caller.
    pub(super) fn key_with(
        &self,
        book: &Rulebook,
        body: Option<&str>,
        identity: Option<&str>,
    ) -> Result<String, String> {
        let asked = self.asked();
        let (route, captures) = book.route(&asked).ok_or("no route")?;
        let body = body.map(|text| super::RequestBody::new(text.to_owned().into()));
        let plan = route.read_plan(&asked, &captures, body.as_ref(), identity.into());
        plan.map(|plan| plan.key.unwrap_or_else(|| "the target".into()))
            .map_err(|(reason, detail)| format!("{reason} {detail}").trim().to_owned())
    }

    /// The selectors of a write, `!` before those that were widened.
    pub(super) fn purges(
        &self,
        book: &Rulebook,
        body: Option<&str>,
        answer: Option<&str>,
    ) -> Vec<String> {
        let asked = self.asked();
        let (route, captures) = book.route(&asked).unwrap();
        let body = body.map(|text| super::RequestBody::new(text.to_owned().into()));
        let answer = answer.map(|text| super::Json::read(text.as_bytes()).unwrap());
        let all = route.write_selectors(
            &asked,
            &captures,
            body.as_ref(),
            Veil::default(),
            answer.as_ref(),
        );
        all.iter()
            .map(|one| format!("{}{}", if one.widened { "!" } else { "" }, one.selector))
            .collect()
    }
}
