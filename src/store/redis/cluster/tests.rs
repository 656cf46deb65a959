use super::*;

fn asked() -> Address {
    at("asked", 7_000)
}

fn at(host: &str, port: u16) -> Address {
    Address { host: host.to_owned(), port }
}

fn parsed(text: &str, replicas: bool) -> Option<View> {
    let wire = text.split_whitespace().collect::<Vec<_>>().join("\r\n") + "\r\n";
    read(&redis::parse_redis_value(wire.as_bytes()).unwrap(), &asked(), replicas)
}

const TWO: &str = "*3 \
    *4 :5461 :16383 *2 $1 b :7001 *2 $1 d :7003 \
    *3 :0 :100 *2 $1 a :7000 \
    *3 :102 :5460 *2 $1 a :7000";

#[test]
fn shards_are_gathered_in_order() {
    let View(shards) = parsed(TWO, true).unwrap();
    let a =
        Shard { master: at("a", 7_000), replicas: vec![], ranges: vec![(0, 100), (102, 5_460)] };
    let b = Shard {
        master: at("b", 7_001),
        replicas: vec![at("d", 7_003)],
        ranges: vec![(5_461, 16_383)],
    };
    assert_eq!(shards, [a, b]);
}

#[test]
fn replicas_are_left_out_where_nobody_reads_them() {
    let View(shards) = parsed(TWO, false).unwrap();
    assert!(shards.iter().all(|shard| shard.replicas.is_empty()));
}

#[test]
fn a_node_without_a_name_is_where_the_one_asked_is() {
    for name in ["$-1", "$0 "] {
        let text = format!("*1 *3 :0 :5 *2 {name} :7009");
        let wire = text.replace(' ', "\r\n") + "\r\n";
        let value = redis::parse_redis_value(wire.as_bytes()).unwrap();
        let View(shards) = read(&value, &asked(), true).unwrap();
        assert_eq!(shards[0].master, at("asked", 7_009), "{name}");
    }
    let with_ip = "*1 *3 :0 :5 *4 $1 ? :7009 $2 id *2 $2 ip $7 1.2.3.4";
    assert_eq!(parsed(with_ip, true).unwrap().0[0].master, at("1.2.3.4", 7_009));
    let without = "*1 *3 :0 :5 *4 $1 ? :7009 $2 id *0";
    assert_eq!(parsed(without, true).unwrap().0[0].master, at("asked", 7_009));
}

#[test]
fn what_makes_no_sense_is_refused_as_a_whole() {
    for wrong in [
        ":1",
        "*1 :1",
        "*1 *2 :0 :1",
        "*1 *3 :1 :0 *2 $1 a :7000",
        "*1 *3 :0 :16384 *2 $1 a :7000",
        "*1 *3 :-1 :3 *2 $1 a :7000",
        "*1 *3 :0 :3 *2 $1 a :0",
        "*1 *3 :0 :3 *2 $1 a :70000",
        "*1 *3 :0 :3 *1 $1 a",
        "*2 *3 :0 :3 *2 $1 a :7000 *3 :3 :9 *2 $1 b :7000",
    ] {
        assert_eq!(parsed(wrong, true), None, "{wrong}");
    }
    let many = (0..1_001).map(|n| format!("*3 :{n} :{n} *2 $1 a :{}", n + 1));
    let many = format!("*1001 {}", many.collect::<Vec<_>>().join(" "));
    assert_eq!(parsed(&many, true), None);
}

#[test]
fn the_state_is_read() {
    assert!(serves("cluster_enabled:1\r\ncluster_state:ok\r\ncluster_slots_ok:16384\r\n"));
    assert!(!serves("cluster_state:fail\r\n"));
    assert!(!serves(""));
}
