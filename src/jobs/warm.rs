//! Warming: answers are fetched before anybody asks for them, in the order in which they were
//! named. What stands here fresh is not asked for, and takes no turn.

use std::ops::Range;

use crate::base::clock::Timestamp;
use crate::base::limits;
use crate::engine::ahead::{self, Brought, Page, Target, Walk};
use crate::engine::{Engine, Worker};
use crate::jobs::lanes::{self, Pace};
use crate::jobs::ranges::Template;
use crate::jobs::registry::Job;

/// What may come of one answer.
pub(super) const WORDS: [&str; 7] =
    ["fetched", "found", "fresh", "not-cacheable", "no-credentials", "unknown", "failed"];

/// What is to be warm.
#[derive(Debug)]
pub struct Warm {
    from: From,
    pace: Pace,
}

#[derive(Debug)]
enum From {
    Urls(Vec<Target>),
    Template(Template, u64),
    Hot,
    Type(Walk),
    End,
}

impl Warm {
    /// These.
    pub const fn of_urls(urls: Vec<Target>, pace: Pace) -> Self {
        Self { from: From::Urls(urls), pace }
    }

    /// What a template makes.
    pub const fn of_template(template: Template, pace: Pace) -> Self {
        Self { from: From::Template(template, 0), pace }
    }

    /// The hottest keys, as they are when it begins.
    pub const fn of_hot(pace: Pace) -> Self {
        Self { from: From::Hot, pace }
    }

    /// What stands of a type and is old, perhaps only what was stored or made in a span.
    pub fn of_type(kind: &str, dated: Option<Range<Timestamp>>, pace: Pace) -> Self {
        Self { from: From::Type(Walk::of_type(kind, dated)), pace }
    }

    /// Does it.
    pub(super) async fn run(self, worker: &Worker, job: &Job) -> Result<(), String> {
        let Self { from, pace } = self;
        let pace = &pace;
        let each = |target: Target| async move {
            let brought = if let Some(known) = ahead::known(&worker.engine, &target) {
                known
            } else {
                pace.turn().await;
                ahead::bring(worker, &target).await
            };
            note(job, &target, &brought);
        };
        lanes::through(worker, job, pace, from, each).await
    }
}

fn note(job: &Job, target: &Target, brought: &Brought) {
    let (word, why) = match brought {
        Brought::Fetched => ("fetched", None),
        Brought::Found => ("found", None),
        Brought::Fresh => ("fresh", None),
        Brought::NotCacheable(reason) => ("not-cacheable", Some(*reason)),
        Brought::NoCredentials => ("no-credentials", Some(NO_CREDENTIALS)),
        Brought::Failed(why) => ("failed", Some(why.as_str())),
    };
    job.note(word, why.map(|why| (target.uri(), why)));
}

/// Why what needs a credential is left alone.
pub(super) const NO_CREDENTIALS: &str = "it is for who shows a credential, and `job_headers` of \
                                         the origin gives none that all callers share";

impl lanes::Source for From {
    type Item = Target;

    async fn page(&mut self, engine: &Engine, job: &Job) -> Result<Option<Vec<Target>>, String> {
        match self {
            Self::End => return Ok(None),
            Self::Template(template, at) => {
                job.expect(template.total());
                let mut page = Vec::with_capacity(limits::JOB_PAGE);
                while page.len() < limits::JOB_PAGE
                    && let Some(url) = template.url(*at)
                {
                    *at += 1;
                    match Target::of_url(&url) {
                        Ok(target) => page.push(target),
                        Err(why) => job.note("failed", Some((&url, &why.to_string()))),
                    }
                }
                return Ok((*at < template.total() || !page.is_empty()).then_some(page));
            }
            Self::Type(walk) => {
                let page = walk.next(engine).await;
                let page = page.map_err(|fault| format!("the shared level: {fault}"))?;
                return Ok(page.map(|page| known(page, job)));
            }
            Self::Urls(_) | Self::Hot => {}
        }
        let page = match std::mem::replace(self, Self::End) {
            Self::Urls(targets) => Page { targets, unknown: Vec::new() },
            _ => ahead::hottest(engine),
        };
        job.expect((page.targets.len() + page.unknown.len()) as u64);
        Ok(Some(known(page, job)))
    }
}

/// What can be asked for; the rest is noted.
fn known(page: Page, job: &Job) -> Vec<Target> {
    for key in page.unknown {
        job.note("unknown", Some((&key, "nothing tells the URL or the fields it was asked with")));
    }
    page.targets
}
