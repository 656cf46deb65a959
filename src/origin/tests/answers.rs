//! Answers that are none, that contradict themselves, or that break off.

use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use tokio::join;

use super::script::{Script, bare, fetch, read};
use crate::base::limits;
use crate::origin::{AskOptions, BodyFault, OriginFault, Sent, Upstreams};

/// What the client makes of `bytes`, followed by the end of the connection.
async fn asked(line: &str, bytes: &[u8]) -> Result<Result<Vec<u8>, String>, OriginFault> {
    let (script, upstreams) = (Script::open().await, Upstreams::new());
    let spec = script.spec();
    let server = async {
        let mut peer = script.accept().await;
        peer.head().await;
        peer.says_if_heard(bytes).await;
        peer.half_closes().await;
        peer.rest().await;
    };
    let client = async {
        let ask = upstreams.ask(&spec, bare(line, &[]), AskOptions::default());
        let inbound = ask.await?;
        Ok(match read(inbound).await {
            Ok(answer) => Ok(answer.body.to_vec()),
            Err(error) => Err(BodyFault::of(&error).expect("a body's fault").to_string()),
        })
    };
    let outcome = join!(server, client).1;
    upstreams.close();
    outcome
}

#[tokio::test]
async fn nonsense_is_a_bad_answer() {
    let head = "HTTP/1.1 200 OK\r\n";
    let many = "a: b\r\n".repeat(limits::ORIGIN_HEAD_LINES_MAX + 1);
    let long = format!("a: {}\r\n", "b".repeat(limits::ORIGIN_HEAD_BYTES_MAX));
    let answers = [
        "SSH-2.0-OpenSSH_9.2\r\n".to_owned(),
        "<html>old</html>\r\n\r\n".to_owned(),
        "HTTP/2 200 OK\r\n\r\n".to_owned(),
        "HTTP/1.1 20 OK\r\n\r\n".to_owned(),
        "HTTP/1.1 099 OK\r\n\r\n".to_owned(),
        format!("{head}content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"),
        format!("{head}transfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n0\r\n\r\n"),
        format!("{head}content-length: 2\r\ncontent-length: 3\r\n\r\nok."),
        format!("{head}content-length: 2\r\ncontent-length: 2\r\n\r\nok"),
        format!("{head}content-length: 2, 2\r\n\r\nok"),
        format!("{head}content-length: +2\r\n\r\nok"),
        format!("{head}content-length: 0x2\r\n\r\nok"),
        format!("{head}content-length: 99999999999999999999\r\n\r\nok"),
        format!("{head}content-length:\r\n\r\nok"),
        format!("{head}transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
        format!("{head}transfer-encoding: chunked, chunked\r\n\r\n0\r\n\r\n"),
        format!("{head}transfer-encoding: identity\r\n\r\nok"),
        "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n".to_owned(),
        format!("{head}a : b\r\n\r\n"),
        format!("{head}a: b\r\n c\r\n\r\n"),
        format!("{head}a: b\0c\r\n\r\n"),
        format!("{head}no colon\r\n\r\n"),
        format!("{head}{many}\r\n"),
        format!("{head}{long}\r\n"),
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n".to_owned(),
        "HTTP/1.1 100 Continue\r\n\r\nnonsense\r\n\r\n".to_owned(),
    ];
    for bytes in answers {
        let shown: String = bytes.chars().take(80).collect();
        let fault = asked("GET /", bytes.as_bytes()).await.expect_err(&shown);
        assert!(matches!(fault, OriginFault::BadAnswer(_)), "{shown}: {fault}");
        assert_eq!((fault.sent(), fault.fault().status().as_u16()), (Sent::Maybe, 502));
    }
}

#[tokio::test]
async fn an_end_before_the_head_is_a_reset() {
    for bytes in ["", "HTTP/1.1 200 OK\r\na: b\r\n", "HTTP/1.1 100 Continue\r\n\r\n"] {
        let fault = asked("GET /", bytes.as_bytes()).await.unwrap_err();
        assert!(matches!(fault, OriginFault::Reset { sent: Sent::Maybe, .. }), "{bytes}: {fault}");
    }
}

#[tokio::test]
async fn a_body_cut_short_is_never_an_end() {
    let cut = [
        ("content-length: 3", "ok", "after 2 bytes"),
        ("content-length: 3", "", "after 0 bytes"),
        ("transfer-encoding: chunked", "", "after 0 bytes"),
        ("transfer-encoding: chunked", "2\r\nok\r\n", "after 2 bytes"),
        ("transfer-encoding: chunked", "2\r\nok\r\n0\r\n", "after 2 bytes"),
        ("transfer-encoding: chunked", "2\r\nok\r\n0\r\nx: y\r\n", "after 2 bytes"),
        ("transfer-encoding: chunked", "5\r\nok", "after 2 bytes"),
        ("transfer-encoding: chunked", "2\r\nok\r\nnonsense\r\n", "after 2 bytes"),
        ("transfer-encoding: chunked", "2\r\nokay\r\n0\r\n\r\n", "after 2 bytes"),
        ("transfer-encoding: chunked", "fffffffffffffffff\r\nok", "after 0 bytes"),
    ];
    for (field, body, told) in cut {
        let bytes = format!("HTTP/1.1 200 OK\r\n{field}\r\n\r\n{body}");
        let error = asked("GET /", bytes.as_bytes()).await.unwrap().expect_err(body);
        assert!(error.contains(told), "{body}: {error}");
    }
}

#[tokio::test]
async fn a_reset_within_an_unframed_body_is_no_end() {
    let (script, upstreams) = (Script::open().await, Upstreams::new());
    let spec = script.spec();
    let (heard, hears) = tokio::sync::oneshot::channel();
    let server = async {
        let mut peer = script.accept().await;
        peer.answers("HTTP/1.0 200 OK\r\n\r\nsome").await;
        hears.await.unwrap();
        peer.resets();
    };
    let client = async {
        let ask = upstreams.ask(&spec, bare("GET /", &[]), AskOptions::default());
        let inbound = ask.await.unwrap();
        heard.send(()).unwrap();
        read(inbound).await.err().expect("a fault")
    };
    let error = join!(server, client).1;
    assert!(matches!(BodyFault::of(&error), Some(BodyFault::Incomplete { .. })), "{error}");
}

#[tokio::test]
async fn interim_answers_are_told_and_not_merged() {
    let (script, upstreams) = (Script::open().await, Upstreams::new());
    let spec = script.spec();
    let server = async {
        let mut peer = script.accept().await;
        let hints = "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\nlink: </b>\r\n\r\n";
        peer.answers(&format!("HTTP/1.1 102 Processing\r\nx: 1\r\n\r\n{hints}")).await;
        peer.says("HTTP/1.1 100 Continue\r\n\r\n").await;
        peer.says("HTTP/1.1 200 OK\r\nlink: </c>\r\ncontent-length: 2\r\n\r\nok").await;
        // Nobody listens to these; they do no harm.
        peer.answers(&format!("{hints}HTTP/1.1 204 No Content\r\n\r\n")).await;
    };
    let client = async {
        let told = Arc::new(Mutex::new(Vec::new()));
        let ear = Arc::clone(&told);
        let options = AskOptions {
            on_interim: Some(Arc::new(move |interim| {
                let links = interim.fields.get_all("link").iter().count();
                ear.lock().unwrap().push((interim.status.as_u16(), links));
            })),
            ..AskOptions::default()
        };
        let ask = upstreams.ask(&spec, bare("GET /", &[]), options);
        let answer = read(ask.await.unwrap()).await.unwrap();
        assert_eq!((answer.status, answer.fields.len()), (200, 2));
        assert_eq!(answer.fields.get("link").unwrap(), "</c>");
        assert_eq!(*told.lock().unwrap(), [(102, 0), (103, 2)]);
        let answer = fetch(&upstreams, &spec, bare("GET /", &[])).await.unwrap();
        assert_eq!((answer.status, answer.fields.len()), (204, 0));
    };
    join!(server, client);
}

/// Bytes that begin like an answer and go wrong somewhere, or nowhere.
fn answers() -> impl Strategy<Value = Vec<u8>> {
    let line = prop_oneof![
        Just("HTTP/1.1 200 OK\r\n".to_owned()),
        Just("HTTP/1.0 200 OK\r\n".to_owned()),
        (0_u16..1_000).prop_map(|code| format!("HTTP/1.1 {code} x\r\n")),
        "HTTP/1.[01] [0-9]{3}[ -~]{0,9}\r?\n",
    ];
    let field = prop_oneof![
        Just("transfer-encoding: chunked\r\n".to_owned()),
        (0_u64..20).prop_map(|length| format!("content-length: {length}\r\n")),
        Just("connection: close\r\n".to_owned()),
        Just("upgrade: x\r\n".to_owned()),
        "[a-z-]{0,9}: ?[ -~]{0,9}\r?\n",
        ".{0,9}\r\n",
    ];
    let body = prop_oneof![
        "[0-9a-f]{1,3}(;[ -~]{0,4})?\r\n[ -~]{0,20}\r\n0\r\n(x: y\r\n)?\r\n"
            .prop_map(String::into_bytes),
        prop::collection::vec(any::<u8>(), 0..40),
    ];
    let shaped =
        (line, prop::collection::vec(field, 0..4), body).prop_map(|(line, fields, body)| {
            let mut bytes = format!("{line}{}\r\n", fields.concat()).into_bytes();
            bytes.extend_from_slice(&body);
            bytes
        });
    prop_oneof![4 => shaped, 1 => prop::collection::vec(any::<u8>(), 0..200)]
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(512)
    })]

    #[test]
    fn whatever_an_origin_says_ends_in_an_answer_or_a_fault(
        bytes in answers(),
        line in prop_oneof![Just("GET /"), Just("HEAD /"), Just("POST /")],
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let outcome = runtime.block_on(asked(line, &bytes));
        if let Ok(Ok(body)) = outcome {
            prop_assert!(body.len() <= bytes.len());
        }
    }
}
