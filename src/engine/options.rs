//! How the engine behaves beyond the rules: resolved settings, plain data.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::policy::{Law, Manner};

/// Who gets `Cache-Status`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Told {
    /// Everybody.
    #[default]
    All,
    /// Peers and clients that are trusted.
    Trusted,
    /// Nobody.
    Nobody,
}

/// How keys appear in answers; they may carry identifiers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeyShown {
    /// As they are.
    #[default]
    Plain,
    /// As a digest.
    Hash,
    /// Not at all.
    Off,
}

/// Which fields tell the origin where a request came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forwarding {
    /// `X-Forwarded-For`, `-Proto` and `-Host`.
    pub x_forwarded: bool,
    /// `Forwarded` (RFC 7239).
    pub forwarded: bool,
}

/// The engine's settings.
#[derive(Clone, Debug)]
pub struct Options {
    /// The profile's column.
    pub manner: Manner,
    /// What holds where no rule speaks.
    pub plain_law: Law,
    /// Who gets `Cache-Status`.
    pub cache_status: Told,
    /// How keys appear in it.
    pub key_shown: KeyShown,
    /// Whether `Via` is added in both directions.
    pub via: bool,
    /// Which fields tell the origin where a request came from.
    pub forwarding: Forwarding,
    /// Whether `X-Cache` is added.
    pub x_cache: bool,
    /// Whether the fields that carry tags stay here, so that no client sees them.
    pub strip_tags: bool,
    /// Networks whose forwarding fields count.
    pub trust_peers: Vec<IpNet>,
    /// Networks whose `no-cache` and kin count.
    pub trust_clients: Vec<IpNet>,
    /// Networks that may PURGE.
    pub purge_networks: Vec<IpNet>,
    /// The token that allows PURGE from anywhere.
    pub purge_token: Option<String>,
    /// The longest body that is kept, in bytes, where a route says nothing else.
    pub max_object: u64,
    /// A listener speaks TLS, so that a request for `https` may come without a peer in between.
    pub speaks_tls: bool,
}

impl Options {
    /// Whether this address may be told what others are not.
    pub fn is_trusted(&self, address: IpAddr) -> bool {
        within(&self.trust_peers, address) || within(&self.trust_clients, address)
    }

    /// Whether this peer's forwarding fields count.
    pub fn trusts_peer(&self, address: IpAddr) -> bool {
        within(&self.trust_peers, address)
    }

    /// Whether this client's directives count.
    pub fn obeys(&self, address: IpAddr) -> bool {
        self.manner.obey_client || within(&self.trust_clients, address)
    }

    /// Whether this address may PURGE without a token.
    pub fn may_purge(&self, address: IpAddr) -> bool {
        within(&self.purge_networks, address)
    }
}

fn within(networks: &[IpNet], address: IpAddr) -> bool {
    let address = address.to_canonical();
    networks.iter().any(|network| network.contains(&address))
}
