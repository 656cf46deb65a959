//! Methods that change something: the write streams to the origin; when its head says that it
//! succeeded, everything it names is purged before a byte of the head goes to the writer. A write
//! whose outcome nobody knows counts as done, at once and again later (`settle`). A client that
//! leaves changes nothing: the write runs in a task of its own.

use std::sync::Arc;

use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::ext::ReasonPhrase;
use tokio::sync::oneshot;

use crate::base::fault::Fault;
use crate::base::reason::Reason;
use crate::base::{limits, tasks};
use crate::engine::Worker;
use crate::engine::admit::{self, Routed};
use crate::engine::json;
use crate::engine::labels;
use crate::engine::ordering::{self, Carried, Patience};
use crate::engine::outbound::{self, Spelling};
use crate::engine::pass::OutBody;
use crate::engine::posted::Posted;
use crate::engine::purge;
use crate::engine::refresh::{self, Wanted, Writer};
use crate::engine::reply::Reply;
use crate::engine::respond;
use crate::engine::settle;
use crate::engine::soft;
use crate::engine::targets;
use crate::engine::tee::{Copied, Tee};
use crate::engine::transit::{Account, Answer, Caller, Gist, Transit};
use crate::entry::order::{Mode, Order};
use crate::origin::{Inbound, OriginFault, Sent, Whole};
use crate::rules::{Confirm, Json, Role, Route};
use crate::store::redis::fleet::{Effects, Intent, Level};

/// Forwards a write and purges what it changed.
pub(super) async fn write(
    worker: &Worker,
    transit: &Transit,
    routed: &Routed,
    body: OutBody,
) -> Answer {
    let engine = &worker.engine;
    let account = routed.account(Reason::Method);
    let posted = Posted::of(engine, transit, routed);
    let spelling = if posted.is_some() { Spelling::Key } else { Spelling::Client };
    let head = outbound::head(engine, transit, routed, None, spelling);
    let route = routed.route.clone();
    let needs_request = route.as_ref().is_some_and(|route| route.needs_request_body(Role::Write));
    let json_max = route.as_ref().map_or(limits::JSON_BYTES_MAX, |route| route.json_max);
    let copy = Copied::new(needs_request.then_some(json_max));
    let body = Tee { body, copy: copy.clone() }.boxed_unsync();
    let request = Request::from_parts(head, body);
    let task = Task {
        worker: worker.clone(),
        routed: routed.clone(),
        parts: transit.gist(),
        copy,
        json_max,
        posted,
        identity: admit::identity(engine, transit, routed.route.as_deref()),
        caller: transit.caller,
        intent: None,
        wanted: None,
    };
    let (tell, told) = oneshot::channel();
    tasks::spawn(async move {
        // The writer may have left; what it wrote is purged all the same.
        drop(tell.send(task.run(request).await));
    });
    match told.await {
        Ok(Ok(written)) => {
            let Written { status, fields, reply, note, micros, phrase } = written;
            let origin_micros = Some(micros);
            let account = Account { note: note.into(), origin_micros, phrase, ..account };
            Answer { status, fields, reply, account }
        }
        Ok(Err(failed)) => respond::fault(engine, transit, &failed.fault(), account),
        Err(_) => {
            let fault = Fault::Overload("the write's task ended without an answer");
            respond::fault(engine, transit, &fault, account)
        }
    }
}

/// How long the writer waits for its purge.
fn patience(route: Option<&Route>) -> Patience {
    let Some(route) = route else { return Patience::Nodes(limits::CONFIRM_WAIT.to_duration()) };
    match route.on_write.confirm {
        Confirm::Local => Patience::None,
        Confirm::Shared => Patience::Shared,
        Confirm::Nodes => Patience::Nodes(route.on_write.wait.to_duration()),
    }
}

struct Task {
    worker: Worker,
    routed: Routed,
    parts: Gist,
    copy: Copied,
    json_max: u64,
    posted: Option<Posted>,
    identity: Option<String>,
    caller: Caller,
    intent: Option<Intent>,
    /// What is fetched anew when the purge is done.
    wanted: Option<Wanted>,
}

struct Written {
    status: StatusCode,
    fields: HeaderMap,
    reply: Reply,
    note: String,
    micros: u64,
    phrase: Option<ReasonPhrase>,
}

impl Task {
    async fn run(mut self, request: Request<OutBody>) -> Result<Written, OriginFault> {
        let began = tokio::time::Instant::now();
        self.intent = self.intend().await;
        match self.worker.ask_once(&self.routed, request).await {
            Ok(inbound) => Ok(self.answered(inbound, began.elapsed().as_micros() as u64).await),
            Err(failed) => {
                if failed.sent() == Sent::Maybe {
                    self.unknown().await;
                } else {
                    self.fulfil();
                }
                Err(failed)
            }
        }
    }

    /// What the write may change is noted where other nodes find it, should this one die before it
    /// has ordered that.
    async fn intend(&self) -> Option<Intent> {
        let engine = &self.worker.engine;
        let patience = self.routed.timeout().plus(limits::INTENT_PATIENCE);
        let fleet = engine.fleet.as_ref()?;
        // Whoever carries it out knows less of the write than this node.
        let order = self.order(None, None).0.as_mode(Mode::Delete);
        let order = engine.with_followers(order);
        fleet.intend(&order, patience, engine.as_ref()).await
    }

    /// What it changed is ordered, or it changed nothing.
    fn fulfil(&mut self) {
        if let (Some(fleet), Some(intent)) = (&self.worker.engine.fleet, self.intent.take()) {
            fleet.fulfil(intent);
        }
    }

    async fn answered(mut self, inbound: Inbound, micros: u64) -> Written {
        let status = inbound.head.status;
        let phrase = inbound.head.extensions.get().cloned();
        let gateway = matches!(status, StatusCode::BAD_GATEWAY | StatusCode::GATEWAY_TIMEOUT);
        let route = self.routed.route.as_deref();
        let succeeded = match route {
            Some(route) => route.on_write.is_success(status),
            None => status.is_success() || status.is_redirection(),
        };
        let (mut fields, body) = (inbound.head.headers, inbound.body);
        let mut note = String::new();
        let reply;
        if succeeded {
            let wants_body = route.is_some_and(|route| route.needs_response_json(Role::Write));
            if wants_body {
                let (json, held) = self.read_answer(&fields, body).await;
                note = self.purge(Some(&fields), json.as_ref()).await.1;
                reply = held;
            } else {
                let posted = self.posted.take();
                let engine = &self.worker.engine;
                let calm = posted.as_ref().and_then(|posted| posted.calm(engine));
                let own;
                (own, note) = self.purge(Some(&fields), None).await;
                let engine = &self.worker.engine;
                let birth = Posted::birth(engine, calm, &own);
                reply = match posted.zip(birth) {
                    Some((posted, birth)) => {
                        let mut answer = Response::new(body);
                        *answer.status_mut() = status;
                        *answer.headers_mut() = fields.clone();
                        posted
                            .keep(&self.worker, birth, answer)
                            .unwrap_or_else(|answer| Reply::Origin(Box::new(answer.into_body())))
                    }
                    None => Reply::Origin(Box::new(body)),
                };
            }
        } else {
            if gateway {
                self.unknown().await;
                "purged, outcome unknown".clone_into(&mut note);
            } else {
                self.fulfil();
            }
            reply = Reply::Origin(Box::new(body));
        }
        note += &self.refresh().await;
        crate::base::fields::strip_hop_by_hop(&mut fields);
        Written { status, fields, reply, note, micros, phrase }
    }

    /// Holds the answer's body back, up to the limit, because selectors need it.
    async fn read_answer(
        &self,
        fields: &HeaderMap,
        body: crate::origin::InBody,
    ) -> (Option<Json>, Reply) {
        let read = crate::origin::whole(body, self.json_max).await;
        let bytes = read.as_ref().ok().and_then(Whole::bytes);
        let json = bytes.and_then(|bytes| json::read(fields, &bytes, self.json_max));
        (json, Reply::from(read))
    }

    /// Purges what the write names; gives back what came of it, and a word on what went.
    async fn purge(
        &mut self,
        answer: Option<&HeaderMap>,
        response: Option<&Json>,
    ) -> (Carried, String) {
        let engine = &self.worker.engine;
        let (order, widened) = self.order(answer, response);
        if let Some(fields) = answer {
            labels::tell_ignored(engine, &self.parts.absolute(), fields);
        }
        // Before the purge takes it.
        self.wanted = self.refreshed(response).map(|order| refresh::wanted(engine, &order));
        let route = self.routed.route.as_deref();
        let (rule, patience) = (route.map(|route| &*route.name), patience(route));
        let carried = ordering::order_all(engine, &order, "write", rule, widened, patience).await;
        let level = carried.receipt.level;
        if let Some(after) = route.and_then(|route| route.on_write.settle) {
            settle::once_more(engine, order, rule.map(Arc::from), widened, after);
        }
        let note = match engine.fleet {
            Some(_) => format!("purged {}; {}", carried.counts.entries, level.as_str()),
            None => format!("purged {}", carried.counts.entries),
        };
        match (&engine.fleet, carried.count) {
            (Some(fleet), Some(count)) if patience == Patience::None => {
                let (fleet, intent) = (Arc::clone(fleet), self.intent.take());
                tasks::spawn(async move {
                    // The writer waits for nothing; the note waits for the order's number.
                    let receipt = fleet.settled(count, None).await;
                    if let Some(intent) = intent.filter(|_| receipt.level > Level::Local) {
                        fleet.fulfil(intent);
                    }
                });
            }
            _ if level > Level::Local => self.fulfil(),
            _ => {}
        }
        (carried, note)
    }

    /// What of it is to be fetched anew.
    fn refreshed(&self, response: Option<&Json>) -> Option<Order> {
        let route = self.routed.route.as_deref().filter(|route| route.on_write.refreshes())?;
        let (asked, body) = (self.parts.asked(), self.copy.body(&self.parts.fields));
        let veil = self.worker.engine.veil(self.identity.as_deref());
        let captures = &self.routed.captures;
        let planned = route.refresh_selectors(&asked, captures, body.as_ref(), veil, response);
        let named = planned.into_iter().map(|one| one.selector).collect();
        Some(Order::of(purge::on_this_site(&self.parts.book, &asked, named)))
    }

    /// Fetches anew what the purge has taken; a word on what came of it.
    async fn refresh(&mut self) -> String {
        let Some(wanted) = self.wanted.take() else { return String::new() };
        let route = self.routed.route.as_deref();
        let wait = route.map_or(limits::REFRESH_WAIT, |route| route.on_write.refresh_wait);
        let rule = route.map(|route| Arc::clone(&route.name));
        let tenant = Some(self.routed.captures.tenant.clone());
        let writer = Writer { caller: self.caller, gist: self.parts.clone(), rule, tenant };
        match refresh::run(&self.worker, writer, wanted, wait).await {
            Some(count) => format!("; refreshed {count}"),
            None => "; refreshing".to_owned(),
        }
    }

    /// What the write names, and whether a missing part made that wider.
    fn order(&self, answer: Option<&HeaderMap>, response: Option<&Json>) -> (Order, bool) {
        let asked = self.parts.asked();
        let mut selectors = targets::of(&self.parts, answer);
        if let Some(fields) = answer {
            selectors.extend(labels::invalidated(&self.routed, &self.parts, fields));
        }
        let mut widened = false;
        let route = self.routed.route.as_deref();
        if let Some(route) = route {
            let body = self.copy.body(&self.parts.fields);
            let captures = &self.routed.captures;
            let veil = self.worker.engine.veil(self.identity.as_deref());
            let planned = route.write_selectors(&asked, captures, body.as_ref(), veil, response);
            for one in planned {
                widened |= one.widened;
                selectors.push(one.selector);
            }
        }
        let selectors = purge::on_this_site(&self.parts.book, &asked, selectors);
        let is_soft = route.is_some_and(|route| route.on_write.soft);
        let mode = if is_soft { soft::mode(&self.worker.engine) } else { Mode::Delete };
        (Order::of(selectors).as_mode(mode), widened)
    }

    /// Nobody knows whether the write was done: it counts as done now, and again when a late commit
    /// may have come.
    async fn unknown(&self) {
        let (order, widened) = self.order(None, None);
        let rule = self.routed.route.as_ref().map(|route| Arc::clone(&route.name));
        let timeout = self.routed.timeout();
        settle::unknown(&self.worker.engine, order, rule, widened, timeout).await;
    }
}
