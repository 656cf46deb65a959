use super::*;

fn operations() -> Vec<(String, String, Value)> {
    let document = whole(true);
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            all.push((method.to_uppercase(), path.clone(), operation.clone()));
        }
    }
    all
}

#[test]
fn every_call_is_told_with_its_role() {
    let all = operations();
    let aliases = ALIASES.iter().flat_map(|call| call.paths().into_iter().map(move |p| (call, p)));
    let known: Vec<_> = CALLS.iter().map(|call| (call, call.path())).chain(aliases).collect();
    for (call, path) in &known {
        assert!(own(call).is_some(), "{call:?} tells nothing of itself");
        let told = all
            .iter()
            .find(|(method, told, _)| *method == call.method && *told == path.replace("{*", "{"));
        let (_, _, operation) = told.unwrap_or_else(|| panic!("{call:?} is missing"));
        assert_eq!(operation["x-least-role"], call.least.map_or("", Role::as_str), "{path}");
        assert_eq!(operation["responses"]["401"].is_object(), call.least.is_some(), "{path}");
    }
    assert_eq!(all.len(), known.len(), "something is told that there is not");
    let mut ids: Vec<_> = all.iter().map(|(.., told)| told["operationId"].to_string()).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), all.len(), "two operations share a name");
    assert!(whole(false)["paths"].get("/cache/clear").is_none(), "nobody wants the aliases");
}

#[test]
fn whatever_has_no_name_of_its_own_is_described() {
    fn look(place: &str, shape: &Value) {
        for (name, member) in shape["properties"].as_object().into_iter().flatten() {
            let is_told = member["description"].is_string()
                || member.pointer("/anyOf/0/description").is_some()
                || member.get("const").is_some()
                || member.get("enum").is_some();
            assert!(is_told, "{place}: {name} has no description in {member}");
        }
        for inner in shape.as_object().into_iter().flatten().map(|(_, inner)| inner) {
            if inner.is_object() || inner.is_array() {
                look(place, inner);
            }
        }
        shape.as_array().into_iter().flatten().for_each(|inner| look(place, inner));
    }
    for (method, path, operation) in operations() {
        look(&format!("{method} {path}"), &operation);
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            assert!(parameter["description"].is_string(), "{path}: {parameter}");
        }
    }
}

#[test]
fn objects_that_are_read_or_written_are_closed() {
    fn look(place: &str, shape: &Value) {
        let is_refined = shape.get("allOf").is_some();
        if shape.get("properties").is_some() && !is_refined {
            assert!(shape.get("additionalProperties").is_some(), "{place}: {shape} is open");
        }
        match shape {
            Value::Array(all) => all.iter().for_each(|inner| look(place, inner)),
            Value::Object(all) => all.values().for_each(|inner| look(place, inner)),
            _ => {}
        }
    }
    for (_, path, operation) in operations() {
        look(&path, &operation);
    }
}

#[test]
fn statuses_of_one_call_are_told_together() {
    let gone = StatusCode::NOT_FOUND;
    let told = Told::of("x").answers("fine", text("x")).refuses(gone, "a", "one");
    let told = told.refuses(gone, "b", "other").refuses(gone, "b", "more");
    let found = told.operation();
    let problem = &found["responses"]["404"]["content"]["application/problem+json"]["schema"];
    assert_eq!(problem["properties"]["code"]["enum"], json!(["a", "b"]));
    assert_eq!(found["responses"]["404"]["description"], "`a`: one; `b`: other; `b`: more");
    let answer = |code: &'static str| crate::admin::door::problem(gone, code, "");
    assert!(told.tells(&answer("a")) && !told.tells(&answer("c")));
    assert!(told.tells(&StatusCode::OK.into_response()));
    assert!(!told.tells(&gone.into_response()));
}
