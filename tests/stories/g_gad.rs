//! `gad`: numbers of each user, kept for five minutes, and dropped when one of the user's tasks
//! changes, whatever the change names.

use serde_json::{Value, json};

use crate::support::cistern::{Cistern, example};
use crate::support::client::{Answer, Ask, ask, get};
use crate::support::system::System;

const USER_2: &str = "/api/v1/stats/user/2";
const USER_3: &str = "/api/v1/stats/user/3";

fn gad() -> (System, Cistern) {
    let gad = System::start("gad");
    let cistern = example("gad", gad.address()).start();
    (gad, cistern)
}

/// The numbers as `admin` sees them.
fn numbers(cistern: &Cistern, target: &str) -> Answer {
    cistern.send(&get(target).bearer("admin")).with_status(200)
}

/// Reads both users' numbers into the store.
fn both_are_stored(cistern: &Cistern) {
    for target in [USER_2, USER_3] {
        numbers(cistern, target);
        numbers(cistern, target).served_from_store();
    }
}

fn write(method: &str, target: &str, value: &Value) -> Ask {
    ask(method, target).bearer("admin").json(value)
}

/// What the rule puts into the JSON.
fn told(answer: &Answer) -> Value {
    answer.json()["_cache"].clone()
}

#[test]
fn the_second_question_is_answered_from_the_store() {
    let (gad, cistern) = gad();
    let first = numbers(&cistern, USER_2).served_by_origin();
    assert!(first.is_stored());
    let second = numbers(&cistern, USER_2).served_from_store();
    assert_eq!(first.json()["total_tareas"], second.json()["total_tareas"]);
    assert_eq!(gad.asked("GET /api/v1/stats/user/2"), 1);
    assert_eq!(second.key().as_deref(), Some("gad:stats:user:2:days:30"));
    assert!((295..=300).contains(&second.ttl()), "{}", second.ttl());
}

#[test]
fn the_answer_tells_where_it_came_from() {
    let (_gad, cistern) = gad();
    let key = "gad:stats:user:2:days:30";
    let first = told(&numbers(&cistern, USER_2));
    assert_eq!((&first["hit"], &first["key"]), (&json!(false), &json!(key)));
    let second = told(&numbers(&cistern, USER_2));
    assert_eq!((&second["hit"], &second["key"]), (&json!(true), &json!(key)));
    for cache in [first, second] {
        let ttl = cache["ttl"].as_i64().expect("whole seconds");
        assert!((295..=300).contains(&ttl), "{ttl}");
        assert_eq!(cache.as_object().map(serde_json::Map::len), Some(3), "{cache}");
    }
}

#[test]
fn the_rest_of_the_answer_is_the_origins() {
    let (gad, cistern) = gad();
    let mut seen = numbers(&cistern, USER_2).json();
    seen.as_object_mut().expect("an object").remove("_cache");
    assert_eq!(seen, get(USER_2).bearer("admin").to(gad.address()).json());
}

#[test]
fn days_are_part_of_the_key_and_thirty_is_the_default() {
    let (gad, cistern) = gad();
    numbers(&cistern, USER_2);
    numbers(&cistern, "/api/v1/stats/user/2?days=30").served_from_store();
    let week = numbers(&cistern, "/api/v1/stats/user/2?days=7").served_by_origin();
    assert_eq!(told(&week)["key"], json!("gad:stats:user:2:days:7"));
    assert_eq!(week.json()["total_tareas"], json!(1));
    assert_eq!(numbers(&cistern, USER_2).served_from_store().json()["total_tareas"], json!(2));
    assert_eq!(gad.asked("GET /api/v1/stats/user/2?days=30"), 0);
}

#[test]
fn use_cache_false_goes_past_the_store_and_is_no_part_of_the_key() {
    let (gad, cistern) = gad();
    numbers(&cistern, "/api/v1/stats/user/2?use_cache=true").served_by_origin();
    numbers(&cistern, USER_2).served_from_store();
    for word in ["false", "False", "0", "no", "off"] {
        let target = format!("/api/v1/stats/user/2?days=30&use_cache={word}");
        numbers(&cistern, &target).passed_because("bypass-rule");
        assert_eq!(gad.asked(&format!("GET {target}")), 1);
    }
    numbers(&cistern, USER_2).served_from_store();
}

#[test]
fn a_parameter_that_nobody_named_never_shapes_what_others_get() {
    let (_gad, cistern) = gad();
    numbers(&cistern, "/api/v1/stats/user/2?tamper=1").passed_because("query-unnamed");
    numbers(&cistern, USER_2).served_by_origin();
    numbers(&cistern, "/api/v1/stats/user/2?days=7&days=30").passed_because("query-repeated");
}

#[test]
fn a_new_task_freshens_its_users_numbers_alone() {
    let (_gad, cistern) = gad();
    both_are_stored(&cistern);
    numbers(&cistern, "/api/v1/stats/user/2?days=7");
    let made = cistern.send(&write("POST", "/api/v1/tareas", &json!({"delegado_usuario_id": 2})));
    made.with_status(201);
    let now = numbers(&cistern, USER_2).served_by_origin();
    assert_eq!(now.json()["total_tareas"], json!(3));
    let week = numbers(&cistern, "/api/v1/stats/user/2?days=7").served_by_origin();
    assert_eq!(week.json()["total_tareas"], json!(2));
    numbers(&cistern, USER_3).served_from_store();
}

#[test]
fn user_2_is_not_user_20() {
    let (_gad, cistern) = gad();
    numbers(&cistern, "/api/v1/stats/user/20");
    let task = json!({"delegado_usuario_id": 2});
    cistern.send(&write("POST", "/api/v1/tareas", &task)).with_status(201);
    numbers(&cistern, "/api/v1/stats/user/20").served_from_store();
}

#[test]
fn a_change_that_names_the_user_only_in_its_answer_counts() {
    let (_gad, cistern) = gad();
    both_are_stored(&cistern);
    let done = json!({"estado": "pendiente"});
    cistern.send(&write("PATCH", "/api/v1/tareas/1", &done)).with_status(200);
    let now = numbers(&cistern, USER_2).served_by_origin();
    assert_eq!(now.json()["completadas"], json!(1));
    numbers(&cistern, USER_3).served_from_store();
}

#[test]
fn a_deletion_that_names_nobody_is_widened() {
    let (_gad, cistern) = gad();
    both_are_stored(&cistern);
    let gone = cistern.send(&ask("DELETE", "/api/v1/tareas/1").bearer("admin"));
    assert!(gone.with_status(204).body.is_empty());
    let now = numbers(&cistern, USER_2).served_by_origin();
    assert_eq!(now.json()["total_tareas"], json!(1));
    numbers(&cistern, USER_3).served_by_origin();
}

#[test]
fn a_write_that_failed_drops_nothing() {
    let (gad, cistern) = gad();
    both_are_stored(&cistern);
    cistern.send(&write("POST", "/api/v1/tareas", &json!({}))).with_status(422);
    cistern.send(&ask("DELETE", "/api/v1/tareas/999").bearer("admin")).with_status(404);
    gad.fails_with(500);
    let task = json!({"delegado_usuario_id": 2});
    cistern.send(&write("POST", "/api/v1/tareas", &task)).with_status(500);
    for target in [USER_2, USER_3] {
        numbers(&cistern, target).served_from_store();
    }
}

#[test]
fn a_write_whose_answer_never_came_counts() {
    let (gad, cistern) = gad();
    both_are_stored(&cistern);
    gad.hangs_up();
    let task = json!({"delegado_usuario_id": 2});
    cistern.send(&write("POST", "/api/v1/tareas", &task)).with_status(502);
    gad.recovers();
    numbers(&cistern, USER_2).served_by_origin();
    numbers(&cistern, USER_3).served_from_store();
}

#[test]
fn each_bearer_sees_what_the_api_gave_to_that_bearer() {
    let (gad, cistern) = gad();
    numbers(&cistern, USER_2).served_by_origin();
    let mine = cistern.send(&get(USER_2).bearer("user-2")).with_status(200).served_by_origin();
    assert_eq!(mine.json()["asked_by"], json!("user-2"));
    cistern.send(&get(USER_2).bearer("user-2")).served_from_store();
    assert_eq!(numbers(&cistern, USER_2).served_from_store().json()["asked_by"], json!("admin"));
    for _ in 0..2 {
        cistern.send(&get(USER_2).bearer("user-3")).with_status(403).served_by_origin();
        cistern.send(&get(USER_2)).with_status(401).served_by_origin();
    }
    assert_eq!(gad.asked("GET /api/v1/stats/user/2"), 6);
}

#[test]
fn one_callers_write_freshens_everybodys_copy() {
    let (_gad, cistern) = gad();
    numbers(&cistern, USER_2);
    cistern.send(&get(USER_2).bearer("user-2")).with_status(200);
    let task = json!({"delegado_usuario_id": 2});
    let made = ask("POST", "/api/v1/tareas").bearer("user-2").json(&task);
    cistern.send(&made).with_status(201);
    for token in ["admin", "user-2"] {
        let now = cistern.send(&get(USER_2).bearer(token)).with_status(200).served_by_origin();
        assert_eq!(now.json()["total_tareas"], json!(3));
    }
}

#[test]
fn numbers_survive_an_origin_in_trouble() {
    let gad = System::start("gad");
    // Kept, but asked for each time: stale at once, without waiting five minutes.
    let cistern = example("gad", gad.address()).changed("ttl = \"5m\"", "ttl = \"0s\"").start();
    let before = numbers(&cistern, USER_2).served_by_origin().json()["total_tareas"].clone();
    for trouble in [500, 503] {
        gad.fails_with(trouble);
        let covered = numbers(&cistern, USER_2).served_from_store();
        assert_eq!(covered.json()["total_tareas"], before);
        assert!(covered.cache_status().contains("stale-if-error"), "{}", covered.cache_status());
    }
    gad.hangs_up();
    numbers(&cistern, USER_2).served_from_store();
    gad.recovers();
    numbers(&cistern, USER_2).served_by_origin();
}

#[test]
fn the_log_tells_what_happened() {
    let (_gad, cistern) = gad();
    both_are_stored(&cistern);
    let task = json!({"delegado_usuario_id": 2});
    cistern.send(&write("POST", "/api/v1/tareas", &task)).with_status(201);
    cistern.send(&get(USER_2).bearer("user-2")).with_status(200);
    let log = cistern.log();
    for word in ["MISS", "HIT", "STORE", "PURGE"] {
        assert!(log.lines().any(|line| line.contains(word)), "no {word} in:\n{log}");
    }
    assert!(!log.contains("user-2"), "a token in the log:\n{log}");
}
