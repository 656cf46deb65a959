//! From what was read to what runs. Flags are laid over the rest first, so that what is told of the
//! settings later is what was resolved here.

use std::net::SocketAddr;
use std::path::Path;

use crate::admin::Aliases;
use crate::base::limits;
use crate::base::units::{ByteSize, Span};
use crate::engine::options::{Forwarding, KeyShown, Told};
use crate::jobs::rounds::Rounds;
use crate::node::file::{self, Listen, Provenance, Read};
use crate::node::settings::memory::{memory, transit};
use crate::node::settings::values::{addresses, field_names, networks, size, token, word};
use crate::node::settings::{Flags, Settings, SettingsError, l2, listen};
use crate::policy::{Manner, Profile};
use crate::store::l1::Eviction;
use crate::telemetry::sink::Target;

/// L1 where nothing is said and there is memory for it.
const L1_BYTES: u64 = 256_000_000;

const PROFILES: [(&str, Profile); 2] = [("safe", Profile::Safe), ("rfc", Profile::Rfc)];
const POLICIES: [(&str, Eviction); 2] = [("tinylfu", Eviction::TinyLfu), ("lru", Eviction::Lru)];
const TOLD: [(&str, Told); 3] =
    [("all", Told::All), ("trusted", Told::Trusted), ("off", Told::Nobody)];
const KEYS: [(&str, KeyShown); 3] =
    [("plain", KeyShown::Plain), ("hash", KeyShown::Hash), ("off", KeyShown::Off)];
const SWITCH: [(&str, bool); 2] = [("on", true), ("off", false)];
/// Whether the proxy's port answers them too.
const ALIASES: [(&str, Option<bool>); 3] =
    [("admin", Some(false)), ("proxy", Some(true)), ("off", None)];
const TAGS: [(&str, bool); 2] = [("strip", true), ("pass", false)];
const FORWARDING: [(&str, Forwarding); 4] = [
    ("x-forwarded", Forwarding { x_forwarded: true, forwarded: false }),
    ("forwarded", Forwarding { x_forwarded: false, forwarded: true }),
    ("both", Forwarding { x_forwarded: true, forwarded: true }),
    ("off", Forwarding { x_forwarded: false, forwarded: false }),
];

/// Resolves everything; also what was read, with what counts in it.
pub(super) fn whole(
    flags: &Flags,
    environment: &[(String, String)],
) -> Result<(Settings, Read), SettingsError> {
    let mut read = file::read(flags.config.as_deref(), environment)?;
    lay_over(flags, &mut read);
    let base = flags.config.as_deref().and_then(Path::parent).unwrap_or(Path::new(""));
    let (l2, l2_keys) = l2::resolve(&mut read, base)?;
    let Read { file, places, variables } = &read;
    let at = |key: &str| places.name(key);
    let memory = memory(&file.memory).map_err(|e| SettingsError::new(at("memory"), e))?;
    let l1_size = l1_size(&read, memory)?;
    let rotate = size(&file.log.rotate, &at("log.rotate"))?;
    let target = |text: &str| match text {
        "off" => Target::Off,
        "stdout" => Target::Stdout,
        path => Target::File { path: base.join(path), rotate_bytes: rotate, keep: file.log.keep },
    };
    if file.log.access_format != "json" {
        let problem = "only \"json\" is built; the other formats are not built yet";
        return Err(SettingsError::new(at("log.access_format"), problem));
    }
    let span =
        |text: &str, key: &str| Span::parse(text).map_err(|e| SettingsError::new(at(key), e));
    let settings = Settings {
        profile: word(&file.profile, &at("profile"), &PROFILES)?,
        rules: flags.rules.clone().or_else(|| file.rules.as_ref().map(|path| base.join(path))),
        origin: flags.origin.clone(),
        listen: listen::resolve(&read, base)?,
        admin: admin(&read)?,
        admin_hosts: file.admin.hosts.clone(),
        aliases: aliases(&read)?,
        tokens_file: file.admin.tokens_file.as_ref().map(|path| base.join(path)),
        workers: file.workers.unwrap_or_else(cores).max(1),
        memory,
        l1_size,
        transit_size: transit(memory, l1_size),
        l1_policy: word(&file.l1.policy, &at("l1.policy"), &POLICIES)?,
        max_object: size(&file.l1.max_object, &at("l1.max_object"))?,
        access_log: target(&file.log.access),
        event_log: target(&file.log.events),
        drain_delay: span(&file.drain.delay, "drain.delay")?,
        drain_timeout: span(&file.drain.timeout, "drain.timeout")?,
        cache_status: word(&file.headers.cache_status, &at("headers.cache_status"), &TOLD)?,
        key_shown: word(&file.headers.key, &at("headers.key"), &KEYS)?,
        targeted: match &file.headers.targeted {
            Some(texts) => field_names(texts, &at("headers.targeted"))?,
            None => Manner::default().targeted,
        },
        via: word(&file.headers.via, &at("headers.via"), &SWITCH)?,
        forwarded: word(&file.headers.forwarded, &at("headers.forwarded"), &FORWARDING)?,
        strip_tags: word(&file.headers.tags, &at("headers.tags"), &TAGS)?,
        x_cache: file.compat.x_cache,
        trust_peers: networks(&file.trust.peers, &at("trust.peers"))?,
        trust_clients: networks(&file.trust.clients, &at("trust.clients"))?,
        purge_networks: networks(&file.purge.networks, &at("purge.networks"))?,
        purge_token: token(file.purge.token_file.as_deref(), base, &at("purge.token_file"))?,
        l2,
        l2_keys,
        sync: sync(&read)?,
        default_ttl: variables.cache_ttl,
        default_prefix: variables.cache_prefix.clone(),
        warnings: variables.warnings.clone(),
        demo: flags.demo,
    };
    Ok((settings, read))
}

/// Flags take the place of what was read.
fn lay_over(flags: &Flags, read: &mut Read) {
    let Read { file, places, .. } = read;
    let mut said = |key: &str, flag: &'static str| places.set(key, Provenance::Flag(flag));
    if let Some(profile) = &flags.profile {
        file.profile.clone_from(profile);
        said("profile", "--profile");
    }
    if let Some(rules) = &flags.rules {
        file.rules = Some(rules.display().to_string());
        said("rules", "--rules");
    }
    if let Some(workers) = flags.workers {
        file.workers = Some(workers);
        said("workers", "--workers");
    }
    if let Some(admin) = &flags.admin_listen {
        file.admin.listen.clone_from(admin);
        said("admin.listen", "--admin-listen");
    }
    if !flags.listen.is_empty() {
        let as_said = |a: &String| Listen { address: a.clone(), ..Listen::default() };
        file.listen = flags.listen.iter().map(as_said).collect();
        for at in 0..flags.listen.len() {
            said(&format!("listen[{at}].address"), "--listen");
        }
    }
    if file.listen.is_empty() {
        file.listen.push(Listen::default());
    }
}

fn l1_size(read: &Read, memory: u64) -> Result<u64, SettingsError> {
    let place = read.places.name("l1.size");
    let bytes = match &read.file.l1.size {
        Some(text) => size(text, &place)?,
        None => L1_BYTES.min(memory / 2),
    };
    if bytes > memory / 2 {
        let half = ByteSize(memory / 2);
        let problem = format!("L1 may take at most half of `memory`, {half} here; lower it");
        return Err(SettingsError::new(place, problem));
    }
    Ok(bytes)
}

fn admin(read: &Read) -> Result<Option<SocketAddr>, SettingsError> {
    let (place, text) = (read.places.name("admin.listen"), &read.file.admin.listen);
    if text == "off" {
        return Ok(None);
    }
    let address = addresses(text, &place)?.into_iter().next();
    match address {
        Some(address) if address.ip().is_loopback() || read.file.admin.tokens_file.is_some() => {
            Ok(Some(address))
        }
        Some(_) => Err(SettingsError::new(
            place,
            "without tokens the admin API answers on loopback only; name a file of them in \
             `admin.tokens_file` (`cistern tokens create` makes one), or write 127.0.0.1:9180",
        )),
        None => Err(SettingsError::new(place, format!("`{text}` has no address"))),
    }
}

/// How often entries are held against their origin, and how fast.
fn sync(read: &Read) -> Result<Option<Rounds>, SettingsError> {
    let (place, rate) = (read.places.name("sync.rate"), read.file.sync.rate);
    if !(1..=limits::JOB_RATE_MAX).contains(&rate) {
        let most = limits::JOB_RATE_MAX;
        let problem = format!("{rate} is not a number of requests a second; write 1 to {most}");
        return Err(SettingsError::new(place, problem));
    }
    let Some(text) = &read.file.sync.interval else { return Ok(None) };
    let place = read.places.name("sync.interval");
    let every = Span::parse(text).map_err(|e| SettingsError::new(&place, e))?;
    if !(limits::SYNC_EVERY_MIN..Span::FOREVER).contains(&every) {
        let least = limits::SYNC_EVERY_MIN;
        let problem = format!("`{text}` is no interval; write {least} or more, or take it out");
        return Err(SettingsError::new(place, problem));
    }
    Ok(Some(Rounds { every, rate }))
}

/// Where the calls of the replaced systems are answered.
fn aliases(read: &Read) -> Result<Option<Aliases>, SettingsError> {
    let (place, compat) = (read.places.name("compat.aliases"), &read.file.compat);
    let Some(on_proxy) = word(&compat.aliases, &place, &ALIASES)? else {
        if compat.gad.is_none() {
            return Ok(None);
        }
        let place = read.places.name("compat.gad.type");
        let problem = "says nothing without `compat.aliases = \"admin\"`; add that, or take it out";
        return Err(SettingsError::new(place, problem));
    };
    if on_proxy && read.file.admin.tokens_file.is_none() {
        let problem = "on the proxy's port these calls are for who shows a token; name a file of \
                       tokens in `admin.tokens_file` (`cistern tokens create` makes one)";
        return Err(SettingsError::new(place, problem));
    }
    if !on_proxy && read.file.admin.listen == "off" {
        let problem = "these calls are answered on the admin listener, which is off; write \
                       \"off\", or an address in `admin.listen`";
        return Err(SettingsError::new(place, problem));
    }
    Ok(Some(Aliases { gad_type: compat.gad.as_ref().map(|gad| gad.kind.clone()), on_proxy }))
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}
