//! A real `redis-server` for the length of a test, and the scripts of the shared level run in it.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use std::{fs, thread};

use cistern::store::redis::keys::Names;
use redis::{Client, Connection, RedisResult, Value};

/// A server that ends with this value.
pub(crate) struct Redis {
    process: Child,
    folder: PathBuf,
    pub(crate) client: Client,
}

impl Redis {
    /// Starts one on a free port, as a cluster of its own where wanted.
    pub(crate) fn start(is_cluster: bool) -> Self {
        let (port, bus) = (free_port(), free_port());
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("redis-{port}"));
        fs::create_dir_all(&folder).unwrap();
        let mut command = Command::new("redis-server");
        command.args(["--bind", "127.0.0.1", "--save", "", "--port", &port.to_string()]);
        command.arg("--dir").arg(&folder);
        if is_cluster {
            command.args(["--cluster-enabled", "yes", "--cluster-port", &bus.to_string()]);
        }
        let process = command.stdout(Stdio::null()).spawn().expect("redis-server is installed");
        let client = Client::open(format!("redis://127.0.0.1:{port}/")).unwrap();
        let redis = Self { process, folder, client };
        if is_cluster {
            let mut connection = redis.connect();
            let slots = redis::cmd("CLUSTER").arg(&["ADDSLOTSRANGE", "0", "16383"]).to_owned();
            slots.exec(&mut connection).unwrap();
            redis.wait(|connection| {
                let info = redis::cmd("CLUSTER").arg("INFO").query::<String>(connection);
                info.is_ok_and(|info| info.contains("cluster_state:ok"))
            });
        }
        redis
    }

    /// A connection, as soon as the server answers.
    pub(crate) fn connect(&self) -> Connection {
        self.wait(|connection| redis::cmd("PING").query::<String>(connection).is_ok());
        self.client.get_connection().unwrap()
    }

    fn wait(&self, mut is_ready: impl FnMut(&mut Connection) -> bool) {
        for _ in 0..500 {
            if self.client.get_connection().is_ok_and(|mut connection| is_ready(&mut connection)) {
                return;
            }
            thread::sleep(Duration::from_millis(10));
        }
        panic!("redis-server does not answer");
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// What a script is called with.
#[derive(Default)]
pub(crate) struct Call {
    keys: Vec<Vec<u8>>,
    arguments: Vec<Vec<u8>>,
}

impl Call {
    /// With these keys of the order of things.
    pub(crate) fn order(names: &Names, keys: &[&str]) -> Self {
        Self { keys: keys.iter().map(|key| names.order(key)).collect(), arguments: Vec::new() }
    }

    /// With these keys.
    pub(crate) const fn keys(keys: Vec<Vec<u8>>) -> Self {
        Self { keys, arguments: Vec::new() }
    }

    /// With one more key.
    pub(crate) fn on(mut self, key: Vec<u8>) -> Self {
        self.keys.push(key);
        self
    }

    /// With one more argument.
    pub(crate) fn with(mut self, argument: impl Into<Vec<u8>>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// With more arguments.
    pub(crate) fn and<T: Into<Vec<u8>>>(mut self, more: impl IntoIterator<Item = T>) -> Self {
        self.arguments.extend(more.into_iter().map(Into::into));
        self
    }

    /// Runs a script: its reply, flat.
    pub(crate) fn run(&self, script: &str, at: &mut Connection) -> RedisResult<Vec<String>> {
        let script = redis::Script::new(script);
        let mut invocation = script.prepare_invoke();
        for key in &self.keys {
            invocation.key(key);
        }
        for argument in &self.arguments {
            invocation.arg(argument);
        }
        let value: Value = invocation.invoke(at)?;
        let mut out = Vec::new();
        flatten(&value, &mut out);
        Ok(out)
    }
}

/// A reply as a list of texts; lists within it stand in brackets.
fn flatten(value: &Value, out: &mut Vec<String>) {
    match value {
        Value::Array(list) => {
            out.push("[".to_owned());
            for one in list {
                flatten(one, out);
            }
            out.push("]".to_owned());
        }
        Value::BulkString(bytes) => out.push(bytes.escape_ascii().to_string()),
        Value::SimpleString(text) => out.push(text.clone()),
        Value::Int(number) => out.push(number.to_string()),
        Value::Nil => out.push("nil".to_owned()),
        other => panic!("a reply that no script gives: {other:?}"),
    }
}
