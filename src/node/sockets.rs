//! What the proxy listens on: certificates read, then addresses bound, so that a node that cannot
//! greet its clients holds no port.

use std::net::SocketAddr;

use crate::base::clock::Timestamp;
use crate::base::units::Span;
use crate::edge::{Listener, Speech};
use crate::jobs::watch::Watchman;
use crate::node::certs::Certs;
use crate::node::run::{StartError, system};
use crate::node::settings::Settings;

/// A certificate that ends within this time is worth a word at the start.
const SOON: Span = Span::from_secs(14 * 86_400);

/// Reads all certificates; each listener's speech, in the order of the settings.
///
/// # Errors
/// The first certificate that is missing or wrong.
pub fn speeches(settings: &Settings) -> Result<(Certs, Vec<Speech>), StartError> {
    let mut certs = Certs::default();
    let mut all = Vec::with_capacity(settings.listen.len());
    for listen in &settings.listen {
        let tls = listen.tls.as_ref().map(|files| certs.open(files, listen.http2)).transpose();
        all.push(Speech { tls: tls.map_err(StartError::Certificates)?, http2: listen.http2 });
    }
    Ok((certs, all))
}

/// Binds all listeners.
pub(super) fn bind(
    settings: &Settings,
    speeches: Vec<Speech>,
) -> Result<Vec<Listener>, StartError> {
    let addresses: Vec<SocketAddr> = settings.listen.iter().map(|one| one.address).collect();
    let wanted = addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let bound = Listener::bind(&addresses).map_err(system(format!("listening on {wanted}")))?;
    Ok(bound.into_iter().zip(speeches).map(|(socket, speech)| socket.speaking(speech)).collect())
}

/// Warns of certificates that end soon.
pub(super) fn warn(certs: &Certs, now: Timestamp) {
    for ending in certs.ending(now.plus(SOON), now) {
        eprintln!("warning: {ending}");
    }
}

/// Tells who watches when the first certificate ends.
pub(super) fn note(certs: &Certs, watchman: &Watchman) {
    watchman.note_certificate(certs.first_end().unwrap_or(Timestamp::NEVER));
}
