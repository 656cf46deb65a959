//! Certificates from files to listeners, at the start and again when the files change. A pair that
//! is wrong never takes the place of one that works: it is told, and the one before it stays.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use crate::admin::CertsStatus;
use crate::base::clock::Timestamp;
use crate::base::limits::{CERTIFICATES_MAX, PEM_FILE_BYTES_MAX};
use crate::edge::{Pair, Tls};
use crate::node::file::text_of;
use crate::node::settings::{CertFiles, TlsFiles};

/// The certificates of one listener.
#[derive(Debug)]
struct Kept {
    files: TlsFiles,
    tls: Arc<Tls>,
}

/// All certificates of the node.
#[derive(Debug, Default)]
pub struct Certs {
    kept: Vec<Kept>,
    /// What was read last, and whether it was right.
    read: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    digest: Option<blake3::Hash>,
    wrong: bool,
}

/// A pair that was looked for, and what was found.
type Found = (String, Result<Pair, String>);

impl Certs {
    /// TLS for a listener, with all its pairs in order.
    ///
    /// # Errors
    /// The first thing that is wrong, with its place.
    pub fn open(&mut self, files: &TlsFiles, http2: bool) -> Result<Arc<Tls>, String> {
        let wrong = |problem: String| format!("{}: {problem}", files.place);
        let found = read(&files.files).map_err(wrong)?;
        let pairs: Result<Vec<Pair>, String> = found.into_iter().map(|(_, pair)| pair).collect();
        let pairs = pairs.map_err(wrong)?;
        if let Some(default) = &files.default
            && !pairs.iter().any(|pair| pair.name == *default)
        {
            return Err(wrong(format!("no pair in the folder is called `{default}`")));
        }
        let tls =
            Tls::new(pairs, files.default.clone(), http2).map_err(|why| wrong(why.to_string()))?;
        let tls = Arc::new(tls);
        self.kept.push(Kept { files: files.clone(), tls: Arc::clone(&tls) });
        self.seen().digest = Some(self.digest());
        Ok(tls)
    }

    /// Paths whose change may be a change of certificates.
    pub fn paths(&self) -> Vec<PathBuf> {
        let of = |kept: &Kept| match &kept.files.files {
            CertFiles::Pair { cert, key } => vec![cert.clone(), key.clone()],
            CertFiles::Folder(folder) => vec![folder.clone()],
        };
        self.kept.iter().flat_map(of).collect()
    }

    /// Reads all files again, unless nothing has changed and nobody asked. `None`: nothing was
    /// read; else what came of it, in words, and whether all is well.
    pub fn reload(&self, asked: bool) -> Option<(bool, String)> {
        let mut seen = self.seen();
        let digest = Some(self.digest());
        if self.kept.is_empty() || (!asked && digest == seen.digest) {
            return None;
        }
        let (mut shown, mut wrong) = (0, Vec::new());
        for kept in &self.kept {
            let (count, problems) = kept.renew();
            shown += count;
            wrong.extend(problems);
        }
        *seen = Seen { digest, wrong: !wrong.is_empty() };
        let detail = match wrong.as_slice() {
            [] => format!("certificates: {shown} in use"),
            all => format!("certificates: {}; {shown} in use", all.join("; ")),
        };
        Some((wrong.is_empty(), detail))
    }

    /// What certificates end before this moment, as a warning of each.
    pub fn ending(&self, before: Timestamp, now: Timestamp) -> Vec<String> {
        let pairs = self.kept.iter().flat_map(|kept| kept.tls.pairs());
        let ending = pairs.filter(|pair| pair.until < before);
        let told = |pair: Arc<Pair>| {
            let name = &pair.name;
            if pair.until <= now {
                format!("the certificate `{name}` has expired; clients will refuse it")
            } else {
                let days = pair.until.since(now).as_secs() / 86_400;
                format!("the certificate `{name}` expires in {days} days; renew it")
            }
        };
        ending.map(told).collect()
    }

    /// What operators are told.
    pub fn status(&self) -> CertsStatus {
        let ok = !self.seen().wrong;
        CertsStatus { ok, listeners: self.kept.iter().map(|kept| Arc::clone(&kept.tls)).collect() }
    }

    /// When the first of all certificates ends.
    pub fn first_end(&self) -> Option<Timestamp> {
        self.kept.iter().flat_map(|kept| kept.tls.pairs()).map(|pair| pair.until).min()
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.read.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A digest of names and bytes of all files.
    fn digest(&self) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new();
        for kept in &self.kept {
            for (name, cert, key) in listed(&kept.files.files).unwrap_or_default() {
                hasher.update(name.as_bytes());
                for file in [cert, key] {
                    let text = text_of(&file, PEM_FILE_BYTES_MAX).unwrap_or_default();
                    hasher.update(&(text.len() as u64).to_le_bytes()).update(text.as_bytes());
                }
            }
        }
        hasher.finalize()
    }
}

impl Kept {
    /// Shows what is right of the files now, and in place of the rest what was shown before. Tells
    /// how many pairs are shown, and what is wrong.
    fn renew(&self) -> (usize, Vec<String>) {
        let before = self.tls.pairs();
        let found = match read(&self.files.files) {
            Ok(found) => found,
            Err(problem) => return (before.len(), vec![format!("{problem}; kept the old ones")]),
        };
        let (mut pairs, mut wrong) = (Vec::new(), Vec::new());
        for (name, pair) in found {
            match pair {
                Ok(pair) => pairs.push(Arc::new(pair)),
                Err(problem) => match before.iter().find(|pair| pair.name == name) {
                    Some(old) => {
                        wrong.push(format!("{problem}; kept the old one"));
                        pairs.push(Arc::clone(old));
                    }
                    None => wrong.push(problem),
                },
            }
        }
        // Clients that name no site would find nothing.
        if let Some(default) = &self.files.default
            && !pairs.iter().any(|pair| pair.name == *default)
        {
            wrong.push(format!("the default `{default}` is gone; kept the old one"));
            pairs.extend(before.iter().find(|pair| pair.name == *default).cloned());
        }
        if pairs.is_empty() {
            return (before.len(), wrong);
        }
        let count = pairs.len();
        self.tls.show(pairs);
        (count, wrong)
    }
}

/// Name, certificate and key of each pair.
type Listed = (String, PathBuf, PathBuf);

fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

fn listed(files: &CertFiles) -> Result<Vec<Listed>, String> {
    let folder = match files {
        CertFiles::Pair { cert, key } => return Ok(vec![(stem(cert), cert.clone(), key.clone())]),
        CertFiles::Folder(folder) => folder,
    };
    let told = |problem: String| format!("{}: {problem}", folder.display());
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(|why| told(why.to_string()))? {
        let key = entry.map_err(|why| told(why.to_string()))?.path();
        // Kubernetes keeps what it swaps in hidden folders.
        let is_key = key.extension().is_some_and(|e| e == "key") && !stem(&key).starts_with('.');
        if is_key && key.is_file() {
            let beside = |extension: &str| key.with_extension(extension);
            let cert = ["pem", "crt"].map(beside).into_iter().find(|cert| cert.exists());
            all.push((stem(&key), cert.unwrap_or_else(|| beside("pem")), key));
        }
    }
    if all.is_empty() {
        return Err(told("no NAME.key with its NAME.pem or NAME.crt is there".to_owned()));
    }
    if all.len() > CERTIFICATES_MAX {
        return Err(told(format!("{} pairs; {CERTIFICATES_MAX} is the most", all.len())));
    }
    all.sort();
    Ok(all)
}

/// Reads every pair of these files; one that is wrong does not hide the others.
fn read(files: &CertFiles) -> Result<Vec<Found>, String> {
    let all = listed(files)?;
    let one = |(name, cert, key): Listed| {
        let pair = read_pair(&name, &cert, &key);
        (name, pair)
    };
    Ok(all.into_iter().map(one).collect())
}

fn read_pair(name: &str, cert: &Path, key: &Path) -> Result<Pair, String> {
    let text = |path: &Path| {
        let text = text_of(path, PEM_FILE_BYTES_MAX);
        text.map_err(|why| format!("{}: {why}", path.display()))
    };
    let (chain, secret) = (text(cert)?, text(key)?);
    Pair::read(name, chain.as_bytes(), secret.as_bytes()).map_err(|fault| {
        let of = if fault.is_of_key() { key } else { cert };
        format!("{}: {fault}", of.display())
    })
}
