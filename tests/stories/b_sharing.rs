//! Tags that name the caller: whatever a rule says about sharing, `{identity}` is the digest of
//! whoever caused the answer, in tags as in what a write purges.

use crate::support::cistern::{Cistern, in_front_of};
use crate::support::client::{Answer, ask, get};
use crate::support::stage::{Stage, message};

fn started(share: &str, key: &str) -> (Stage, Cistern) {
    let rules = format!(
        "version = 1\n\
         [[route]]\nmatch = ['GET /me', 'POST /ask']\nkey = '{key}'\nshare = '{share}'\n\
         ttl = '5m'\ntags = ['of:{{identity}}']\n\
         [[route]]\nmatch = 'PUT /touch'\non_write.purge = ['tag:of:{{identity}}']\n"
    );
    let stage = Stage::with(|_| Some(message(200, &[], "x")));
    let cistern = in_front_of(stage.address()).rules(&rules).start();
    (stage, cistern)
}

fn reads(cistern: &Cistern, token: &str) -> Answer {
    cistern.send(&get("/me").bearer(token)).with_status(200)
}

fn touches(cistern: &Cistern, token: &str) {
    cistern.send(&ask("PUT", "/touch").bearer(token)).with_status(200);
}

#[test]
fn callers_with_entries_of_their_own_are_tagged_apart() {
    for (share, key) in [("identity", "me"), ("auto", "me:{identity}"), ("public", "me:{identity}")]
    {
        let (_stage, cistern) = started(share, key);
        for token in ["ann", "bob"] {
            reads(&cistern, token).served_by_origin();
            reads(&cistern, token).served_from_store();
        }
        touches(&cistern, "eve");
        touches(&cistern, "ann");
        reads(&cistern, "bob").served_from_store();
        assert!(!reads(&cistern, "ann").is_hit(), "share = {share}: the tag is not the caller's");
        touches(&cistern, "bob");
        reads(&cistern, "ann").served_from_store();
        reads(&cistern, "bob").served_by_origin();
    }
}

#[test]
fn a_shared_entry_bears_the_tag_of_who_caused_it() {
    let (_stage, cistern) = started("public", "me");
    reads(&cistern, "ann").served_by_origin();
    reads(&cistern, "bob").served_from_store();
    touches(&cistern, "bob");
    reads(&cistern, "bob").served_from_store();
    touches(&cistern, "ann");
    // Now it is bob who causes it.
    reads(&cistern, "bob").served_by_origin();
    touches(&cistern, "ann");
    reads(&cistern, "ann").served_from_store();
    touches(&cistern, "bob");
    reads(&cistern, "ann").served_by_origin();
}

#[test]
fn who_has_no_credentials_has_no_such_tag() {
    for share in ["auto", "never", "identity", "public"] {
        let (_stage, cistern) = started(share, "me");
        let anonymous = || cistern.send(&get("/me"));
        anonymous().served_by_origin();
        // The selector of a write without credentials is widened; one with them names its own.
        touches(&cistern, "ann");
        anonymous().served_from_store();
        if matches!(share, "auto" | "never") {
            reads(&cistern, "ann").passed_because("credentials");
            anonymous().served_from_store();
        }
    }
}

#[test]
fn a_read_by_its_body_is_tagged_by_its_caller_too() {
    let (_stage, cistern) = started("identity", "me:{req.body|sha256}");
    let asks = |token: &str| {
        let question = serde_json::json!({ "q": 1 });
        cistern.send(&ask("POST", "/ask").bearer(token).json(&question)).with_status(200)
    };
    for token in ["ann", "bob"] {
        asks(token).served_by_origin();
        asks(token).served_from_store();
    }
    touches(&cistern, "ann");
    asks("bob").served_from_store();
    asks("ann").served_by_origin();
}
