//! `cistern certs dev`: a certificate for trying TLS out, signed by an authority that is made for
//! it and forgotten: its key is never written, so that nobody can sign anything else with it.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, date_time_ymd,
};

use crate::base::clock::{Clock, Timestamp};
use crate::base::units::Span;
use crate::cli::Exit;
use crate::cli::args::{CertsDev, CertsVerb};
use crate::policy::date;

/// `cistern certs`.
pub(super) fn certs(verb: &CertsVerb) -> Exit {
    let CertsVerb::Dev(asked) = verb;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if !asked.name.bytes().all(plain) || asked.name.starts_with('.') || asked.name.is_empty() {
        eprintln!("error: --name {}: letters, digits, `-`, `_` and `.` only", asked.name);
        return Exit::Usage;
    }
    let made = match make(asked) {
        Ok(made) => made,
        Err(why) => {
            eprintln!("error: {}: {why}", asked.hosts.join(" "));
            return Exit::Usage;
        }
    };
    match write(asked, &made) {
        Ok(()) => Exit::Done,
        Err(why) => {
            eprintln!("error: {why}");
            Exit::Failed
        }
    }
}

/// Texts in PEM.
struct Made {
    authority: String,
    chain: String,
    key: String,
}

fn make(asked: &CertsDev) -> Result<Made, rcgen::Error> {
    let now = Clock::system().now();
    let day = Span::from_secs(86_400);
    // A client whose clock is behind is to believe it too.
    let (from, until) = (now.minus(day), now.plus(Span::from_secs(u64::from(asked.days) * 86_400)));
    let ([from_y, from_m, from_d], [until_y, until_m, until_d]) = (day_of(from), day_of(until));
    let valid = |params: &mut CertificateParams| {
        params.not_before = date_time_ymd(i32::from(from_y), from_m as u8, from_d as u8);
        params.not_after = date_time_ymd(i32::from(until_y), until_m as u8, until_d as u8);
    };
    let mut params = CertificateParams::new(Vec::new())?;
    valid(&mut params);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.distinguished_name.push(DnType::CommonName, "cistern, to throw away");
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
    let mut params = CertificateParams::new(asked.hosts.clone())?;
    valid(&mut params);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    let first = asked.hosts.first().map(String::as_str).unwrap_or_default();
    params.distinguished_name.push(DnType::CommonName, first);
    let key = KeyPair::generate()?;
    let chain = params.signed_by(&key, &authority)?.pem();
    Ok(Made { authority: authority.pem(), chain, key: key.serialize_pem() })
}

/// Year, month and day.
fn day_of(moment: Timestamp) -> [u16; 3] {
    let text = date::day_text((moment.as_secs() / 86_400).cast_signed());
    let mut parts = text.splitn(3, '-').map(|part| part.parse().unwrap_or(1));
    [(); 3].map(|()| parts.next().unwrap_or(1))
}

fn write(asked: &CertsDev, made: &Made) -> Result<(), String> {
    let file = |end: &str| asked.folder.join(format!("{}{end}", asked.name));
    let (chain, key, authority) = (file(".pem"), file(".key"), file("-ca.crt"));
    let there = [&chain, &key, &authority].into_iter().find(|path| path.exists());
    if let Some(path) = there.filter(|_| !asked.force) {
        return Err(format!("{} is there; --force takes its place", path.display()));
    }
    let told = |path: &Path, why: std::io::Error| format!("{}: {why}", path.display());
    std::fs::create_dir_all(&asked.folder).map_err(|why| told(&asked.folder, why))?;
    for (path, text, mode) in [
        (&key, &made.key, 0o600),
        (&chain, &made.chain, 0o644),
        (&authority, &made.authority, 0o644),
    ] {
        put(path, text, mode).map_err(|why| told(path, why))?;
    }
    eprintln!("good for {} days; anybody who has the key can be these hosts:", asked.days);
    println!("tls = {{ cert = {:?}, key = {:?} }}", chain.display(), key.display());
    println!("curl --cacert {} https://{}", authority.display(), example(asked));
    Ok(())
}

fn example(asked: &CertsDev) -> String {
    let host = asked.hosts.first().map(String::as_str).unwrap_or_default();
    format!("{}:8443/", host.replace('*', "www"))
}

/// A file that nobody reads half written, nor before its mode is set.
fn put(path: &Path, text: &str, mode: u32) -> std::io::Result<()> {
    let beside = path.with_extension("new");
    match std::fs::remove_file(&beside) {
        Err(why) if why.kind() != std::io::ErrorKind::NotFound => return Err(why),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&beside)?;
    file.write_all(text.as_bytes())?;
    std::fs::rename(beside, path)
}
