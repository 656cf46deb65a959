//! `electro-isla`: what a saved product, order or user drops, and what it leaves; pages of staff
//! that nobody else may see.

use serde_json::{Value, json};

use crate::support::cistern::{Cistern, example};
use crate::support::client::{Answer, Ask, ask, get};
use crate::support::system::System;

const SALES: &str = "/api/admin/estadisticas/ventas/";
const USERS: &str = "/api/admin/estadisticas/usuarios/";
const BEST: &str = "/api/productos/mas-vendidos/";
const LIST: &str = "/api/productos/";
const SECOND_PAGE: &str = "/api/productos/?page=2";
const PRODUCT_7: &str = "/api/productos/7/";
const PRODUCT_8: &str = "/api/productos/8/";
const METHODS: &str = "/api/metodos-pago/";

const PAGES: [&str; 8] = [SALES, USERS, BEST, LIST, SECOND_PAGE, PRODUCT_7, PRODUCT_8, METHODS];

/// A shop with everything in the store.
struct Shop {
    system: System,
    cistern: Cistern,
}

impl Shop {
    fn open() -> Self {
        let system = System::start("electro_isla");
        let cistern = example("electro-isla", system.address()).start();
        Self { system, cistern }
    }

    fn with_everything_stored() -> Self {
        let shop = Self::open();
        for page in PAGES {
            shop.read(page);
            shop.read(page).served_from_store();
        }
        shop
    }

    /// A page as staff reads it: the public ones without a name, the others with one.
    fn read(&self, page: &str) -> Answer {
        let ask = match page {
            SALES | USERS => get(page).bearer("staff-1"),
            _ => get(page),
        };
        self.cistern.send(&ask).with_status(200)
    }

    fn staff_writes(&self, method: &str, target: &str, value: &Value) -> Answer {
        self.cistern.send(&ask(method, target).bearer("staff-1").json(value))
    }

    /// Reads every page once: these and no others must come fresh from the origin.
    #[track_caller]
    fn only_these_are_fresh(&self, pages: &[&str]) {
        let fresh: Vec<_> = PAGES.into_iter().filter(|page| !self.read(page).is_hit()).collect();
        let wanted: Vec<_> = PAGES.into_iter().filter(|page| pages.contains(page)).collect();
        assert_eq!(fresh, wanted);
    }
}

#[test]
fn every_page_is_asked_for_once() {
    let shop = Shop::with_everything_stored();
    for page in PAGES {
        assert_eq!(shop.system.asked(&format!("GET {page}")), 1, "{page}");
    }
}

#[test]
fn lifetimes_are_those_of_the_types() {
    let shop = Shop::open();
    for (page, ttl) in [(SALES, 300), (USERS, 600), (BEST, 300), (METHODS, 600), (LIST, 300)] {
        shop.read(page);
        let left = shop.read(page).served_from_store().ttl();
        assert!((ttl - 5..=ttl).contains(&left), "{page}: {left}");
    }
    let profile = get("/api/perfil/").bearer("ana");
    shop.cistern.send(&profile);
    let left = shop.cistern.send(&profile).served_from_store().ttl();
    assert!((3595..=3600).contains(&left), "{left}");
}

#[test]
fn a_saved_product_drops_sales_best_sellers_lists_and_itself() {
    let dropped = [SALES, BEST, LIST, SECOND_PAGE, PRODUCT_7];
    for method in ["PATCH", "PUT"] {
        let shop = Shop::with_everything_stored();
        shop.staff_writes(method, PRODUCT_7, &json!({"precio": 99})).with_status(200);
        shop.only_these_are_fresh(&dropped);
        assert_eq!(shop.read(PRODUCT_7).json()["precio"], json!(99));
        let listed = shop.read(LIST).json()["results"][6]["precio"].clone();
        assert_eq!(listed, json!(99), "the list shows the old price");
    }
}

#[test]
fn a_new_product_drops_what_counts_products() {
    let shop = Shop::with_everything_stored();
    let made = shop.staff_writes("POST", LIST, &json!({"nombre": "nuevo", "vendidos": 500}));
    made.with_status(201);
    shop.only_these_are_fresh(&[SALES, BEST, LIST, SECOND_PAGE]);
    assert_eq!(shop.read(LIST).json()["count"], json!(26));
    assert_eq!(shop.read(BEST).json()["results"][0]["nombre"], json!("nuevo"));
    assert_eq!(shop.read(SALES).json()["productos"], json!(26));
}

#[test]
fn a_deleted_product_drops_the_same() {
    let shop = Shop::with_everything_stored();
    let gone = shop.cistern.send(&ask("DELETE", PRODUCT_7).bearer("staff-1"));
    gone.with_status(204);
    shop.cistern.send(&get(PRODUCT_7)).with_status(404);
    for page in [SALES, BEST, LIST, SECOND_PAGE] {
        shop.read(page).served_by_origin();
    }
    for page in [USERS, PRODUCT_8, METHODS] {
        shop.read(page).served_from_store();
    }
}

#[test]
fn a_new_order_drops_sales_and_payment_methods() {
    let shop = Shop::with_everything_stored();
    let order = json!({"producto": 7, "total": 70, "metodo": "efectivo"});
    let placed = ask("POST", "/api/pedidos/").bearer("ana").json(&order);
    shop.cistern.send(&placed).with_status(201);
    shop.only_these_are_fresh(&[SALES, METHODS]);
    assert_eq!(shop.read(SALES).json()["total"], json!(70));
    assert_eq!(shop.read(METHODS).json()["results"]["efectivo"], json!(2));
}

#[test]
fn an_orders_new_state_drops_the_same() {
    let shop = Shop::open();
    let order = ask("POST", "/api/pedidos/").bearer("ana").json(&json!({"producto": 7}));
    shop.cistern.send(&order).with_status(201);
    for page in PAGES {
        shop.read(page);
    }
    let state = json!({"estado": "entregado"});
    shop.staff_writes("POST", "/api/pedidos/1/estado/", &state).with_status(200);
    shop.only_these_are_fresh(&[SALES, METHODS]);
    assert_eq!(shop.read(SALES).json()["entregados"], json!(1));
    shop.staff_writes("PATCH", "/api/pedidos/1/", &json!({"total": 9})).with_status(200);
    shop.only_these_are_fresh(&[SALES, METHODS]);
}

#[test]
fn a_new_user_or_role_drops_the_numbers_of_users() {
    let shop = Shop::with_everything_stored();
    let user = json!({"nombre": "luis"});
    shop.cistern.send(&ask("POST", "/api/usuarios/").json(&user)).with_status(201);
    shop.only_these_are_fresh(&[USERS]);
    assert_eq!(shop.read(USERS).json()["usuarios"], json!(2));
    shop.staff_writes("PATCH", "/api/usuarios/2/", &json!({"rol": "staff"})).with_status(200);
    shop.only_these_are_fresh(&[USERS]);
    assert_eq!(shop.read(USERS).json()["por_rol"]["staff"], json!(1));
}

#[test]
fn a_refused_write_drops_nothing() {
    let shop = Shop::with_everything_stored();
    let price = json!({"precio": 1});
    shop.cistern.send(&ask("PATCH", PRODUCT_7).bearer("ana").json(&price)).with_status(403);
    shop.cistern.send(&ask("PATCH", PRODUCT_7).json(&price)).with_status(401);
    shop.staff_writes("PATCH", "/api/productos/999/", &price).with_status(404);
    shop.staff_writes("POST", LIST, &json!({})).with_status(422);
    shop.only_these_are_fresh(&[]);
}

#[test]
fn pages_of_staff_are_for_staff_alone() {
    let shop = Shop::with_everything_stored();
    for page in [SALES, USERS] {
        for _ in 0..2 {
            let stranger: [Ask; 3] =
                [get(page), get(page).bearer("ana"), get(page).cookie("sessionid=ana")];
            for (ask, status) in stranger.iter().zip([401, 403, 401]) {
                let refused = shop.cistern.send(ask).with_status(status).served_by_origin();
                assert!(!refused.text().contains("staff-1"));
                assert!(!refused.is_stored());
            }
        }
        // Another of the staff gets an answer of their own, not a colleague's.
        let other = shop.cistern.send(&get(page).bearer("staff-2")).with_status(200);
        assert_eq!(other.json()["para"], json!("staff-2"));
        assert_eq!(shop.read(page).json()["para"], json!("staff-1"));
    }
}

#[test]
fn everybody_has_a_profile_of_their_own() {
    let shop = Shop::open();
    let profile = |name: &str| get("/api/perfil/").bearer(name);
    for name in ["ana", "luis"] {
        shop.cistern.send(&profile(name)).with_status(200).served_by_origin();
        let again = shop.cistern.send(&profile(name)).served_from_store();
        assert_eq!(again.json()["usuario"], json!(name));
    }
    shop.cistern.send(&get("/api/perfil/")).with_status(401).served_by_origin();
    let moved = ask("PUT", "/api/perfil/").bearer("ana").json(&json!({"direccion": "Calle 1"}));
    shop.cistern.send(&moved).with_status(200);
    let now = shop.cistern.send(&profile("ana")).served_by_origin();
    assert_eq!(now.json()["direccion"], json!("Calle 1"));
}

#[test]
fn a_session_cookie_does_not_split_what_is_public() {
    let shop = Shop::open();
    shop.read(BEST);
    for session in ["sessionid=1", "sessionid=2"] {
        shop.cistern.send(&get(BEST).cookie(session)).with_status(200).served_from_store();
    }
    assert_eq!(shop.system.asked(&format!("GET {BEST}")), 1);
}

#[test]
fn lists_are_kept_by_page_and_search() {
    let shop = Shop::open();
    let targets = [LIST, SECOND_PAGE, "/api/productos/?q=7", "/api/productos/?page=2&q=1"];
    let first: Vec<_> =
        targets.iter().map(|target| shop.read(target).served_by_origin().text()).collect();
    for (target, body) in targets.iter().zip(&first) {
        assert_eq!(&shop.read(target).served_from_store().text(), body);
    }
    // The order of parameters and a written-out default change nothing.
    shop.read("/api/productos/?q=1&page=2").served_from_store();
    shop.read("/api/productos/?page=1").served_from_store();
    shop.read("/api/productos/?orden=precio").passed_because("query-unnamed");
}

#[test]
fn the_shop_survives_a_fault_of_its_origin() {
    let system = System::start("electro_isla");
    let cistern = example("electro-isla", system.address())
        .changed("ttl = \"300s\"", "ttl = \"0s\"")
        .changed("stale_while_revalidate = \"30s\"", "stale_while_revalidate = \"0s\"")
        .start();
    let before = cistern.get(BEST).with_status(200).text();
    system.fails_with(503);
    assert_eq!(cistern.get(BEST).with_status(200).served_from_store().text(), before);
    system.recovers();
    cistern.get(BEST).with_status(200).served_by_origin();
}

#[test]
fn the_cache_log_has_a_line_for_each_thing() {
    let shop = Shop::with_everything_stored();
    shop.staff_writes("PATCH", PRODUCT_7, &json!({"precio": 99})).with_status(200);
    let log = shop.cistern.log();
    let line_with =
        |words: &[&str]| log.lines().any(|line| words.iter().all(|word| line.contains(word)));
    assert!(line_with(&["MISS", "producto_7"]), "{log}");
    assert!(line_with(&["STORE", "producto_7", "300"]), "{log}");
    assert!(line_with(&["HIT", "producto_7"]), "{log}");
    assert!(line_with(&["PURGE", "producto_7"]), "{log}");
    assert!(line_with(&["PURGE", "lista_productos"]), "{log}");
}
