//! Rules that change a hundred times under load, in every way they can: no request fails, no
//! connection is lost, no entry is forgotten, and rules that are wrong change nothing.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use cistern::admin::tokens::Role;

use crate::support::cistern::{Cistern, in_front_of};
use crate::support::client::{ask, get};
use crate::support::patience::Patience;
use crate::support::stage::{Stage, message};
use crate::support::wire::Wire;

/// Rules whose version shows in what is said of `/marked`.
fn rules(version: usize) -> String {
    format!(
        "version = 1\n[[route]]\nname = \"kept\"\nmatch = \"GET /kept/{{id}}\"\n\
         key = \"kept:{{id}}\"\nttl = \"5m\"\n[[route]]\nname = \"v{version}\"\n\
         match = \"GET /marked\"\nkey = \"marked\"\nttl = \"{}s\"\n",
        60 + version
    )
}

fn wrong(version: usize) -> String {
    format!("{}wrong_{version} = 1\n", rules(version))
}

/// A folder of its own for rules that come from outside the story's.
fn folder(name: &str) -> PathBuf {
    let folder =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("rules-{name}-{}", std::process::id()));
    fs::remove_dir_all(&folder).ok();
    fs::create_dir_all(&folder).unwrap();
    folder
}

struct Node {
    cistern: Cistern,
    admin: String,
    token: String,
}

impl Node {
    fn start(stage: &Stage, rules: &Path) -> Self {
        let setup = in_front_of(stage.address()).setting("CISTERN_LOG__ACCESS", "off");
        let path = rules.to_str().expect("a plain path");
        let (setup, token) = setup.argument("--rules").argument(path).token(Role::Operate);
        let cistern = setup.start();
        let admin = cistern.admin();
        for id in 0..10 {
            cistern.get(&format!("/kept/{id}"));
        }
        cistern.get("/marked");
        Self { cistern, admin, token }
    }

    fn call(&self, method: &str, call: &str) -> Value {
        let target = format!("/api/v1/admin/{call}");
        ask(method, &target).bearer(&self.token).host(&self.admin).to(&self.admin).json()
    }

    /// Waits until the rules were read so often and this is what came of it.
    fn reads(&self, wanted: impl Fn(&Value) -> bool) {
        let patience = Patience::begins();
        loop {
            let status = self.call("GET", "rules/status");
            if wanted(&status) {
                return;
            }
            assert!(patience.lasts(), "the rules were not read: {status}");
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn now_follows(&self, version: usize) {
        let marked = self.cistern.get("/marked").with_status(200).served_from_store();
        let said = marked.cache_status();
        assert!(said.contains(&format!("rule=v{version}")), "not version {version}: {said}");
    }

    /// `count` times: good rules, and then wrong ones, put in place by `put`.
    fn follows(&self, count: usize, put: impl Fn(&str, usize)) {
        for version in 1..=count {
            put(&rules(version), version);
            let name = format!("v{version}");
            self.reads(|status| {
                status["ok"] == true && self.call("GET", "rules").to_string().contains(&name)
            });
            self.now_follows(version);
            put(&wrong(version), version);
            let told = format!("wrong_{version} ");
            let told_at_end = format!("wrong_{version}\\");
            self.reads(|status| {
                let errors = status["errors"].to_string();
                status["ok"] == false && (errors.contains(&told) || errors.contains(&told_at_end))
            });
            // Said loudly, and nothing has changed.
            self.cistern.says(&format!("wrong_{version}"));
            self.now_follows(version);
        }
    }
}

/// Clients that ask all the time, each on one connection that must last.
fn under_load(node: &Node, work: impl FnOnce()) {
    let (done, served) = (AtomicBool::new(false), AtomicUsize::new(0));
    let address = node.cistern.address();
    thread::scope(|scope| {
        for client in 0..4 {
            let (done, served) = (&done, &served);
            scope.spawn(move || {
                let mut wire = Wire::open(address);
                for turn in 0.. {
                    if done.load(Ordering::Relaxed) {
                        return;
                    }
                    let what = match turn % 4 {
                        0 => format!("GET /fresh/{client}-{turn}"),
                        1 => format!("PUT /written/{client}"),
                        _ => format!("GET /kept/{}", turn % 10),
                    };
                    wire.asks(&what, if turn % 4 == 1 { &["Content-Length: 0"] } else { &[] });
                    let (head, body) = wire.answer();
                    assert_eq!((head.status, body.as_str()), (200, "x"), "{what}");
                    let said = head.field("cache-status").unwrap_or_default();
                    let kept = what.starts_with("GET /kept");
                    assert!(!kept || said.contains("; hit"), "{what} was forgotten: {said}");
                    served.fetch_add(1, Ordering::Relaxed);
                    // The pace of a steady load; nothing waits for it.
                    thread::sleep(Duration::from_millis(1));
                }
            });
        }
        // A story that fails in the middle must still let the clients go.
        let end = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
        done.store(true, Ordering::Relaxed);
        if let Err(cause) = end {
            std::panic::resume_unwind(cause);
        }
    });
    assert!(served.load(Ordering::Relaxed) > 100, "that was no load");
}

fn origin() -> Stage {
    Stage::with(|_| Some(message(200, &["Cache-Control: max-age=60"], "x")))
}

/// Puts a file in place the way editors do.
fn renamed(file: &Path, text: &str) {
    let beside = file.with_extension("new");
    fs::write(&beside, text).unwrap();
    fs::rename(beside, file).unwrap();
}

#[test]
fn rules_change_by_rename_under_load() {
    let (stage, folder) = (origin(), folder("rename"));
    let file = folder.join("rules.toml");
    fs::write(&file, rules(0)).unwrap();
    let node = Node::start(&stage, &file);
    under_load(&node, || node.follows(10, |text, _| renamed(&file, text)));
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn rules_change_by_symlink_under_load() {
    let (stage, folder) = (origin(), folder("symlink"));
    // As Kubernetes mounts a ConfigMap: the file leads through `..data` to a folder with a date.
    let put = |text: &str, name: &str| {
        fs::create_dir(folder.join(name)).unwrap();
        fs::write(folder.join(name).join("rules.toml"), text).unwrap();
        symlink(name, folder.join("..data_tmp")).unwrap();
        fs::rename(folder.join("..data_tmp"), folder.join("..data")).unwrap();
    };
    put(&rules(0), "..first");
    symlink("..data/rules.toml", folder.join("rules.toml")).unwrap();
    let node = Node::start(&stage, &folder);
    under_load(&node, || {
        let count = AtomicUsize::new(0);
        node.follows(10, |text, _| {
            let number = count.fetch_add(1, Ordering::Relaxed);
            put(text, &format!("..{number}"));
            let gone = number.checked_sub(1).map_or("..first".to_owned(), |n| format!("..{n}"));
            fs::remove_dir_all(folder.join(gone)).unwrap();
        });
    });
    drop(node);
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn rules_change_by_hangup_under_load() {
    let (stage, folder) = (origin(), folder("hangup"));
    let file = folder.join("rules.toml");
    fs::write(&file, rules(0)).unwrap();
    let node = Node::start(&stage, &file);
    under_load(&node, || {
        node.follows(15, |text, _| {
            renamed(&file, text);
            node.cistern.signal("HUP");
        });
    });
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn rules_change_by_call_under_load() {
    let (stage, folder) = (origin(), folder("call"));
    let file = folder.join("rules.toml");
    fs::write(&file, rules(0)).unwrap();
    let node = Node::start(&stage, &file);
    under_load(&node, || {
        node.follows(15, |text, version| {
            renamed(&file, text);
            let good = text == rules(version);
            let status = node.call("POST", "rules/reload");
            assert_eq!(status["ok"], Value::Bool(good), "{status}");
        });
    });
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn who_waits_is_served_by_the_rules_it_began_with() {
    let stage = Stage::start();
    let folder = folder("waits");
    let file = folder.join("rules.toml");
    fs::write(&file, rules(0)).unwrap();
    let path = file.to_str().unwrap();
    let setup = in_front_of(stage.address()).argument("--rules").argument(path);
    let (setup, token) = setup.token(Role::Operate);
    let cistern = setup.start();
    let asked = cistern.begin(&get("/kept/1"));
    let slow = stage.expects("GET /kept/1");
    fs::write(&file, rules(1).replace("kept:", "other:")).unwrap();
    let admin = cistern.admin();
    let call = ask("POST", "/api/v1/admin/rules/reload").bearer(&token).host(&admin).to(&admin);
    assert_eq!(call.json()["ok"], true);
    slow.answers(message(200, &[], "x"));
    assert_eq!(asked.finish().with_status(200).key().as_deref(), Some("kept:1"));
    let after = cistern.begin(&get("/kept/1"));
    stage.expects("GET /kept/1").answers(message(200, &[], "y"));
    assert_eq!(after.finish().key().as_deref(), Some("other:1"));
    fs::remove_dir_all(folder).unwrap();
}
