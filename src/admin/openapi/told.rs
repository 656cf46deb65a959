//! What the document tells of one call: its parameters, its body, every status that it may be
//! answered with, and the codes of the problems among them.

use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Map, Value, json};

use crate::admin::door::Code;
use crate::base::names;

const JSON: &str = "application/json";

/// One call, told.
#[derive(Clone, Debug)]
pub(in crate::admin) struct Told {
    about: &'static str,
    parameters: Vec<Value>,
    body: Option<Value>,
    answers: Vec<Answer>,
    problems: Vec<Problem>,
}

#[derive(Clone, Debug)]
struct Answer {
    status: StatusCode,
    about: &'static str,
    media_type: &'static str,
    shape: Value,
}

#[derive(Clone, Copy, Debug)]
struct Problem {
    status: StatusCode,
    code: &'static str,
    about: &'static str,
}

impl Told {
    /// A call that does this.
    pub(in crate::admin) fn of(about: &'static str) -> Self {
        Self {
            about,
            parameters: Vec::new(),
            body: None,
            answers: Vec::new(),
            problems: Vec::new(),
        }
    }

    /// A parameter of its query; it may be left out.
    pub(in crate::admin) fn parameter(mut self, name: &str, shape: Value) -> Self {
        self.parameters.push(parameter("query", name, shape));
        self
    }

    /// A parameter that may come several times.
    pub(in crate::admin) fn parameters(mut self, name: &str, shape: Value) -> Self {
        let about = shape["description"].clone();
        let shape = json!({ "type": "array", "items": shape, "description": about });
        let mut one = parameter("query", name, shape);
        one["explode"] = true.into();
        self.parameters.push(one);
        self
    }

    /// A part of its path.
    pub(in crate::admin) fn in_path(mut self, name: &str, shape: Value) -> Self {
        let mut one = parameter("path", name, shape);
        one["required"] = true.into();
        self.parameters.push(one);
        self
    }

    /// A field of its head; it may be left out.
    pub(in crate::admin) fn field(mut self, name: &str, shape: Value) -> Self {
        self.parameters.push(parameter("header", name, shape));
        self
    }

    /// A body of JSON that it needs.
    pub(in crate::admin) fn takes(self, shape: Value) -> Self {
        self.takes_as(JSON, shape)
    }

    /// A body of another type that it needs.
    pub(in crate::admin) fn takes_as(mut self, media_type: &str, shape: Value) -> Self {
        let content = Map::from_iter([(media_type.to_owned(), json!({ "schema": shape }))]);
        self.body = Some(json!({ "required": true, "content": content }));
        self
    }

    /// The body may be empty.
    pub(in crate::admin) fn or_nothing(mut self) -> Self {
        if let Some(body) = &mut self.body {
            body["required"] = false.into();
        }
        self
    }

    /// It is answered so when all went well.
    pub(in crate::admin) fn answers(self, about: &'static str, shape: Value) -> Self {
        self.answers_as(StatusCode::OK, about, JSON, shape)
    }

    /// It may be answered so, too.
    pub(in crate::admin) fn also(
        self,
        status: StatusCode,
        about: &'static str,
        shape: Value,
    ) -> Self {
        self.answers_as(status, about, JSON, shape)
    }

    /// It may be answered so, in another form than JSON.
    pub(in crate::admin) fn answers_as(
        mut self,
        status: StatusCode,
        about: &'static str,
        media_type: &'static str,
        shape: Value,
    ) -> Self {
        self.answers.push(Answer { status, about, media_type, shape });
        self
    }

    /// It may be refused with this problem.
    pub(in crate::admin) fn refuses(
        mut self,
        status: StatusCode,
        code: &'static str,
        about: &'static str,
    ) -> Self {
        self.problems.push(Problem { status, code, about });
        self
    }

    /// It is refused where what it says makes no sense.
    pub(in crate::admin) fn judges(self) -> Self {
        let about = "a parameter, a field or the body makes no sense; `detail` says which and why";
        self.refuses(StatusCode::BAD_REQUEST, "bad-request", about)
    }

    /// Whether this is an answer that it tells of.
    pub(super) fn tells(&self, answer: &Response) -> bool {
        let code = answer.extensions().get::<Code>().map(|code| code.0);
        match code {
            Some(code) => {
                let is_it = |told: &Problem| told.status == answer.status() && told.code == code;
                self.problems.iter().any(is_it)
            }
            None => self.answers.iter().any(|told| told.status == answer.status()),
        }
    }

    /// The operation as the document has it.
    pub(super) fn operation(&self) -> Value {
        let mut operation = json!({ "summary": self.about });
        if !self.parameters.is_empty() {
            operation["parameters"] = self.parameters.clone().into();
        }
        if let Some(body) = &self.body {
            operation["requestBody"] = body.clone();
        }
        operation["responses"] = self.responses();
        operation
    }

    fn responses(&self) -> Value {
        let mut all = Map::new();
        let mut entry = |status: StatusCode, about: &str, media_type: &str, shape: Value| {
            let one = all.entry(status.as_str()).or_insert_with(|| json!({ "description": "" }));
            let before = one["description"].as_str().unwrap_or_default();
            let joined = if before.is_empty() { String::new() } else { format!("{before}; ") };
            one["description"] = format!("{joined}{about}").into();
            match &mut one["content"][media_type]["schema"] {
                none @ Value::Null => *none = shape,
                some => merge(some, &shape),
            }
        };
        for Answer { status, about, media_type, shape } in &self.answers {
            entry(*status, about, media_type, shape.clone());
        }
        for Problem { status, code, about } in &self.problems {
            let own = json!({ "status": { "const": status.as_u16() }, "code": { "enum": [code] } });
            let shape = json!({
                "allOf": [{ "$ref": "#/components/schemas/Problem" }],
                "properties": own,
            });
            entry(*status, &format!("`{code}`: {about}"), names::PROBLEM_JSON, shape);
        }
        Value::Object(all)
    }
}

/// Two problems of one status differ in their codes; two other answers are either.
fn merge(shape: &mut Value, other: &Value) {
    let codes = "/properties/code/enum";
    let more = other.pointer(codes).and_then(Value::as_array);
    match (shape.pointer_mut(codes).and_then(Value::as_array_mut), more) {
        (Some(known), Some(more)) => {
            for code in more {
                if !known.contains(code) {
                    known.push(code.clone());
                }
            }
        }
        _ => *shape = json!({ "anyOf": [shape.clone(), other] }),
    }
}

fn parameter(place: &str, name: &str, mut shape: Value) -> Value {
    let about = shape["description"].take();
    if let Some(members) = shape.as_object_mut() {
        members.remove("description");
        // What is there says something.
        if members.get("type").is_some_and(|kind| kind == "string") {
            members.entry("minLength").or_insert_with(|| 1.into());
        }
    }
    let mut one = json!({ "name": name, "in": place, "schema": shape });
    if about.is_string() {
        one["description"] = about;
    }
    one
}
