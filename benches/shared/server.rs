//! One `redis-server` of this bench: on a free port, in a folder of its own, and killed by its own
//! pid when it is dropped. It writes nothing down.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::wire::Wire;

/// A server that runs.
pub(crate) struct Server {
    child: Child,
    folder: PathBuf,
    /// Where it listens.
    pub(crate) port: u16,
}

impl Server {
    /// An empty one.
    pub(crate) fn start() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("cistern-shared-{}-{count}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        let words = ["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"];
        let child = Command::new("redis-server")
            .args(["--port", &port.to_string()])
            .args(words)
            .arg("--dir")
            .arg(&folder)
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server is missing: install the package redis-server");
        let server = Self { child, folder, port };
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            std::thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(server.wire().say(&["PING"]).text(), "PONG");
        server
    }

    /// A connection to it.
    pub(crate) fn wire(&self) -> Wire {
        Wire::to(self.port)
    }

    /// One figure of `INFO`.
    pub(crate) fn info(&self, section: &str, name: &str) -> f64 {
        let text = self.wire().say(&["INFO", section]).text();
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        value.unwrap().trim().parse().unwrap()
    }

    /// Seconds of processor time that its main thread has had.
    pub(crate) fn cpu(&self) -> f64 {
        self.info("cpu", "used_cpu_user_main_thread") + self.info("cpu", "used_cpu_sys_main_thread")
    }

    /// Bytes that it holds, without the buffers of its clients.
    pub(crate) fn bytes(&self) -> f64 {
        let stats = self.wire().say(&["MEMORY", "STATS"]).parts();
        let figure = |name: &str| {
            let at = stats.iter().step_by(2).position(|one| one.text() == name).unwrap();
            stats[2 * at + 1].number() as f64
        };
        figure("total.allocated") - figure("clients.normal")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
        std::fs::remove_dir_all(&self.folder).ok();
    }
}
