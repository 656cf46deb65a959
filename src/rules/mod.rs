#![allow(missing_docs, clippy::all, clippy::pedantic, unreachable_pub)]
//! stub
use crate::base::ids::*;
use crate::base::reason::Reason;
use crate::base::units::Span;
use crate::entry::order::Selector;
use crate::policy::Law;
use http::{HeaderMap, Method, StatusCode};
use std::sync::Arc;
#[derive(Clone, Debug)]
pub struct Source {
    pub name: String,
    pub text: String,
}
#[derive(Clone, Debug)]
pub struct Diagnostic {
    pub message: String,
}
impl Diagnostic {
    pub fn is_error(&self) -> bool {
        true
    }
    pub fn render(&self, _: &[Source], _: bool) -> String {
        String::new()
    }
    pub fn to_json(&self, _: &[Source]) -> serde_json::Value {
        serde_json::Value::Null
    }
    pub fn to_github(&self, _: &[Source]) -> String {
        String::new()
    }
}
#[derive(Clone, Debug, Default)]
pub struct LoadContext {
    pub origin_given: bool,
}
pub struct Loaded {
    pub book: Rulebook,
    pub warnings: Vec<Diagnostic>,
}
pub fn load(_: &[Source], _: &LoadContext) -> Result<Loaded, Vec<Diagnostic>> {
    Ok(Loaded { book: Rulebook::empty(), warnings: vec![] })
}
pub fn explain_code(_: &str) -> Option<String> {
    None
}
pub mod schema {
    pub fn text() -> String {
        String::new()
    }
}
#[derive(Clone, Debug)]
pub struct Kind {
    pub name: Arc<str>,
    pub max_size: Option<u64>,
    pub max_entries: Option<u64>,
}
#[derive(Clone, Debug)]
pub struct OriginSpec {
    pub name: Arc<str>,
    pub url: String,
    pub fixed_host: Option<String>,
    pub max_concurrent: Option<usize>,
    pub timeout: Span,
    pub connect_timeout: Span,
    pub first_byte_timeout: Span,
    pub idle_timeout: Span,
}
#[derive(Clone, Debug, Default)]
pub struct CredentialNames;
impl CredentialNames {
    pub fn seen(&self, f: &HeaderMap) -> bool {
        f.contains_key("authorization") || f.contains_key("cookie")
    }
    pub fn identity_digest_input(&self, _: &HeaderMap) -> Vec<u8> {
        vec![]
    }
}
#[derive(Clone, Debug)]
pub struct TestCase;
pub struct TestResult;
impl TestResult {
    pub fn passed(&self) -> bool {
        true
    }
}
impl std::fmt::Display for TestResult {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        Ok(())
    }
}
#[derive(Clone, Debug)]
pub struct Rulebook {
    pub routes: Vec<Arc<Route>>,
    pub kinds: Vec<Kind>,
    pub origins: Vec<OriginSpec>,
    pub credentials: CredentialNames,
    pub tests: Vec<TestCase>,
}
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    pub method: &'a Method,
    pub scheme: &'a str,
    pub authority: &'a str,
    pub target: &'a str,
    pub fields: &'a HeaderMap,
}
#[derive(Clone, Debug, Default)]
pub struct Captures;
impl Rulebook {
    pub fn empty() -> Self {
        Self {
            routes: vec![],
            kinds: vec![Kind { name: "".into(), max_size: None, max_entries: None }],
            origins: vec![],
            credentials: CredentialNames,
            tests: vec![],
        }
    }
    pub fn route(&self, _: &Asked<'_>) -> Option<(&Arc<Route>, Captures)> {
        None
    }
    pub fn origin_for(&self, _: Option<&Route>, _: &Asked<'_>) -> Option<usize> {
        None
    }
    pub fn run_test(&self, _: &TestCase) -> TestResult {
        TestResult
    }
}
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    Auto,
    Public,
    Identity,
    Never,
}
impl Share {
    pub fn as_str(self) -> &'static str {
        ""
    }
}
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    On,
    Pass,
}
pub enum Role {
    Read,
    BodyRead,
    Write,
    Pass,
}
#[derive(Clone, Debug)]
pub struct OnWrite;
impl OnWrite {
    pub fn succeeded(&self, _: StatusCode) -> bool {
        true
    }
}
#[derive(Clone, Debug)]
pub struct Route {
    pub id: RouteId,
    pub name: Arc<str>,
    pub kind: KindId,
    pub law: Law,
    pub share: Share,
    pub mode: Mode,
    pub inject: Option<String>,
    pub on_write: OnWrite,
    pub json_max: u64,
}
pub struct ReadPlan {
    pub key: Option<String>,
    pub has_identity: bool,
    pub tags: Vec<String>,
    pub forward_target: Option<String>,
}
pub struct PlannedSelector {
    pub selector: Selector,
    pub widened: bool,
}
pub struct Note {
    pub text: String,
    pub value: Option<String>,
    pub from: String,
}
impl Route {
    pub fn role(&self, _: &Method) -> Role {
        Role::Read
    }
    pub fn read_plan(
        &self,
        _: &Asked<'_>,
        _: &Captures,
        _: Option<&RequestBody>,
        _: Option<&str>,
    ) -> Result<ReadPlan, (Reason, String)> {
        todo!()
    }
    pub fn wants_identity(&self) -> bool {
        false
    }
    pub fn follows_origin(&self) -> bool {
        false
    }
    pub fn tags_need_answer(&self) -> bool {
        false
    }
    pub fn needs_request_json(&self) -> bool {
        false
    }
    pub fn needs_response_json(&self) -> bool {
        false
    }
    pub fn response_tags(&self, _: &Captures, _: Option<&Json>) -> Vec<String> {
        vec![]
    }
    pub fn write_selectors(
        &self,
        _: &Asked<'_>,
        _: &Captures,
        _: Option<&Json>,
        _: Option<&Json>,
    ) -> Vec<PlannedSelector> {
        vec![]
    }
    pub fn read_selector(&self, _: &Asked<'_>, _: &Captures) -> Option<Selector> {
        None
    }
    pub fn match_text(&self) -> String {
        String::new()
    }
    pub fn key_notes(&self, _: &Asked<'_>, _: &Captures) -> Vec<Note> {
        vec![]
    }
}
pub struct RequestBody;
impl RequestBody {
    pub fn new(_: bytes::Bytes) -> Self {
        Self
    }
}
#[derive(Debug)]
pub struct Json;
impl Json {
    pub fn read(_: &[u8]) -> Result<Self, ()> {
        Err(())
    }
}
