//! Three sentinels over a master and a replica: who the master is, before and after a failover.

use std::sync::Arc;

use redis::FromRedisValue;
use tokio::time::Instant;

use super::super::config::{Config, Layout};
use super::super::samples::{AMPLE, Redis, Tended, config, free_port, wait_for};
use super::super::{Server, Slot, TierFault, Told};

struct Watched {
    master: Redis,
    replica: Redis,
    sentinels: Vec<Redis>,
}

impl Watched {
    fn start() -> Self {
        let master = Redis::start(&[]).ready();
        let of = master.port().to_string();
        let replica = Redis::start(&["--replicaof", "127.0.0.1", &of]).ready();
        let sentinel = |_| {
            let port = free_port();
            let file = format!(
                "sentinel=port {port}\nbind 127.0.0.1\nrequirepass watch\n\
                 sentinel sentinel-pass watch\n\
                 sentinel monitor shop 127.0.0.1 {of} 2\n\
                 sentinel down-after-milliseconds shop 1000\n\
                 sentinel failover-timeout shop 5000\n"
            );
            Redis::start_at(port, &[&file]).ready()
        };
        let watched = Self { master, replica, sentinels: (0..3).map(sentinel).collect() };
        for sentinel in &watched.sentinels {
            wait_for("sentinels that know each other", || {
                let said: Vec<String> = ask(sentinel, &["SENTINEL", "MASTER", "shop"]);
                let knows =
                    |name: &str, count: &str| said.chunks(2).any(|pair| pair == [name, count]);
                (knows("num-slaves", "1") && knows("num-other-sentinels", "2")).then_some(())
            });
        }
        watched
    }

    fn config(&self) -> Config {
        let sentinels = self.sentinels.iter().map(Redis::address).collect();
        let mut config = config(Layout::Sentinel { sentinels, service: "shop".to_owned() });
        config.sentinel_login.password = Some("watch".to_owned());
        config
    }
}

fn ask<T: FromRedisValue>(sentinel: &Redis, command: &[&str]) -> T {
    let url = format!("redis://:watch@127.0.0.1:{}/", sentinel.port());
    let mut connection = redis::Client::open(url).unwrap().get_connection().unwrap();
    redis::Cmd::new().arg(command).query(&mut connection).unwrap()
}

fn only(tended: &Tended) -> Arc<Server> {
    tended.servers.master(Slot::of(b"any")).unwrap()
}

/// The sentinels take their time to agree. From then on it is ours.
#[track_caller]
fn followed(tended: &Tended, watched: &Watched, master: &Redis) {
    wait_for("sentinels that agree", || {
        let named: (String, u16) =
            ask(&watched.sentinels[2], &["SENTINEL", "GET-MASTER-ADDR-BY-NAME", "shop"]);
        (named.1 == master.port()).then_some(())
    });
    let begun = Instant::now();
    wait_for("the new master", || {
        let now = tended.servers.master(Slot::of(b"any")).ok()?;
        (now.is_up() && *now.address() == master.address()).then_some(())
    });
    assert!(begun.elapsed().as_secs() < 3, "{:?}", begun.elapsed());
}

fn set() -> redis::Cmd {
    let mut set = redis::Cmd::new();
    set.arg("SET").arg("a").arg("1");
    set
}

#[tokio::test]
async fn the_master_is_followed() {
    let mut watched = Watched::start();
    let mut wanted = watched.config();
    wanted.replicas = true;
    let tended = Tended::new(&wanted);
    tended.up(1);
    assert!(!tended.servers.is_cluster());
    let before = only(&tended);
    assert_eq!(*before.address(), watched.master.address());
    let () = before.call(&set(), AMPLE).await.unwrap();
    let replica = wait_for("the replica", || {
        tended.servers.suspect();
        tended.servers.replica(Slot::of(b"any"))
    });
    assert_eq!(*replica.address(), watched.replica.address());
    let refused = replica.call::<()>(&set(), AMPLE).await.unwrap_err();
    assert_eq!(refused.code(), Some("READONLY"));

    // A failover that somebody asked for: the old master goes on as a replica.
    let () = ask(&watched.sentinels[1], &["SENTINEL", "FAILOVER", "shop"]);
    followed(&tended, &watched, &watched.replica);
    let () = only(&tended).call(&set(), AMPLE).await.unwrap();

    // And one because the master is gone; the first sentinel with it.
    wait_for("the old master as replica", || {
        let role: redis::Value = watched.master.ask(&["ROLE"]).ok()?;
        let parts = role.as_sequence()?;
        let state: String = redis::from_redis_value_ref(parts.get(3)?).ok()?;
        (state == "connected").then_some(())
    });
    watched.sentinels[0].freeze();
    watched.replica.kill();
    followed(&tended, &watched, &watched.master);
    let () = only(&tended).call(&set(), AMPLE).await.unwrap();
}

#[tokio::test]
async fn a_name_that_nobody_knows_is_told_once() {
    let watched = Watched::start();
    let mut wanted = watched.config();
    wanted.layout = match wanted.layout {
        Layout::Sentinel { sentinels, .. } => {
            Layout::Sentinel { sentinels, service: "other".to_owned() }
        }
        other => other,
    };
    let tended = Tended::new(&wanted);
    let told = wait_for("word of it", || {
        let told = tended.told();
        (!told.is_empty()).then_some(told)
    });
    let [Told::Unfound { why }] = told.as_slice() else { panic!("{told:?}") };
    assert!(why.contains("no master is called other"), "{why}");
    assert_eq!(tended.servers.master(Slot::of(b"a")).err(), Some(TierFault::Unserved));
}
