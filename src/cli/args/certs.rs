//! What `cistern certs` takes.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// Certificates for listeners.
#[derive(Debug, Subcommand)]
pub enum CertsVerb {
    /// Make a certificate to throw away, with an authority of its own, for trying TLS out.
    Dev(CertsDev),
}

/// `cistern certs dev`.
#[derive(Debug, Args)]
pub struct CertsDev {
    /// The hosts it is for: names, `*.` with a name, addresses.
    #[arg(default_values = ["localhost", "127.0.0.1", "::1"])]
    pub hosts: Vec<String>,
    /// Where it goes.
    #[arg(long, value_name = "DIR", default_value = "certs")]
    pub folder: PathBuf,
    /// What the files are called.
    #[arg(long, default_value = "dev")]
    pub name: String,
    /// How many days it holds.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..=397))]
    pub days: u16,
    /// Take the place of files that are there.
    #[arg(long)]
    pub force: bool,
}
