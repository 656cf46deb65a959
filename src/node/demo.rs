//! `--demo`: a small shop API in this process, with the example rules before it, so that a newcomer
//! sees hits, purges on write and `explain` without an application.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use serde_json::{Value, json};

use crate::base::units::Span;
use crate::edge::{self, BoxError, Edge, Incoming, Listener, Peer, Serve};
use crate::node::settings::Settings;

/// The rules of the sample, also in `rules/examples/demo/`.
const RULES: &str = include_str!("../../rules/examples/demo/rules.toml");

/// What a product's JSON may weigh.
const BODY_BYTES_MAX: usize = 64 * 1_024;

/// The running sample.
#[derive(Debug)]
pub struct Demo {
    edge: Edge,
    folder: std::path::PathBuf,
}

impl Demo {
    /// Ends it.
    pub fn close(self) {
        self.edge.close();
        // A rules file left in the temporary folder harms nobody.
        drop(std::fs::remove_dir_all(self.folder));
    }
}

/// Starts the sample where the settings ask for it, and points them at it.
pub fn prepare(settings: &mut Settings) -> std::io::Result<Option<Demo>> {
    if !settings.demo {
        return Ok(None);
    }
    let listener = Listener::bind(&[SocketAddr::from(([127, 0, 0, 1], 0))])?;
    let shop = Arc::new(Mutex::new(Shop::new()));
    let quiet = edge::Settings {
        workers: std::num::NonZeroUsize::new(1),
        ..edge::Settings::new(Arc::new(Quiet))
    };
    let edge = Edge::start(listener, quiet, move |_| Api { shop: Arc::clone(&shop) })?;
    let origin = edge.addresses().first().map(ToString::to_string).unwrap_or_default();
    let folder = std::env::temp_dir().join(format!("cistern-demo-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let rules = folder.join("rules.toml");
    std::fs::write(&rules, RULES)?;
    settings.origin = Some(format!("http://{origin}"));
    settings.rules = Some(rules);
    // Nobody balances load over a demonstration: it stops when it is told to.
    settings.drain_delay = Span::ZERO;
    let loopback = ["127.0.0.0/8", "::1/128"];
    let loopback = loopback.iter().filter_map(|text| text.parse::<ipnet::IpNet>().ok());
    settings.purge_networks.extend(loopback);
    Ok(Some(Demo { edge, folder }))
}

struct Quiet;

impl edge::Watch for Quiet {}

struct Shop {
    products: BTreeMap<u64, Value>,
    next: u64,
    asked: u64,
}

impl Shop {
    fn new() -> Self {
        let named = [("Desk lamp", 39), ("Kettle", 25), ("Notebook", 4)];
        let products = (1..)
            .zip(named)
            .map(|(id, (name, price))| (id, json!({ "id": id, "name": name, "price": price })));
        Self { products: products.collect(), next: 4, asked: 0 }
    }

    fn answer(&mut self, method: &Method, path: &str, body: Option<Value>) -> (StatusCode, Value) {
        self.asked += 1;
        let id = path.strip_prefix("/products/").and_then(|id| id.parse::<u64>().ok());
        let missing = (StatusCode::NOT_FOUND, json!({ "error": "no such product" }));
        match (method.as_str(), path, id) {
            ("GET" | "HEAD", "/", _) => (StatusCode::OK, self.guide()),
            ("GET" | "HEAD", "/products", _) => {
                let all: Vec<_> = self.products.values().collect();
                (StatusCode::OK, json!({ "products": all, "origin_requests": self.asked }))
            }
            ("GET" | "HEAD", _, Some(id)) => match self.products.get(&id) {
                Some(product) => (StatusCode::OK, product.clone()),
                None => missing,
            },
            ("POST", "/products", _) => {
                let id = self.next;
                self.next += 1;
                self.save(id, body, StatusCode::CREATED)
            }
            ("PUT" | "PATCH", _, Some(id)) if self.products.contains_key(&id) => {
                self.save(id, body, StatusCode::OK)
            }
            ("DELETE", _, Some(id)) => match self.products.remove(&id) {
                Some(_) => (StatusCode::NO_CONTENT, Value::Null),
                None => missing,
            },
            _ => (StatusCode::NOT_FOUND, json!({ "error": "try /products" })),
        }
    }

    fn save(&mut self, id: u64, body: Option<Value>, done: StatusCode) -> (StatusCode, Value) {
        let Some(Value::Object(mut fields)) = body else {
            return (StatusCode::BAD_REQUEST, json!({ "error": "send a JSON object" }));
        };
        if let Some(Value::Object(old)) = self.products.get(&id) {
            for (name, value) in old {
                fields.entry(name.clone()).or_insert_with(|| value.clone());
            }
        }
        fields.insert("id".to_owned(), id.into());
        let product = Value::Object(fields);
        self.products.insert(id, product.clone());
        (done, product)
    }

    fn guide(&self) -> Value {
        json!({
            "this": "a sample API behind cistern",
            "try": [
                "GET /products                (twice: the second is a hit)",
                "PATCH /products/1            (with {\"price\":35})",
                "GET /products                (fresh again: the write purged it)",
                "PURGE /products/1            (takes what GET would find)",
                "cistern explain GET /products/1",
            ],
            "products": self.products.len(),
        })
    }
}

struct Api {
    shop: Arc<Mutex<Shop>>,
}

impl Serve for Api {
    type Body = http_body_util::combinators::UnsyncBoxBody<Bytes, BoxError>;
    type Begun = Infallible;

    fn serve(
        &self,
        request: Request<Incoming>,
        _begun: Option<Infallible>,
        _peer: Peer,
    ) -> impl Future<Output = Response<Self::Body>> + Send {
        let shop = Arc::clone(&self.shop);
        async move {
            let (head, body) = request.into_parts();
            let body = Limited::new(body, BODY_BYTES_MAX).collect().await.ok();
            let body = body.and_then(|body| serde_json::from_slice(&body.to_bytes()).ok());
            let mut shop = shop.lock().unwrap_or_else(PoisonError::into_inner);
            let (status, answer) = shop.answer(&head.method, head.uri.path(), body);
            drop(shop);
            let text = if answer.is_null() { String::new() } else { format!("{answer}\n") };
            let bodiless = head.method == Method::HEAD;
            let length = text.len();
            let text = if bodiless { String::new() } else { text };
            let full = Full::new(Bytes::from(text)).map_err(|never: Infallible| match never {});
            let mut response = Response::new(full.boxed_unsync());
            *response.status_mut() = status;
            let fields = response.headers_mut();
            if status != StatusCode::NO_CONTENT {
                let json = http::HeaderValue::from_static("application/json");
                fields.insert(header::CONTENT_TYPE, json);
                fields.insert(header::CONTENT_LENGTH, length.into());
            }
            response
        }
    }
}
