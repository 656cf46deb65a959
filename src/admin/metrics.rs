//! `GET /metrics`: what the node can truly tell, for scrapers. What it cannot tell is left out, and
//! no label holds anything that a request brought.

mod levels;
mod traffic;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};

use crate::admin::Admin;
use crate::edge::{HANDSHAKE_ENDS, Tls};
use crate::telemetry::exposition::{Exposition, Format, Kind, Seconds};
use crate::telemetry::process::Usage;

/// The label of requests without a rule, and of entries without a type.
const NONE: &str = "none";

fn named(name: &str) -> &str {
    if name.is_empty() { NONE } else { name }
}

/// `GET /metrics`.
pub(super) async fn metrics(State(admin): State<Admin>, head: HeaderMap) -> Response {
    let accept: Vec<&str> =
        head.get_all(header::ACCEPT).iter().filter_map(|line| line.to_str().ok()).collect();
    let format = Format::accepted(&accept.join(","));
    let mut text = Exposition::new(format);
    traffic::write(&admin.engine, &mut text);
    levels::write(&admin.engine, &mut text);
    node(&admin, &mut text);
    certificates(&admin, &mut text);
    process(&Usage::now(), &mut text);
    let kind = [(header::CONTENT_TYPE, format.media_type()), (header::VARY, "accept")];
    (kind, text.finish()).into_response()
}

fn node(admin: &Admin, text: &mut Exposition) {
    let rules = admin.rules.status();
    let help = "Whether what was read last of the rules is in force.";
    text.family("cistern_config_last_reload_successful", Kind::Gauge, help)
        .sample(&[], u8::from(rules.ok));
    let help = "When the rules in force were read, in seconds since the epoch.";
    text.family("cistern_config_last_reload_success_timestamp_seconds", Kind::Gauge, help)
        .sample(&[], Seconds(rules.in_force_at_ms * 1_000));
    let help = "Whether somebody should look; what is behind it is told by `cistern alerts`.";
    text.family("cistern_alert_active", Kind::Gauge, help);
    for alert in admin.watchman.all() {
        let labels = [("alert", alert.alert), ("severity", alert.severity.as_str())];
        text.sample(&labels, u8::from(alert.active));
    }
    let help = "The program.";
    text.family("cistern_build", Kind::Info, help)
        .sample(&[("version", env!("CARGO_PKG_VERSION"))], 1);
}

/// Only where something speaks TLS.
fn certificates(admin: &Admin, text: &mut Exposition) {
    let status = (admin.certs)();
    if status.listeners.is_empty() {
        return;
    }
    let help = "Whether what was read last of the certificates is in use.";
    text.family("cistern_certificates_last_reload_successful", Kind::Gauge, help)
        .sample(&[], u8::from(status.ok));
    let help = "When a certificate ends, in seconds since the epoch.";
    text.family("cistern_certificate_expiry_timestamp_seconds", Kind::Gauge, help);
    let pairs = status.listeners.iter().flat_map(|tls| tls.pairs());
    // Two listeners may show the same; of two of one name, what ends first is told.
    let mut ends: BTreeMap<String, u64> = BTreeMap::new();
    for pair in pairs {
        let end = ends.entry(pair.name.clone()).or_insert(u64::MAX);
        *end = (*end).min(pair.until.as_secs());
    }
    for (name, end) in &ends {
        text.sample(&[("certificate", name)], end);
    }
    let help = "Handshakes with clients, by how they ended.";
    text.family("cistern_tls_handshakes", Kind::Counter, help);
    for (at, end) in HANDSHAKE_ENDS.iter().enumerate() {
        let count = |tls: &Arc<Tls>| tls.handshakes().get(at).copied().unwrap_or_default();
        let count: u64 = status.listeners.iter().map(count).sum();
        text.sample(&[("result", end)], count);
    }
}

/// Under the names that client libraries of Prometheus share.
fn process(usage: &Usage, text: &mut Exposition) {
    if let Some(micros) = usage.cpu_micros {
        let help = "Processor time of the process, in seconds.";
        text.family("process_cpu_seconds", Kind::Counter, help).sample(&[], Seconds(micros));
    }
    let gauges = [
        ("process_start_time_seconds", "When the process began.", usage.started_secs),
        ("process_resident_memory_bytes", "Bytes in memory.", usage.resident_bytes),
        ("process_virtual_memory_bytes", "Bytes of address space.", usage.virtual_bytes),
        ("process_open_fds", "Open files.", usage.open_files),
        ("process_max_fds", "The most files that may be open.", usage.files_max),
    ];
    for (name, help, value) in gauges {
        if let Some(value) = value {
            text.family(name, Kind::Gauge, help).sample(&[], value);
        }
    }
}
