//! Real servers for tests, and a thread that tends a level. Each server has a free port and a
//! folder of its own, and is killed by its own pid when it is dropped.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use redis::FromRedisValue;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::config::{Address, Config, Layout, Login, WhenDeaf};
use super::{Servers, Told};
use crate::base::units::Span;

static FOLDERS: AtomicU32 = AtomicU32::new(0);

/// Long enough for a busy machine; only a failing test waits that long.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// A deadline that is not what a test is about.
pub(crate) const AMPLE: Span = Span::from_secs(5);

/// A folder that goes with its owner.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        let number = FOLDERS.fetch_add(1, Ordering::Relaxed);
        let name = format!("cistern-redis-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

/// A port nobody listens on at this moment.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

/// A port such that the one 10,000 above it, a cluster node's second, is free as well.
pub(crate) fn free_pair() -> u16 {
    let mut ports = std::iter::repeat_with(free_port);
    ports
        .find(|port| {
            port.checked_add(10_000)
                .is_some_and(|bus| TcpListener::bind(("127.0.0.1", bus)).is_ok())
        })
        .unwrap()
}

/// Asks until `what` gives something.
#[track_caller]
pub(crate) fn wait_for<T>(whatfor: &str, mut what: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = what() {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "{whatfor} did not come");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A `redis-server`.
pub(crate) struct Redis {
    child: Child,
    port: u16,
    options: Vec<String>,
    folder: Folder,
}

impl Redis {
    /// On a free port. It may not take connections yet: [`Redis::ready`] waits for that.
    pub(crate) fn start(options: &[&str]) -> Self {
        Self::start_at(free_port(), options)
    }

    pub(crate) fn start_at(port: u16, options: &[&str]) -> Self {
        let options = options.iter().map(|option| (*option).to_owned()).collect();
        let folder = Folder::new();
        let child = Self::run(port, &options, &folder);
        Self { child, port, options, folder }
    }

    fn run(port: u16, options: &Vec<String>, folder: &Folder) -> Child {
        let mut command = Command::new("redis-server");
        if let Some(("sentinel", file)) = options.first().and_then(|first| first.split_once('=')) {
            fs::write(folder.path().join("sentinel.conf"), file).unwrap();
            command.arg("sentinel.conf").arg("--sentinel");
        } else {
            command.args(["--port", &port.to_string(), "--save", "", "--appendonly", "no"]);
            command.args(["--bind", "127.0.0.1", "--repl-diskless-sync-delay", "0"]);
            command.args(options);
        }
        command.current_dir(folder.path()).stdin(Stdio::null());
        command.stdout(fs::File::create(folder.path().join("log")).unwrap());
        command.spawn().expect("redis-server must be installed")
    }

    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn address(&self) -> Address {
        Address { host: "127.0.0.1".to_owned(), port: self.port }
    }

    /// Waits until it answers anything at all.
    pub(crate) fn ready(self) -> Self {
        wait_for("a server", || {
            std::net::TcpStream::connect(("127.0.0.1", self.port)).ok().map(drop)
        });
        self
    }

    /// One command over a connection of its own, as `default` without a password.
    pub(crate) fn ask<T: FromRedisValue>(&self, command: &[&str]) -> redis::RedisResult<T> {
        let url = format!("redis://127.0.0.1:{}/", self.port);
        let mut connection = redis::Client::open(url)?.get_connection()?;
        redis::Cmd::new().arg(command).query(&mut connection)
    }

    fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        let status = Command::new("kill").args([signal, &pid]).status().unwrap();
        assert!(status.success());
    }

    /// Stops it where it is; connections are accepted by the kernel, and nothing is answered.
    pub(crate) fn freeze(&self) {
        self.signal("-STOP");
    }

    pub(crate) fn thaw(&self) {
        self.signal("-CONT");
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// The same once more, on the same port, after [`Redis::kill`].
    pub(crate) fn restart(&mut self) {
        self.child = Self::run(self.port, &self.options, &self.folder);
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Settings for a test.
pub(crate) fn config(layout: Layout) -> Config {
    Config {
        layout,
        login: Login::default(),
        sentinel_login: Login::default(),
        tls: None,
        db: 0,
        prefix: "cistern:".to_owned(),
        budget: Span::from_millis(20),
        purge_budget: Span::from_millis(100),
        connect_timeout: Span::from_millis(500),
        connections: 2,
        calls_max: 64,
        max_object: 1_024 * 1_024,
        lag_max: Span::from_secs(1),
        when_deaf: WhenDeaf::Revalidate,
        replicas: false,
        journal: None,
    }
}

/// Servers that are tended on a thread of their own, until this is dropped.
pub(crate) struct Tended {
    pub(crate) servers: Servers,
    told: Arc<Mutex<Vec<Told>>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Tended {
    pub(crate) fn new(config: &Config) -> Self {
        let told = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&told);
        let servers = Servers::new(config, move |what| heard.lock().unwrap().push(what)).unwrap();
        let (stop, stopped) = oneshot::channel();
        let tended = servers.clone();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async {
                tokio::select! {
                    () = tended.tend() => {}
                    _ = stopped => {}
                }
            });
        });
        Self { servers, told, stop: Some(stop), thread: Some(thread) }
    }

    pub(crate) fn told(&self) -> Vec<Told> {
        self.told.lock().unwrap().clone()
    }

    /// Waits until every master is up, and there are so many.
    #[track_caller]
    pub(crate) fn up(&self, masters: usize) {
        wait_for("servers that are up", || {
            let now = self.servers.masters();
            (now.len() == masters && now.iter().all(|master| master.is_up())).then_some(())
        });
    }
}

impl Drop for Tended {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            assert!(thread.join().is_ok() || std::thread::panicking());
        }
    }
}
