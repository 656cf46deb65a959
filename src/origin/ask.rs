//! One request, one answer: a place, a connection, the head within its limits, and the single
//! repetition that is safe.
//!
//! ```text
//! place among max_concurrent
//!   └ kept connection, else a new one ─ send ─ head ─ judge ─► Inbound
//!        └ dead before any answer, and the request unsent or safe: once more, on a new one
//! ```

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response, StatusCode, response};
use http_body::Body;
use hyper::body::Incoming;
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::base::units::Span;
use crate::origin::BoxError;
use crate::origin::answer;
use crate::origin::body::{BodyLimits, Held, InBody};
use crate::origin::fault::{OriginFault, Phase, Sent};
use crate::origin::link::Link;
use crate::origin::outbound::{About, Outbound};
use crate::origin::pool::{Place, Upstreams};
use crate::origin::spec::{AskOptions, PhaseLimits, Spec, after};
use crate::origin::upgrade::Upgrade;
use crate::origin::upload::{OutBody, Upload};

/// An answer: its head, and the body that streams. Hop-by-hop fields are still in it.
#[derive(Debug)]
pub struct Inbound {
    /// Status, version, fields; a reason phrase that is not the usual one is an extension.
    pub head: response::Parts,
    /// The body. Dropping it before its end closes the connection.
    pub body: InBody,
    /// Who answered.
    pub peer: SocketAddr,
    /// Whether the connection had served before.
    pub reused: bool,
    /// The other protocol's connection, with a 101 only.
    pub upgrade: Option<Upgrade>,
}

impl Inbound {
    /// Head and body as one value.
    pub fn into_response(self) -> Response<InBody> {
        Response::from_parts(self.head, self.body)
    }
}

impl Upstreams {
    /// Sends `request` to the origin of `spec` and waits for the head of its answer.
    ///
    /// Path and query leave byte for byte as they stand in the URI; scheme and authority of the
    /// URI are not looked at. Host stays as given unless the target fixes one. Hop-by-hop fields
    /// are the caller's to remove, except framing, which is made anew: a Content-Length where the
    /// length is known, else chunked. Trailers leave if the request's `Trailer` names them.
    ///
    /// Dropping the future closes the connection it uses.
    pub async fn ask<B>(
        &self,
        spec: &Spec,
        request: Request<B>,
        options: AskOptions,
    ) -> Result<Inbound, OriginFault>
    where
        B: Body<Data = Bytes, Error = BoxError> + Send + 'static,
    {
        let outbound = Outbound::new(&spec.target, request, options.on_interim)?;
        let limits = options.limits.unwrap_or(spec.limits);
        let now = Instant::now();
        let ends = limits.total.map(|total| (after(now, total), total));
        let slot = match &spec.slots {
            Some(slots) => Some(slots.take(ends).await?),
            None => None,
        };
        let asking = Asking { spec, place: self.place(&spec.target), limits, ends };
        let mut inbound = asking.converse(outbound, options.once).await?;
        match &mut inbound.upgrade {
            Some(upgrade) => upgrade.hold(slot),
            None => inbound.body.hold(slot),
        }
        Ok(inbound)
    }
}

struct Asking<'a> {
    spec: &'a Spec,
    place: Arc<Place>,
    limits: PhaseLimits,
    ends: Option<(Instant, Span)>,
}

/// An exchange without an answer, and the request if it may be sent again.
struct Failed {
    fault: OriginFault,
    again: Option<Outbound>,
}

impl Asking<'_> {
    async fn converse(&self, outbound: Outbound, once: bool) -> Result<Inbound, OriginFault> {
        let mut outbound = outbound;
        let copy = if once { None } else { outbound.copy() };
        if let Some(link) = self.kept(copy.is_some()).await {
            match self.exchange(link, outbound, copy).await {
                Ok(inbound) => return Ok(inbound),
                Err(Failed { again: Some(again), .. }) if !once => outbound = again,
                Err(Failed { fault, .. }) => return Err(fault),
            }
        }
        let link = self.connect().await?;
        self.exchange(link, outbound, None).await.map_err(|failed| failed.fault)
    }

    /// A kept connection, as surely alive as can be known when the request is not `repeatable`.
    async fn kept(&self, repeatable: bool) -> Option<Link> {
        loop {
            let link = self.place.take()?;
            if repeatable {
                return Some(link);
            }
            // One turn of the runtime: an end that has arrived already is noticed before the
            // request leaves, not after.
            tokio::task::yield_now().await;
            if link.is_ready() {
                return Some(link);
            }
        }
    }

    async fn connect(&self) -> Result<Link, OriginFault> {
        let own = (after(Instant::now(), self.limits.connect), self.limits.connect);
        let (until, limit, phase) = match self.ends {
            Some((end, total)) if end < own.0 => (end, total, Phase::Total),
            _ => (own.0, own.1, Phase::Connect),
        };
        timeout_at(until, self.place.connect()).await.unwrap_or(Err(OriginFault::Timeout {
            phase,
            limit,
            sent: Sent::Nothing,
        }))
    }

    /// Sends on one connection. `copy`, or the request itself if it never left, may go out again
    /// when this one was dead.
    async fn exchange(
        &self,
        mut link: Link,
        outbound: Outbound,
        copy: Option<Outbound>,
    ) -> Result<Inbound, Failed> {
        let Outbound { request, about } = outbound;
        let read_before = link.meter().read();
        match self.head(&mut link, request, about.upload.as_deref()).await {
            Ok(answer) => {
                self.inbound(link, about, answer).map_err(|fault| Failed { fault, again: None })
            }
            Err(NoHead { fault, unsent }) => {
                // A connection that said anything was alive: then what it said is the answer.
                let dead = link.meter().read() == read_before;
                let reset = matches!(fault, OriginFault::Reset { .. });
                let unsent = unsent.map(|request| Outbound { request, about });
                let again = unsent.or(copy).filter(|_| dead && reset);
                Err(Failed { fault, again })
            }
        }
    }

    /// Until the head of the final answer, or a limit.
    async fn head(
        &self,
        link: &mut Link,
        request: Request<OutBody>,
        upload: Option<&Upload>,
    ) -> Result<Response<Incoming>, NoHead> {
        let begun = Instant::now();
        let written_before = link.meter().written();
        let mut reply = pin!(link.send(request));
        let meter = link.meter();
        let due = || after(meter.written_at().max(begun), self.limits.first_byte);
        let bell = |due: Instant| self.ends.map_or(due, |(end, _)| end.min(due));
        let mut clock = pin!(sleep_until(bell(due())));
        loop {
            tokio::select! {
                biased;
                answer = &mut reply => return answer.map_err(|mut failure| {
                    let written = meter.written() > written_before;
                    let fault = answer::failure(&failure, upload, written);
                    NoHead { fault, unsent: failure.take_message() }
                }),
                () = &mut clock => {}
            }
            let now = Instant::now();
            let sent = if meter.written() > written_before { Sent::Maybe } else { Sent::Nothing };
            let late = |phase, limit| OriginFault::Timeout { phase, limit, sent };
            let fault = match self.ends {
                Some((end, total)) if end <= now => late(Phase::Total, total),
                _ if due() > now => {
                    clock.as_mut().reset(bell(due()));
                    continue;
                }
                // The origin has all that came so far and waits as we do.
                _ if upload.is_some_and(Upload::is_starved) => {
                    let cause = format!("its body stalled for {}", self.limits.first_byte);
                    OriginFault::Request { sent, cause }
                }
                _ => late(Phase::FirstByte, self.limits.first_byte),
            };
            return Err(NoHead { fault, unsent: None });
        }
    }

    fn inbound(
        &self,
        link: Link,
        about: About,
        mut answer: Response<Incoming>,
    ) -> Result<Inbound, OriginFault> {
        if let Some(upload) = &about.upload {
            upload.shut();
        }
        let afterwards = answer::judge(&answer, &about.method, about.upgrades)?;
        let (peer, reused) = (link.peer(), link.is_used());
        let limits = BodyLimits { between_bytes: self.limits.between_bytes, total: self.ends };
        if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
            link.meter().becomes_tunnel();
            let upgrade = Some(Upgrade::new(hyper::upgrade::on(&mut answer), link));
            let (head, body) = answer.into_parts();
            let body = InBody::new(body, limits, None);
            return Ok(Inbound { head, body, peer, reused, upgrade });
        }
        let (head, body) = answer.into_parts();
        let held = Held {
            link,
            place: Arc::clone(&self.place),
            keep: self.spec.keep,
            afterwards,
            upload: about.upload,
            slot: None,
        };
        let body = InBody::new(body, limits, Some(held));
        Ok(Inbound { head, body, peer, reused, upgrade: None })
    }
}

/// Why there is no head, and the request if hyper gave it back unsent.
struct NoHead {
    fault: OriginFault,
    unsent: Option<Request<OutBody>>,
}
