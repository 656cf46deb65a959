//! How and where entries are kept: which levels, compressed, encrypted, in which slot of a cluster;
//! and the channel of events. What would have no effect with these settings is told.

use super::super::check::is_credential;
use super::super::diagnostic::{Code, Findings, Spot};
use super::super::document::{RulesDocument, TypeTable};
use super::super::extract::ValueOf;
use super::super::names::Names;
use super::super::read::{At, Maybe, Text};
use super::super::rulebook::{EventsRule, Keeping, Mode};
use super::super::template::{Purpose, Template};
use super::super::values::Compression;
use super::super::words::ReadWord;
use super::super::{LoadContext, SharedLevel};
use super::law::{Levels, level, level_without_type};
use super::{Scope, inherited};
use crate::base::limits::{
    CHANNEL_BYTES_MAX, COMPRESS_BYTES_MIN, COMPRESS_LEVEL, COMPRESS_LEVEL_MAX,
};

/// How and where a route keeps.
pub(super) fn keeping(levels: &Levels<'_>, scope: &Scope<'_>, found: &mut Findings) -> Keeping {
    let built_in = Keeping::default();
    let (l1, l2, encrypt) = (level!(levels, l1), level!(levels, l2), level!(levels, encrypt));
    let read = level!(levels, read);
    let says = |field: Option<&At<bool>>, default: bool| field.map_or(default, |at| at.value);
    let (compress, serve) = match level!(levels, compress) {
        Some(written) => compress(written, found),
        None => (built_in.compress, built_in.serve),
    };
    let keeping = Keeping {
        l1: says(l1, built_in.l1),
        l2: says(l2, built_in.l2),
        compress,
        serve,
        encrypt: says(encrypt, built_in.encrypt),
        replica: read.is_some_and(|at| at.value == ReadWord::Replica),
    };
    let passes = level_without_type!(levels, mode).is_some_and(|mode| *mode == Mode::Pass);
    if !passes {
        let spot = |field: Option<&At<bool>>| field.map(|at| at.spot);
        check_levels(&keeping, spot(l1), spot(l2), scope.ctx, found);
        check_encrypt(&keeping, spot(encrypt), scope.ctx, found);
        check_replica(&keeping, read.map(|at| at.spot), scope.ctx, found);
    }
    keeping
}

/// How bodies are compressed, and whether they are served so.
fn compress(written: &At<Compression>, found: &mut Findings) -> (Option<(i32, u64)>, bool) {
    let (level, min) = (COMPRESS_LEVEL, COMPRESS_BYTES_MIN);
    match &written.value {
        Compression::Whether(false) => (None, false),
        Compression::Whether(true) => (Some((level, min)), true),
        Compression::As(table) => {
            let fits = |level: &i32| (1..=COMPRESS_LEVEL_MAX).contains(level);
            let own = table.level.as_ref().map(|at| {
                i32::try_from(at.value).ok().filter(fits).unwrap_or_else(|| {
                    let message = format!("a level is a number from 1 to {COMPRESS_LEVEL_MAX}");
                    found.error(Code::WrongValue, at.spot, message);
                    level
                })
            });
            let min = table.min.as_ref().map_or(min, |at| at.value.0.0);
            let serve = table.serve.as_ref().is_none_or(|at| at.value);
            (Some((own.unwrap_or(level), min)), serve)
        }
    }
}

/// What can be wrong in a type, told once however many routes use it.
pub(super) fn check_type(table: &TypeTable, found: &mut Findings) {
    if let Some(Maybe::Just(written)) = &table.compress {
        compress(written, found);
    }
}

fn check_levels(
    keeping: &Keeping,
    l1: Option<Spot>,
    l2: Option<Spot>,
    ctx: &LoadContext,
    found: &mut Findings,
) {
    if !keeping.l1 && !keeping.l2 {
        found
            .error(Code::NoEffect, l1.or(l2), "with `l1` and `l2` false nothing is kept")
            .help("write mode = \"pass\" for what is not to be cached");
    } else if !keeping.l1 && ctx.shared == SharedLevel::Absent {
        found
            .warn(Code::NoEffect, l1, "nothing is kept: there is no shared level")
            .label("it is not kept in this process either")
            .help("name one in cistern.toml: [l2] url = \"redis://…\", or set REDIS_URL");
    }
}

fn check_encrypt(keeping: &Keeping, spot: Option<Spot>, ctx: &LoadContext, found: &mut Findings) {
    if !keeping.encrypt {
        return;
    }
    if !keeping.l2 || ctx.shared == SharedLevel::Absent {
        found
            .warn(Code::NoEffect, spot, "`encrypt` has no effect here")
            .label("it seals what goes to the shared level, and nothing does");
    } else if let SharedLevel::Present { has_keys: false, .. } = ctx.shared {
        found
            .error(Code::Missing, spot, "there is no key to encrypt with")
            .help("set CISTERN_KEY or CISTERN_KEY_FILE, or keys_file in [l2] of cistern.toml");
    }
}

fn check_replica(keeping: &Keeping, spot: Option<Spot>, ctx: &LoadContext, found: &mut Findings) {
    if let SharedLevel::Present { replicas: false, .. } = ctx.shared
        && keeping.replica
    {
        found
            .warn(Code::NoEffect, spot, "`read = \"replica\"` has no effect here")
            .help("allow it in cistern.toml: [l2] replicas = \"allowed\"");
    }
}

/// The text of a route's shard. That of the file's defaults reaches routes with a key of their own.
pub(super) fn shard_text<'d>(levels: &Levels<'d>) -> Option<&'d Text> {
    let of_file = levels.defaults.shard.as_ref().filter(|_| levels.route.key.is_some());
    inherited([levels.route.shard.as_ref(), None, of_file])
}

/// What entries have in common that lie in one slot of a cluster.
pub(super) fn shard(
    levels: &Levels<'_>,
    names: &Names,
    scope: &Scope<'_>,
    found: &mut Findings,
) -> Option<Template> {
    let text = shard_text(levels)?;
    let template = Template::read(text, names, Purpose::Shard, found)?;
    if template.pieces.is_empty() {
        found.error(Code::Template, text.spot, "a shard without text names no slot");
        return None;
    }
    let tells_callers =
        |of: &ValueOf| *of == ValueOf::Identity || is_credential(of, &scope.credentials);
    if template.sources().any(tells_callers) {
        found
            .error(Code::NotHere, text.spot, "a shard holds nothing that identifies a caller")
            .label("shards show where entries lie, in clear text")
            .help("take a part of the path or a parameter");
        return None;
    }
    Some(template)
}

/// The channel of events, which one file may name.
pub(super) fn events(
    documents: &[RulesDocument],
    ctx: &LoadContext,
    found: &mut Findings,
) -> Option<EventsRule> {
    let mut tables = documents.iter().filter_map(|document| document.events.as_ref());
    let table = tables.next()?;
    if tables.next().is_some() {
        found.error(Code::Duplicate, None, "[events] may stand in one file only");
    }
    let Some(channel) = &table.channel else {
        if !table.broken {
            found
                .error(Code::Missing, None, "[events] has no `channel`")
                .help("write channel = \"cistern:events\"");
        }
        return None;
    };
    let printable = |byte: u8| byte.is_ascii_graphic() || byte == b' ';
    let length = channel.value.len();
    if length == 0 || length > CHANNEL_BYTES_MAX || !channel.value.bytes().all(printable) {
        let message = format!("a channel is 1 to {CHANNEL_BYTES_MAX} printable ASCII characters");
        found.error(Code::WrongValue, channel.spot, message);
    }
    if ctx.shared == SharedLevel::Absent {
        found
            .warn(Code::NoEffect, channel.spot, "nothing listens to this channel")
            .label("it is a channel of Redis, and there is no shared level")
            .help("name one in cistern.toml: [l2] url = \"redis://…\", or set REDIS_URL");
    }
    Some(EventsRule { channel: channel.value.clone() })
}

#[cfg(test)]
mod tests;
