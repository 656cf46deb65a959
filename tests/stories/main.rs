//! The stories: the real binary in front of real origins, end to end. Files are named so that an
//! ordered run fails at the simplest broken thing first.
//!
//! - `a_*`: one behaviour at a time, the origin answers from a script
//! - `b_*`: what happens at the same time, at the limits, and at the ends
//! - `c_*`, `e_*`, `f_*`, `g_*`: whole systems, whose origins keep state, so that a missed purge
//!   shows as wrong data
//! - `l_*`: several nodes and the level they share, on real Redis servers that are hurt on purpose
//! - `t_*`: TLS and HTTP/2 towards clients, asked by clients of other makes

#![allow(
    clippy::disallowed_methods,
    reason = "stories wait for processes, whose time is the machine's"
)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a story that cannot go on ends there and says where"
)]

#[path = "../support/mod.rs"]
mod support;

mod a_admin;
mod a_aliases;
mod a_basic;
mod a_bounds;
mod a_bypass;
mod a_config;
mod a_doctor;
mod a_entries;
mod a_explain;
mod a_flights;
mod a_host;
mod a_inject;
mod a_inputs;
mod a_jobs;
mod a_lane;
mod a_log;
mod a_metrics;
mod a_openapi;
mod a_process;
mod a_profiles;
mod a_proxy_aliases;
mod a_roles;
mod a_rules_calls;
mod a_support;
mod a_sync;
mod a_top;
mod b_anew;
mod b_budget;
mod b_cascade;
mod b_coalescing;
mod b_endings;
mod b_groups;
mod b_hosts;
mod b_log;
mod b_memory;
mod b_races;
mod b_reasons;
mod b_reload;
mod b_sharing;
mod b_soft;
mod b_tags;
mod b_tenants;
mod b_transfer;
mod b_unmodified;
mod b_write_modes;
mod b_writes;
mod c_central_cache;
mod e_electro_isla;
mod f_fmgo;
mod g_gad;
mod l_clocks;
mod l_cluster;
mod l_coalescing;
mod l_coded;
mod l_counts;
mod l_damage;
mod l_events;
mod l_faults;
mod l_journal;
mod l_model;
mod l_replicas;
mod l_secrets;
mod l_shared;
mod l_soft;
mod l_tenants;
mod l_tls;
mod l_values;
mod l_wide;
mod l_writes;
mod t_http2;
mod t_tls;
