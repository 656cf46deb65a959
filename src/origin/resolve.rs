//! Names to addresses. The trait has two implementations: the system's resolver and the one in
//! tests whose answers change on command.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;

/// The addresses of a name, or why there are none.
pub type Looked<'a> = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'a>>;

/// Looks names up.
pub trait Lookup: Send + Sync + 'static {
    /// The addresses of `host`, best first, each with `port`.
    fn lookup<'a>(&'a self, host: &'a str, port: u16) -> Looked<'a>;
}

/// What the host's own resolver says: files, DNS, whatever it is configured for.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemLookup;

impl Lookup for SystemLookup {
    fn lookup<'a>(&'a self, host: &'a str, port: u16) -> Looked<'a> {
        Box::pin(async move { Ok(tokio::net::lookup_host((host, port)).await?.collect()) })
    }
}
