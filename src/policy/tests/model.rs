//! The smallest cache that obeys this floor: a list of entries and a clock that is a number. Every
//! decision is a call; what is left here is the order of the calls.

use http::header::{HeaderMap, HeaderName};
use http::{Method, StatusCode};

use crate::base::clock::Timestamp;
use crate::base::ids::Tick;
use crate::policy::reference;
use crate::policy::validate::{self, Condition, HeadEffect, Renewal};
use crate::policy::{
    Credentials, Exchange, Law, Manner, Ranges, RequestDirectives, Selecting, Stamp, Verdict,
    answer, is_error_for_stale, judge, ranges, serves_on_error, storable, stored_fields,
};

pub(crate) struct Asked {
    pub(crate) method: Method,
    pub(crate) target: String,
    pub(crate) fields: HeaderMap,
}

#[derive(Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) fields: HeaderMap,
    pub(crate) body: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Came {
    Hit,
    StaleHit,
    Renewed,
    Origin,
    Nowhere,
}

/// What the origin says to a request; nothing when it hangs up.
pub(crate) type Origin<'a> = &'a mut dyn FnMut(&Asked) -> Option<Answer>;

struct Entry {
    target: String,
    status: StatusCode,
    head: HeaderMap,
    body: Vec<u8>,
    stamp: Stamp,
    selecting: Selecting,
}

pub(crate) struct Model {
    pub(crate) now: Timestamp,
    pub(crate) law: Law,
    pub(crate) manner: Manner,
    entries: Vec<Entry>,
}

impl Model {
    pub(crate) fn new(law: Law, manner: Manner, now: Timestamp) -> Self {
        Self { now, law, manner, entries: Vec::new() }
    }

    pub(crate) fn entries(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn ask(&mut self, asked: &Asked, origin: Origin<'_>) -> (Answer, Came) {
        if !matches!(asked.method, Method::GET | Method::HEAD) {
            return self.write(asked, origin);
        }
        let wishes = RequestDirectives::of(&asked.fields, self.manner.obey_client);
        let found = self.choose(asked);
        let verdict = found
            .and_then(|at| self.entries.get(at))
            .map(|entry| judge(&entry.stamp, &wishes, self.now));
        match (found, verdict) {
            (Some(at), Some(Verdict::Fresh)) => (self.serve(at, asked), Came::Hit),
            (Some(at), Some(Verdict::WhileRevalidate)) => {
                let reply = self.serve(at, asked);
                self.fetch(&plain(asked), Some(at), &RequestDirectives::default(), origin);
                (reply, Came::StaleHit)
            }
            _ if wishes.only_if_cached => (gateway(504), Came::Nowhere),
            _ => self.fetch(asked, found, &wishes, origin),
        }
    }

    /// The newest variant that the request selects.
    fn choose(&self, asked: &Asked) -> Option<usize> {
        let fits = |entry: &Entry| {
            entry.target == asked.target
                && entry.selecting.matches(&asked.fields)
                && self.now < entry.stamp.useful_until()
        };
        let fitting = self.entries.iter().enumerate().filter(|(_, entry)| fits(entry));
        fitting.max_by_key(|(_, entry)| entry.stamp.date).map(|(at, _)| at)
    }

    fn serve(&self, at: usize, asked: &Asked) -> Answer {
        let entry = &self.entries[at];
        let (date, len) = (entry.stamp.date, entry.body.len() as u64);
        let (method, fields) = (&asked.method, &asked.fields);
        let condition = validate::condition(fields, method, entry.status, &entry.head, date);
        let wanted = ranges(fields, method, entry.status, &entry.head, date, len);
        let (status, mut fields, body) = match (condition, wanted) {
            (Condition::Unmodified, _) => (304, answer::not_modified(&entry.head), Vec::new()),
            (_, Ranges::One(range)) => {
                let bytes = entry.body[range.start as usize..range.end as usize].to_vec();
                (206, answer::partial_head(&entry.head, &range, len), bytes)
            }
            (_, Ranges::Unsatisfiable) => {
                (416, answer::unsatisfiable(&entry.head, len), Vec::new())
            }
            _ => (entry.status.as_u16(), entry.head.clone(), entry.body.clone()),
        };
        fields.insert("age", answer::age_value(entry.stamp.age(self.now)));
        Answer { status, fields, body }
    }

    fn fetch(
        &mut self,
        asked: &Asked,
        found: Option<usize>,
        wishes: &RequestDirectives,
        origin: Origin<'_>,
    ) -> (Answer, Came) {
        let mut sent = plain(asked);
        if let Some(at) = found {
            sent.fields.extend(validate::conditions(&self.entries[at].head));
        } else if asked.fields.contains_key("range") {
            sent = Asked { fields: asked.fields.clone(), ..plain(asked) };
        }
        let mut got = origin(&sent);
        if let (Some(at), Some(answer)) = (found, &got)
            && answer.status == 304
        {
            if validate::renewal(&self.entries[at].head, &answer.fields) == Renewal::Renewed {
                return self.renew(at, asked, wishes, &answer.fields);
            }
            sent = plain(asked);
            got = origin(&sent);
        }
        let failed = got
            .as_ref()
            .is_none_or(|got| is_error_for_stale(StatusCode::from_u16(got.status).unwrap()));
        if let Some(at) =
            found.filter(|at| failed && serves_on_error(&self.entries[*at].stamp, wishes, self.now))
        {
            return (self.serve(at, asked), Came::StaleHit);
        }
        let Some(got) = got else { return (gateway(502), Came::Nowhere) };
        if asked.method == Method::HEAD {
            self.take_head(found, &got);
        } else {
            self.store(asked, &sent.fields, *wishes, &got);
        }
        (got, Came::Origin)
    }

    fn renew(
        &mut self,
        at: usize,
        asked: &Asked,
        wishes: &RequestDirectives,
        news: &HeaderMap,
    ) -> (Answer, Came) {
        self.merge(at, *wishes, &asked.fields, news);
        // What a renewal forbids to keep is still this client's answer.
        let reply = self.serve(at, asked);
        if self.entries[at].target.is_empty() {
            self.entries.remove(at);
        }
        (reply, Came::Renewed)
    }

    fn merge(
        &mut self,
        at: usize,
        wishes: RequestDirectives,
        request: &HeaderMap,
        news: &HeaderMap,
    ) {
        let merged = validate::merge(&self.entries[at].head, news, &self.manner);
        let entry = &self.entries[at];
        let exchange = Exchange {
            status: entry.status,
            response: &merged,
            ..self.exchange(&Method::GET, &entry.target, request, &merged, wishes)
        };
        let kept = storable(&exchange, &self.law, &self.manner);
        let head = kept.as_ref().map_or_else(
            |_| merged.clone(),
            |keep| stored_fields(&exchange, keep, &self.law, &self.manner),
        );
        let entry = &mut self.entries[at];
        entry.head = head;
        match kept {
            Ok(keep) => {
                entry.stamp = keep.stamp;
                entry.selecting = Selecting::of(&keep.vary, request);
            }
            Err(_) => entry.target.clear(),
        }
    }

    fn take_head(&mut self, found: Option<usize>, got: &Answer) {
        let Some(at) = found else { return };
        let status = StatusCode::from_u16(got.status).unwrap();
        let entry = &self.entries[at];
        let len = entry.body.len() as u64;
        match validate::head_effect(&entry.head, len, status, &got.fields) {
            HeadEffect::Update => {
                self.merge(at, RequestDirectives::default(), &HeaderMap::new(), &got.fields);
            }
            HeadEffect::Outdated => drop(self.entries.remove(at)),
            HeadEffect::Nothing => {}
        }
    }

    fn exchange<'a>(
        &self,
        method: &'a Method,
        target: &'a str,
        request: &'a HeaderMap,
        response: &'a HeaderMap,
        directives: RequestDirectives,
    ) -> Exchange<'a> {
        let credentials = if request.contains_key("authorization") {
            Credentials::ByAnswer
        } else {
            Credentials::Absent
        };
        Exchange {
            method,
            target,
            request,
            credentials,
            status: StatusCode::OK,
            response,
            asked_at: self.now,
            answered_at: self.now,
            born: Tick(0),
            directives,
        }
    }

    fn store(
        &mut self,
        asked: &Asked,
        request: &HeaderMap,
        wishes: RequestDirectives,
        got: &Answer,
    ) {
        let exchange = Exchange {
            status: StatusCode::from_u16(got.status).unwrap(),
            ..self.exchange(&asked.method, &asked.target, request, &got.fields, wishes)
        };
        let Ok(keep) = storable(&exchange, &self.law, &self.manner) else {
            let replaced =
                |entry: &Entry| entry.target == asked.target && entry.selecting.matches(request);
            if exchange.status.is_success() && got.status != 206 && asked.method == Method::GET {
                self.entries.retain(|entry| !replaced(entry));
            }
            return;
        };
        let selecting = Selecting::of(&keep.vary, request);
        let head = stored_fields(&exchange, &keep, &self.law, &self.manner);
        self.entries.retain(|entry| entry.target != asked.target || entry.selecting != selecting);
        self.entries.push(Entry {
            target: asked.target.clone(),
            status: exchange.status,
            head,
            body: got.body.clone(),
            stamp: keep.stamp,
            selecting,
        });
    }

    fn write(&mut self, asked: &Asked, origin: Origin<'_>) -> (Answer, Came) {
        let Some(got) = origin(asked) else { return (gateway(502), Came::Nowhere) };
        if (200..400).contains(&got.status) {
            let mut gone = vec![asked.target.clone()];
            for name in ["location", "content-location"] {
                let named = got.fields.get(HeaderName::from_static(name));
                gone.extend(named.and_then(|at| reference::resolve(&asked.target, at.as_bytes())));
            }
            self.entries.retain(|entry| !gone.contains(&entry.target));
            let wishes = RequestDirectives::of(&asked.fields, self.manner.obey_client);
            self.store(asked, &asked.fields, wishes, &got);
        }
        (got, Came::Origin)
    }
}

/// The same request without the client's own conditions and ranges.
fn plain(asked: &Asked) -> Asked {
    let mut fields = asked.fields.clone();
    validate::strip_conditions(&mut fields);
    Asked { method: asked.method.clone(), target: asked.target.clone(), fields }
}

fn gateway(status: u16) -> Answer {
    Answer { status, fields: HeaderMap::new(), body: Vec::new() }
}
