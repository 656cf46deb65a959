//! A rulebook with what running it needs: origins that can be asked, and the places that entries
//! of each route share. Made anew at each reload, never changed.

use std::sync::Arc;

use http::HeaderMap;

use crate::base::ids::OriginId;
use crate::base::limits;
use crate::base::units::Span;
use crate::engine::pace::Pace;
use crate::entry::Place;
use crate::origin::{Keep, PhaseLimits, Slots, Spec, Target, TargetError};
use crate::rules::{Asked, Captures, OriginSpec, Route, Rulebook};
use crate::telemetry::ledger::{Ledger, OriginMeter, RuleMeter};

/// The rules in force.
#[derive(Debug)]
pub struct Book {
    /// As compiled.
    pub rules: Rulebook,
    upstreams: Vec<Arc<Upstream>>,
    places: Vec<Arc<Place>>,
    plain: Arc<Place>,
    /// By the routes' numbers.
    meters: Vec<Arc<RuleMeter>>,
    plain_meter: Arc<RuleMeter>,
    /// Whether entries may stand under keys that no GET of their target leads to.
    pub keeps_apart: bool,
}

/// An origin that can be asked.
#[derive(Debug)]
pub struct Upstream {
    /// Its place in the rulebook.
    pub id: OriginId,
    /// Its name in the rules.
    pub name: Arc<str>,
    /// How it is asked.
    pub spec: Spec,
    /// The Host it gets instead of the client's.
    pub fixed_host: Option<Box<str>>,
    /// Whether a request that surely was not processed is sent once more.
    pub repeats: bool,
    /// How long it may take for a whole answer that others wait for.
    pub timeout: Span,
    /// Fields that our own requests carry.
    pub job_fields: HeaderMap,
    /// How long it takes, as far as is known.
    pub pace: Pace,
    /// What is counted of it.
    pub meter: Arc<OriginMeter>,
}

/// What is wrong with an origin's address.
#[derive(Debug, thiserror::Error)]
#[error("origin {name}: {problem}")]
pub struct BookError {
    name: String,
    problem: TargetError,
}

impl Book {
    /// No rules and no origin.
    pub fn empty() -> Self {
        Self {
            rules: Rulebook::empty(),
            upstreams: Vec::new(),
            places: Vec::new(),
            plain: Arc::default(),
            meters: Vec::new(),
            plain_meter: Arc::default(),
            keeps_apart: false,
        }
    }

    /// Makes compiled rules ready to run.
    pub fn new(rules: Rulebook) -> Result<Self, BookError> {
        let upstreams = rules.origins.iter().enumerate().map(Upstream::new);
        let upstreams = upstreams.collect::<Result<_, _>>()?;
        let place = |route: &Arc<Route>| {
            let (rule, kind) = (Some(Arc::clone(&route.name)), Arc::clone(&route.kind_name));
            Arc::new(Place { rule, kind })
        };
        let places = rules.routes.iter().map(place).collect();
        let (meters, plain_meter) = (Vec::new(), Arc::default());
        let keeps_apart = rules.routes.iter().any(|route| !route.is_led_to_by_target());
        let plain = Arc::default();
        Ok(Self { rules, upstreams, places, plain, meters, plain_meter, keeps_apart })
    }

    /// The same, in place of another one, whose entries may still stand.
    #[must_use]
    pub fn after(mut self, other: &Self) -> Self {
        self.keeps_apart |= other.keeps_apart;
        self
    }

    /// The same, counting on in the ledger's meters of these names. Before a book is shared.
    #[must_use]
    pub fn metered(mut self, ledger: &Ledger) -> Self {
        let of = |place: &Arc<Place>| {
            ledger.rule(place.rule.as_deref().unwrap_or_default(), &place.kind)
        };
        self.meters = self.places.iter().map(of).collect();
        self.plain_meter = ledger.rule("", "");
        for upstream in self.upstreams.iter_mut().filter_map(Arc::get_mut) {
            upstream.meter = ledger.origin(&upstream.name);
        }
        self
    }

    /// What is counted of a route; without one, of all that no rule takes.
    pub fn meter(&self, route: Option<&Route>) -> &RuleMeter {
        let own = route.and_then(|route| self.meters.get(usize::from(route.id.0)));
        own.unwrap_or(&self.plain_meter)
    }

    /// An origin by its place.
    pub fn upstream(&self, id: OriginId) -> Option<&Arc<Upstream>> {
        self.upstreams.get(usize::from(id.0))
    }

    /// The route of a request.
    pub fn route(&self, asked: &Asked<'_>) -> Option<(&Arc<Route>, Captures)> {
        self.rules.route(asked)
    }

    /// Where a request goes, by its route, its host, and the defaults.
    pub fn origin_for(&self, route: Option<&Route>, asked: &Asked<'_>) -> Option<&Arc<Upstream>> {
        let found = self.rules.origin_for(route, asked)?;
        self.upstreams.iter().find(|upstream| *upstream.name == *found.name)
    }

    /// Where in the rules an entry of this route came from.
    pub fn place(&self, route: Option<&Route>) -> &Arc<Place> {
        route.and_then(|route| self.places.get(usize::from(route.id.0))).unwrap_or(&self.plain)
    }

    /// Whether the site of a request can be a part of what identifies an answer of this route: its
    /// origin, or one that it may be, gets the client's Host.
    pub fn tells_sites_apart(&self, route: &Route) -> bool {
        let named = route.origin.and_then(|at| self.upstreams.get(at));
        let all = named.map_or(&self.upstreams[..], std::slice::from_ref);
        all.iter().any(|origin| origin.fixed_host.is_none())
    }

    /// All origins, for telling what runs.
    pub fn upstreams(&self) -> &[Arc<Upstream>] {
        &self.upstreams
    }
}

impl Upstream {
    fn new((at, origin): (usize, &OriginSpec)) -> Result<Arc<Self>, BookError> {
        let wrong = |problem| BookError { name: origin.name.to_string(), problem };
        let mut target = Target::parse(&origin.url.to_string()).map_err(wrong)?;
        if let Some(host) = &origin.fixed_host {
            target = target.with_host(host).map_err(wrong)?;
        }
        let slots = origin.max_concurrent.map(|most| {
            Arc::new(Slots::new(most as usize, limits::ORIGIN_QUEUE_MAX, origin.first_byte_timeout))
        });
        let limits = PhaseLimits {
            connect: origin.connect_timeout,
            first_byte: origin.first_byte_timeout,
            between_bytes: origin.idle_timeout,
            total: None,
        };
        let keep = Keep::default();
        let mut job_fields = HeaderMap::new();
        for field in &origin.job_fields {
            if let Some(value) = &field.value {
                job_fields.append(field.name.clone(), value.clone());
            }
        }
        Ok(Arc::new(Self {
            id: OriginId(u16::try_from(at).unwrap_or(u16::MAX)),
            name: Arc::from(&*origin.name),
            spec: Spec { target, limits, keep, slots },
            fixed_host: origin.fixed_host.as_deref().map(Into::into),
            repeats: origin.retries > 0,
            timeout: origin.timeout,
            job_fields,
            pace: Pace::default(),
            meter: Arc::default(),
        }))
    }
}
