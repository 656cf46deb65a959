//! What belongs to the machine, resolved: built-in values, then the file, then the environment,
//! then flags. Everything here is plain data; nothing is opened or bound yet.

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};

use http::HeaderName;
use ipnet::IpNet;

use crate::base::units::{ByteSize, Span};
use crate::engine::options::{Forwarding, KeyShown, Told};
use crate::node::file::{self, File};
use crate::policy::{Manner, Profile};
use crate::rules::LoadContext;
use crate::store::l1::Eviction;
use crate::telemetry::sink::Target;

/// What flags say; each wins over environment and file.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    /// `--config`.
    pub config: Option<PathBuf>,
    /// `--rules`.
    pub rules: Option<PathBuf>,
    /// `--origin`.
    pub origin: Option<String>,
    /// `--listen`, as often as given.
    pub listen: Vec<String>,
    /// `--admin-listen`, or `off`.
    pub admin_listen: Option<String>,
    /// `--profile`.
    pub profile: Option<String>,
    /// `--workers`.
    pub workers: Option<usize>,
    /// `--demo`.
    pub demo: bool,
}

/// How a node runs.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Which column of the profile table holds.
    pub profile: Profile,
    /// The rules: a file or a directory; none means that the origin's headers decide all.
    pub rules: Option<PathBuf>,
    /// `--origin`, for requests whose route names none.
    pub origin: Option<String>,
    /// Proxy listeners.
    pub listen: Vec<SocketAddr>,
    /// The admin listener.
    pub admin: Option<SocketAddr>,
    /// Worker threads, one runtime each.
    pub workers: usize,
    /// Bytes that the whole process may hold resident.
    pub memory: u64,
    /// Bytes of L1, all types together.
    pub l1_size: u64,
    /// Bytes of answers on their way before large ones are no longer kept.
    pub transit_size: u64,
    /// Who leaves L1 first.
    pub l1_policy: Eviction,
    /// The longest body that is kept.
    pub max_object: u64,
    /// Access log.
    pub access_log: Target,
    /// Event log.
    pub event_log: Target,
    /// How long readiness says no before the listeners close.
    pub drain_delay: Span,
    /// How long requests in flight may take after that.
    pub drain_timeout: Span,
    /// Who is told what happened: `all`, `trusted` peers, or `off`.
    pub cache_status: Told,
    /// How keys appear in answers.
    pub key_shown: KeyShown,
    /// Whether `Via` is added.
    pub via: bool,
    /// Targeted fields that take the place of `Cache-Control` (RFC 9213), most specific first.
    pub targeted: Vec<HeaderName>,
    /// Which fields tell the origin where a request came from.
    pub forwarded: Forwarding,
    /// Whether `X-Cache` is added.
    pub x_cache: bool,
    /// Networks whose forwarding fields count.
    pub trust_peers: Vec<IpNet>,
    /// Networks whose `no-cache` and kin count.
    pub trust_clients: Vec<IpNet>,
    /// Networks that may PURGE.
    pub purge_networks: Vec<IpNet>,
    /// The token that allows PURGE.
    pub purge_token: Option<String>,
    /// Runs the sample API too.
    pub demo: bool,
}

impl Settings {
    /// What the rules are told of the settings.
    pub fn context(&self) -> LoadContext {
        LoadContext {
            origin: self.origin.clone(),
            authorization_only: self.profile == Profile::Rfc,
        }
    }
}

/// What is wrong with the settings, and where.
#[derive(Debug, thiserror::Error)]
#[error("{place}: {problem}")]
pub struct SettingsError {
    /// The file and key, variable or flag.
    pub place: String,
    /// What is wrong and what would be right.
    pub problem: String,
}

impl SettingsError {
    pub(crate) fn new(place: impl Into<String>, problem: impl std::fmt::Display) -> Self {
        Self { place: place.into(), problem: problem.to_string() }
    }
}

/// Resolves settings. `environment` is the process environment, given so that tests need none.
pub fn resolve(flags: &Flags, environment: &[(String, String)]) -> Result<Settings, SettingsError> {
    let file = file::read(flags.config.as_deref(), environment)?;
    let base = flags.config.as_deref().and_then(Path::parent).unwrap_or(Path::new(""));
    let at = |key: &str| match &flags.config {
        Some(path) => format!("{} {key}", path.display()),
        None => key.to_owned(),
    };
    let memory = memory(&file.memory).map_err(|e| SettingsError::new(at("memory"), e))?;
    let l1_size = match &file.l1.size {
        Some(text) => size(text, &at("l1.size"))?,
        None => L1_BYTES.min(memory / 2),
    };
    if l1_size > memory / 2 {
        let half = ByteSize(memory / 2);
        let problem = format!("L1 may take at most half of `memory`, {half} here; lower it");
        return Err(SettingsError::new(at("l1.size"), problem));
    }
    let profile = flags.profile.as_ref().unwrap_or(&file.profile);
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
    Ok(Settings {
        profile: word(profile, &at("profile"), &PROFILES)?,
        rules: flags.rules.clone().or_else(|| file.rules.as_ref().map(|path| base.join(path))),
        origin: flags.origin.clone(),
        listen: listeners(flags, &file)?,
        admin: admin(flags, &file)?,
        workers: flags.workers.or(file.workers).unwrap_or_else(cores).max(1),
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
        x_cache: file.compat.x_cache,
        trust_peers: networks(&file.trust.peers, &at("trust.peers"))?,
        trust_clients: networks(&file.trust.clients, &at("trust.clients"))?,
        purge_networks: networks(&file.purge.networks, &at("purge.networks"))?,
        purge_token: token(file.purge.token_file.as_deref(), base, &at("purge.token_file"))?,
        demo: flags.demo,
    })
}

/// L1 where nothing is said and there is memory for it.
const L1_BYTES: u64 = 256_000_000;

const PROFILES: [(&str, Profile); 2] = [("safe", Profile::Safe), ("rfc", Profile::Rfc)];
const POLICIES: [(&str, Eviction); 2] = [("tinylfu", Eviction::TinyLfu), ("lru", Eviction::Lru)];
const TOLD: [(&str, Told); 3] =
    [("all", Told::All), ("trusted", Told::Trusted), ("off", Told::Nobody)];
const KEYS: [(&str, KeyShown); 3] =
    [("plain", KeyShown::Plain), ("hash", KeyShown::Hash), ("off", KeyShown::Off)];
const SWITCH: [(&str, bool); 2] = [("on", true), ("off", false)];
const FORWARDING: [(&str, Forwarding); 4] = [
    ("x-forwarded", Forwarding { x_forwarded: true, forwarded: false }),
    ("forwarded", Forwarding { x_forwarded: false, forwarded: true }),
    ("both", Forwarding { x_forwarded: true, forwarded: true }),
    ("off", Forwarding { x_forwarded: false, forwarded: false }),
];

fn word<T: Copy>(text: &str, place: &str, words: &[(&str, T)]) -> Result<T, SettingsError> {
    words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value).ok_or_else(|| {
        let known: Vec<_> = words.iter().map(|(word, _)| format!("\"{word}\"")).collect();
        SettingsError::new(place, format!("`{text}` is not one of {}", known.join(", ")))
    })
}

fn size(text: &str, place: &str) -> Result<u64, SettingsError> {
    ByteSize::parse(text).map(|size| size.0).map_err(|e| SettingsError::new(place, e))
}

fn field_names(texts: &[String], place: &str) -> Result<Vec<HeaderName>, SettingsError> {
    let parse = |text: &String| {
        text.parse().map_err(|_| {
            SettingsError::new(
                place,
                format!("`{text}` is not a field name; write CDN-Cache-Control"),
            )
        })
    };
    texts.iter().map(parse).collect()
}

fn networks(texts: &[String], place: &str) -> Result<Vec<IpNet>, SettingsError> {
    let parse = |text: &String| {
        let host = || text.parse::<std::net::IpAddr>().map(IpNet::from).ok();
        text.parse().ok().or_else(host).ok_or_else(|| {
            let problem = format!("`{text}` is not a network; write one as 10.0.0.0/8 or ::1");
            SettingsError::new(place, problem)
        })
    };
    texts.iter().map(parse).collect()
}

fn addresses(text: &str, place: &str) -> Result<Vec<SocketAddr>, SettingsError> {
    let found: Vec<_> = text
        .to_socket_addrs()
        .map_err(|e| SettingsError::new(place, format!("`{text}`: {e}; write HOST:PORT")))?
        .collect();
    Ok(found)
}

fn listeners(flags: &Flags, file: &File) -> Result<Vec<SocketAddr>, SettingsError> {
    let (place, texts): (_, Vec<&String>) = if flags.listen.is_empty() {
        ("listen.address", file.listen.iter().map(|listen| &listen.address).collect())
    } else {
        ("--listen", flags.listen.iter().collect())
    };
    let mut all = Vec::new();
    for text in texts {
        all.extend(addresses(text, place)?);
    }
    if all.is_empty() { addresses("127.0.0.1:8080", place) } else { Ok(all) }
}

fn admin(flags: &Flags, file: &File) -> Result<Option<SocketAddr>, SettingsError> {
    let (place, text) = match &flags.admin_listen {
        Some(text) => ("--admin-listen", text),
        None => ("admin.listen", &file.admin.listen),
    };
    if text == "off" {
        return Ok(None);
    }
    let address = addresses(text, place)?.into_iter().next();
    match address {
        Some(address) if address.ip().is_loopback() => Ok(Some(address)),
        Some(_) => Err(SettingsError::new(
            place,
            "without tokens the admin API answers on loopback only, and tokens are not built yet; \
             write 127.0.0.1:9180",
        )),
        None => Err(SettingsError::new(place, format!("`{text}` has no address"))),
    }
}

fn token(file: Option<&str>, base: &Path, place: &str) -> Result<Option<String>, SettingsError> {
    let Some(file) = file else { return Ok(None) };
    let path = base.join(file);
    let text = std::fs::read_to_string(&path)
        .map_err(|e| SettingsError::new(place, format!("{}: {e}", path.display())))?;
    let token = text.trim();
    if token.len() < 16 {
        let problem = format!("{}: a token needs at least 16 characters", path.display());
        return Err(SettingsError::new(place, problem));
    }
    Ok(Some(token.to_owned()))
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// What the process takes before it serves anything, with its threads, rules and logs.
const BASE_BYTES: u64 = 24_000_000;

/// What of `memory` is left for answers on their way: without the process itself, and without L1
/// and the quarter by which an allocator exceeds what it is asked for. At most twice the budget
/// is in transit, and it has an allocator too, so it is three eighths of that; never less than a
/// sixteenth of all, since nothing could be kept without any.
fn transit(memory: u64, l1: u64) -> u64 {
    let rest = memory.saturating_sub(l1 / 4 * 5).saturating_sub(BASE_BYTES);
    (rest / 8 * 3).max(memory / 16)
}

/// `60%` of what this process may have, or a size.
fn memory(text: &str) -> Result<u64, String> {
    if let Some(percent) = text.strip_suffix('%') {
        let percent: u64 = percent
            .parse()
            .ok()
            .filter(|p| (1..=100).contains(p))
            .ok_or_else(|| format!("`{text}` is not a share; write one from 1% to 100%"))?;
        return Ok(available_memory() / 100 * percent);
    }
    ByteSize::parse(text).map(|size| size.0).map_err(|e| e.to_string())
}

/// The cgroup's limit where there is one, else the machine's memory.
fn available_memory() -> u64 {
    let number = |path: &str| std::fs::read_to_string(path).ok()?.trim().parse::<u64>().ok();
    let machine = std::fs::read_to_string("/proc/meminfo")
        .ok()
        .and_then(|text| {
            let line = text.lines().find(|line| line.starts_with("MemTotal:"))?;
            line.split_whitespace().nth(1)?.parse::<u64>().ok()
        })
        .map_or(4 << 30, |kib| kib * 1_024);
    number("/sys/fs/cgroup/memory.max")
        .or_else(|| number("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
        .map_or(machine, |limit| limit.min(machine))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_said_is_a_whole_setting() {
        let settings = resolve(&Flags::default(), &[]).unwrap();
        assert_eq!(settings.listen, ["127.0.0.1:8080".parse().unwrap()]);
        assert_eq!(settings.admin, Some("127.0.0.1:9180".parse().unwrap()));
        assert_eq!(settings.profile, Profile::Safe);
        assert_eq!(settings.l1_size, 256_000_000);
        assert!(settings.purge_networks.is_empty());
    }

    #[test]
    fn what_is_left_of_memory_is_for_answers_on_their_way() {
        let mb = 1_000_000;
        assert_eq!(transit(256 * mb, 64 * mb), 57 * mb);
        assert_eq!(transit(32 * mb, 16 * mb), 2 * mb, "small machines serve too");
        for memory in [64, 128, 256, 1_024, 65_536] {
            let (memory, l1) = (memory * mb, memory * mb / 4);
            let most = l1 + 2 * transit(memory, l1);
            assert!(most / 4 * 5 + BASE_BYTES <= memory, "{memory}");
        }
    }

    #[test]
    fn flags_win_over_the_environment() {
        let environment = [("CISTERN_PROFILE".to_owned(), "rfc".to_owned())];
        let settings = resolve(&Flags::default(), &environment).unwrap();
        assert_eq!(settings.profile, Profile::Rfc);
        let flags = Flags { profile: Some("safe".to_owned()), ..Flags::default() };
        assert_eq!(resolve(&flags, &environment).unwrap().profile, Profile::Safe);
    }

    #[test]
    fn errors_name_the_place_and_the_remedy() {
        let wrong = |name: &str, value: &str| {
            let environment = [(name.to_owned(), value.to_owned())];
            resolve(&Flags::default(), &environment).unwrap_err().to_string()
        };
        assert!(wrong("CISTERN_PROFILE", "fast").contains("\"safe\", \"rfc\""));
        assert!(wrong("CISTERN_L1__SIZE", "5mb").contains("l1.size"));
        assert!(wrong("CISTERN_L1__SIZE", "900GB").contains("half of `memory`"));
        assert!(wrong("CISTERN_ADMIN__LISTEN", "0.0.0.0:9180").contains("loopback"));
        assert!(wrong("CISTERN_L2__URL", "redis://x").contains("not built yet"));
    }
}
