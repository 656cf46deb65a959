//! `cistern.toml` as written: every key with its built-in value. Unknown keys are errors: nothing
//! is accepted and without effect. How the layers are laid over each other stands in `read`.

mod places;
mod read;
mod secrets;
mod variables;

use serde::{Deserialize, Serialize};

pub(crate) use places::{Places, Provenance, rank_of};
pub(crate) use read::{Read, read};
pub(crate) use secrets::{secret_of, text_of};
pub(crate) use variables::Variables;

/// The whole file; every field has its built-in value.
#[derive(Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct File {
    pub(crate) profile: String,
    pub(crate) rules: Option<String>,
    pub(crate) memory: String,
    pub(crate) workers: Option<usize>,
    pub(crate) log: Log,
    pub(crate) drain: Drain,
    pub(crate) headers: Headers,
    pub(crate) compat: Compat,
    pub(crate) listen: Vec<Listen>,
    pub(crate) admin: Admin,
    pub(crate) l1: L1,
    pub(crate) l2: Option<L2>,
    pub(crate) trust: Trust,
    pub(crate) purge: Purge,
    pub(crate) sync: Sync,
}

/// `listen.tls`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListenTls {
    pub(crate) cert: Option<String>,
    pub(crate) key: Option<String>,
    pub(crate) folder: Option<String>,
    pub(crate) default: Option<String>,
}

/// `compat.gad`.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Gad {
    #[serde(rename = "type")]
    pub(crate) kind: String,
}

macro_rules! section {
    ($(#[$doc:meta])* $name:ident { $($field:ident: $type:ty = $value:expr,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Deserialize, Serialize)]
        #[serde(default, deny_unknown_fields)]
        pub(crate) struct $name { $(pub(crate) $field: $type,)* }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: $value,)* }
            }
        }
    };
}

impl Default for File {
    fn default() -> Self {
        Self {
            profile: "safe".into(),
            rules: None,
            memory: "60%".into(),
            workers: None,
            log: Log::default(),
            drain: Drain::default(),
            headers: Headers::default(),
            compat: Compat::default(),
            listen: Vec::new(),
            admin: Admin::default(),
            l1: L1::default(),
            l2: None,
            trust: Trust::default(),
            purge: Purge::default(),
            sync: Sync::default(),
        }
    }
}

section! {
    /// `log`.
    Log {
        access: String = "stdout".into(),
        access_format: String = "json".into(),
        events: String = "stdout".into(),
        rotate: String = "100MB".into(),
        keep: u32 = 5,
    }
}
section! {
    /// `drain`.
    Drain { delay: String = "5s".into(), timeout: String = "30s".into(), }
}
section! {
    /// `headers`.
    Headers {
        cache_status: String = "all".into(),
        key: String = "plain".into(),
        via: String = "on".into(),
        targeted: Option<Vec<String>> = None,
        forwarded: String = "x-forwarded".into(),
        tags: String = "strip".into(),
    }
}
section! {
    /// `compat`.
    Compat {
        x_cache: bool = false,
        aliases: String = "off".into(),
        gad: Option<Gad> = None,
    }
}
section! {
    /// One of `[[listen]]`.
    Listen {
        address: String = "127.0.0.1:8080".into(),
        tls: Option<ListenTls> = None,
        http2: Option<bool> = None,
    }
}
section! {
    /// `[admin]`.
    Admin {
        listen: String = "127.0.0.1:9180".into(),
        hosts: Vec<String> = Vec::new(),
        tokens_file: Option<String> = None,
    }
}
section! {
    /// `[l1]`.
    L1 {
        size: Option<String> = None,
        policy: String = "tinylfu".into(),
        max_object: String = "8MB".into(),
    }
}
section! {
    /// `[l2]`.
    L2 {
        url: Option<String> = None,
        nodes: Option<Vec<String>> = None,
        mode: Option<String> = None,
        service: Option<String> = None,
        user: Option<String> = None,
        password_file: Option<String> = None,
        sentinel_user: Option<String> = None,
        sentinel_password_file: Option<String> = None,
        tls: Option<bool> = None,
        ca: Option<String> = None,
        cert: Option<String> = None,
        key: Option<String> = None,
        db: Option<u32> = None,
        prefix: String = "cistern:".into(),
        budget: String = "20ms".into(),
        purge_budget: String = "100ms".into(),
        connect_timeout: String = "2s".into(),
        connections: u32 = 2,
        calls_max: u32 = 1024,
        max_object: String = "8MB".into(),
        lag_max: String = "1s".into(),
        when_deaf: String = "revalidate".into(),
        replicas: String = "never".into(),
        journal: Option<String> = None,
        keys_file: Option<String> = None,
    }
}
section! {
    /// `[trust]`.
    Trust { peers: Vec<String> = Vec::new(), clients: Vec<String> = Vec::new(), }
}
section! {
    /// `[purge]`.
    Purge { networks: Vec<String> = Vec::new(), token_file: Option<String> = None, }
}
section! {
    /// `[sync]`.
    Sync { interval: Option<String> = None, rate: u64 = 10, }
}
