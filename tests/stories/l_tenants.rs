//! Tenants over a shared level: two nodes give each its own, and a purge of one takes it everywhere
//! and nothing else.

use cistern::admin::tokens::Role;
use serde_json::{Value, json};

use crate::support::cistern::{Cistern, in_front_of};
use crate::support::client::{Ask, get};
use crate::support::fleet::{Fleet, settings};
use crate::support::operator::call;
use crate::support::redis::{Server, until};
use crate::support::stage::{Stage, message};

const RULES: &str = r#"
version = 1
[tenant]
from = ["header.x-tenant"]
[[route]]
name = "thing"
match = "GET /things/{id}"
key = "thing:{id}"
share = "public"
ttl = "5m"
"#;

fn of(tenant: &str) -> Ask {
    get("/things/1").header("X-Tenant", tenant)
}

/// Reads at one node what the origin is asked for.
#[track_caller]
fn fetches(node: &Cistern, stage: &Stage, tenant: &str) {
    let asked = node.begin(&of(tenant));
    stage.expects("GET /things/1").answers(message(200, &[], tenant));
    assert_eq!(asked.finish().with_status(200).served_by_origin().text(), tenant);
}

#[track_caller]
fn finds(node: &Cistern, tenant: &str) {
    assert_eq!(node.send(&of(tenant)).with_status(200).served_from_store().text(), tenant);
}

fn held(server: &Server) -> usize {
    server.keys("cistern:e:{thing:1}*").len()
}

#[test]
fn each_node_gives_each_tenant_its_own() {
    let server = Server::start();
    let probes = |what: &str| {
        what.contains("/probes/")
            .then(|| message(200, &["Cache-Control: public, max-age=60"], "probe"))
    };
    let stage = Stage::with(probes);
    let config = format!("{}[trust]\npeers = [\"127.0.0.0/8\"]\n", settings(&server.url()));
    // What tells whether the nodes are one is asked for without a tenant.
    let rules = RULES.to_owned() + "[[route]]\nmatch = '* /probes/{id}'\ntenant = 'none'\n";
    let (setup, token) =
        in_front_of(stage.address()).config(&config).rules(&rules).token(Role::Admin);
    let other = in_front_of(stage.address()).config(&config).rules(&rules);
    let fleet = Fleet::start([setup, other]);
    let [one, two] = &fleet.nodes[..] else { panic!("two nodes") };
    fetches(one, &stage, "acme");
    fetches(two, &stage, "b");
    until("both are in the shared level", || held(&server) == 2);
    finds(two, "acme");
    finds(one, "b");
    let purge =
        |body: &Value| call(one, Some(&token), "POST", "purge", Some(body)).with_status(200).json();
    let tried = purge(&json!({ "selectors": ["tenant:acme"], "dry_run": true }));
    assert_eq!(tried["would_purge"]["l2"], 1, "{tried}");
    let done = purge(&json!({ "selectors": ["tenant:acme"], "confirm": "nodes" }));
    assert_eq!(done["purged"]["entries"], 1, "{done}");
    finds(one, "b");
    finds(two, "b");
    fetches(two, &stage, "acme");
    until("it is there again", || held(&server) == 2);
    finds(one, "acme");
    // A key is all tenants'.
    let done = purge(&json!({ "selectors": ["key:thing:1"], "confirm": "nodes" }));
    assert_eq!(done["purged"]["entries"], 2, "{done}");
    until("nothing is left of it", || held(&server) == 0);
    for tenant in ["acme", "b"] {
        fetches(two, &stage, tenant);
    }
    stage.was_asked_no_more();
}
