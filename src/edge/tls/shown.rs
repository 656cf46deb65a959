//! Which certificate a client is shown: by the name it asks for, then by what it can verify. All
//! pairs change at once, by one pointer; a handshake that has begun goes on with what it took.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::SignatureScheme;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::pair::Pair;

/// Pairs in the order in which they are tried.
type Candidates = Vec<Arc<Pair>>;

/// The pairs of one listener.
#[derive(Debug, Default)]
struct Table {
    all: Candidates,
    /// By name; wildcards stand under what follows their star.
    exact: HashMap<String, Candidates>,
    wild: HashMap<String, Candidates>,
    /// For who asks for no name, or for one that no pair has.
    rest: Candidates,
}

impl Table {
    fn of(mut all: Candidates, default: Option<&str>) -> Self {
        // Signing with RSA costs ten times as much, so it is for those who know nothing else.
        all.sort_by_key(|pair| pair.is_rsa());
        let mut table = Self::default();
        for pair in &all {
            for name in &pair.names {
                let (names, name) = match name.strip_prefix("*.") {
                    Some(parent) => (&mut table.wild, parent),
                    None => (&mut table.exact, name.as_str()),
                };
                names.entry(name.to_owned()).or_default().push(Arc::clone(pair));
            }
        }
        let first = default.or_else(|| all.iter().map(|pair| &*pair.name).min());
        let named = all.iter().find(|pair| Some(&*pair.name) == first);
        // What stands beside the default for the same names is for clients that cannot verify it.
        let alike = |pair: &&Arc<Pair>| named.is_some_and(|named| named.names == pair.names);
        table.rest = all.iter().filter(alike).cloned().collect();
        table.all = all;
        table
    }

    fn candidates(&self, name: Option<&str>) -> &[Arc<Pair>] {
        let Some(name) = name else { return &self.rest };
        // The library has checked the name; it may be in any case.
        let name = name.to_ascii_lowercase();
        let above = || self.wild.get(name.split_once('.')?.1);
        self.exact.get(&name).or_else(above).unwrap_or(&self.rest)
    }

    fn choose(&self, name: Option<&str>, known: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        let candidates = self.candidates(name);
        let fits = |pair: &&Arc<Pair>| pair.key.key.choose_scheme(known).is_some();
        candidates.iter().find(fits).or(candidates.first()).map(|pair| Arc::clone(&pair.key))
    }
}

/// What is shown now.
#[derive(Debug)]
pub(super) struct Shown {
    default: Option<String>,
    table: ArcSwap<Table>,
}

impl Shown {
    /// `default` names the pair for who asks for no known name; without it, it is the first by
    /// name.
    pub(super) fn new(pairs: Vec<Arc<Pair>>, default: Option<String>) -> Self {
        let table = ArcSwap::from_pointee(Table::of(pairs, default.as_deref()));
        Self { default, table }
    }

    /// Shows these from now on.
    pub(super) fn put(&self, pairs: Vec<Arc<Pair>>) {
        self.table.store(Arc::new(Table::of(pairs, self.default.as_deref())));
    }

    /// Those that are shown now.
    pub(super) fn pairs(&self) -> Vec<Arc<Pair>> {
        self.table.load().all.clone()
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.table.load().choose(hello.server_name(), hello.signature_schemes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256};

    const EC: [SignatureScheme; 1] = [SignatureScheme::ECDSA_NISTP256_SHA256];
    const RSA: [SignatureScheme; 1] = [SignatureScheme::RSA_PSS_SHA256];

    fn pair(name: &str, names: &[&str], rsa: bool) -> Arc<Pair> {
        let algorithm = if rsa { &PKCS_RSA_SHA256 } else { &PKCS_ECDSA_P256_SHA256 };
        let key = KeyPair::generate_for(algorithm).unwrap();
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let made = CertificateParams::new(names).unwrap().self_signed(&key).unwrap();
        let (chain, key) = (made.pem(), key.serialize_pem());
        Arc::new(Pair::read(name, chain.as_bytes(), key.as_bytes()).unwrap())
    }

    #[test]
    fn the_name_decides_then_what_can_be_verified() {
        let all = [
            pair("a", &["shop.example"], false),
            pair("b-rsa", &["api.example", "*.api.example"], true),
            pair("b", &["api.example", "*.api.example"], false),
            pair("z", &["www.api.example"], false),
        ];
        let table = Table::of(all.to_vec(), Some("b"));
        let named = |name: Option<&str>, known: &[SignatureScheme]| {
            let chosen = table.choose(name, known).unwrap();
            let of = all.iter().find(|pair| Arc::ptr_eq(&pair.key, &chosen)).unwrap();
            of.name.as_str()
        };
        assert_eq!(named(Some("shop.example"), &EC), "a");
        assert_eq!(named(Some("api.EXAMPLE"), &EC), "b");
        assert_eq!(named(Some("api.example"), &RSA), "b-rsa");
        assert_eq!(named(Some("x.api.example"), &[RSA[0], EC[0]]), "b");
        assert_eq!(named(Some("www.api.example"), &EC), "z");
        assert_eq!(named(Some("x.y.api.example"), &EC), "b", "a star is one label");
        assert_eq!(named(Some("api.example.other"), &RSA), "b-rsa");
        assert_eq!(named(None, &EC), "b");
        assert_eq!(named(None, &RSA), "b-rsa");
        assert_eq!(named(Some("shop.example"), &RSA), "a", "better one that fails than another's");
    }

    #[test]
    fn without_a_word_the_first_by_name_is_the_default() {
        let table = Table::of(vec![pair("b", &["b.example"], false)], None);
        assert_eq!(table.rest.len(), 1);
        let both = vec![pair("b", &["b.example"], false), pair("a", &["a.example"], true)];
        assert_eq!(Table::of(both, None).rest[0].name, "a");
        assert!(Table::of(Vec::new(), None).choose(None, &EC).is_none());
    }

    #[test]
    fn a_key_of_another_pair_is_refused_and_so_is_what_is_no_pem() {
        let make = || {
            let key = KeyPair::generate().unwrap();
            let made = CertificateParams::new(vec!["a".to_owned()]).unwrap();
            (made.self_signed(&key).unwrap().pem(), key.serialize_pem())
        };
        let ((chain, key), (_, other)) = (make(), make());
        let read = |chain: &str, key: &str| Pair::read("a", chain.as_bytes(), key.as_bytes());
        assert!(read(&chain, &key).is_ok());
        let wrong = |chain: &str, key: &str| read(chain, key).unwrap_err().to_string();
        assert_eq!(wrong(&chain, &other), "the key does not belong to the certificate");
        assert!(wrong(&key, &key).contains("no CERTIFICATE"));
        assert!(wrong(&chain, &chain).contains("no PRIVATE KEY"));
        assert!(wrong(&chain.replace("MII", "MIJ"), &key).contains("cannot be read"));
    }
}
