//! What this user may do on a server: asked of its access list in one script, which carries nothing
//! out; and whether messages can be heard.

use tokio::time::timeout;

use super::visit::Visit;
use super::{Finding, problem, warning, well};
use crate::store::redis::config::{Address, Config};
use crate::store::redis::fault::TierFault;
use crate::store::redis::keys::Names;
use crate::store::redis::link::listen;
use crate::store::redis::script::{Script, ScriptCall};
use crate::store::redis::way::{Standing, Way};

static RIGHTS: Script =
    Script::new(concat!("#!lua flags=no-writes\n", include_str!("../scripts/rights.lua")));

/// Every command that is given, in scripts or beside them, with what it needs behind it: `K` is a
/// key, `C` a channel.
const COMMANDS: [&str; 42] = [
    "PING",
    "INFO",
    "TIME",
    "SCAN 0",
    "EVAL s 1 K",
    "EVALSHA s 1 K",
    "SET K v",
    "GET K",
    "MGET K",
    "GETRANGE K 0 1",
    "STRLEN K",
    "EXISTS K",
    "DEL K",
    "UNLINK K",
    "INCRBY K 1",
    "RENAME K K",
    "PTTL K",
    "PEXPIRE K 1",
    "HSET K f v",
    "HSETNX K f v",
    "HGET K f",
    "HMGET K f",
    "HGETALL K",
    "HKEYS K",
    "HLEN K",
    "HEXISTS K f",
    "HDEL K f",
    "HSCAN K 0",
    "SADD K m",
    "SREM K m",
    "SMEMBERS K",
    "SCARD K",
    "XADD K * f v",
    "XTRIM K MINID 1",
    "XRANGE K - +",
    "XREVRANGE K + -",
    "ZADD K 1 m",
    "ZPOPMIN K",
    "ZREMRANGEBYSCORE K 0 1",
    "PUBLISH C m",
    "SUBSCRIBE C",
    "UNSUBSCRIBE C",
];

const OF_WATCHED: [&str; 1] = ["ROLE"];
const OF_CLUSTER: [&str; 3] = ["CLUSTER INFO", "CLUSTER SLOTS", "READONLY"];

/// Whether this user may do all that is done.
pub(super) async fn judge(visit: &Visit, config: &Config, standing: Standing) -> Finding {
    let further = match standing {
        Standing::Single => &[][..],
        Standing::Watched => &OF_WATCHED[..],
        Standing::Cluster => &OF_CLUSTER[..],
    };
    let (key, channel) =
        (format!("{}e:{{doctor}}", config.prefix), Names::new(&config.prefix).channel("orders"));
    let line = |command: &&str| {
        let words = command.split(' ').map(|word| match word {
            "K" => key.as_str(),
            "C" => channel.as_str(),
            word => word,
        });
        words.collect::<Vec<_>>().join("\u{1}").into_bytes()
    };
    let lines: Vec<Vec<u8>> = COMMANDS.iter().chain(further).map(line).collect();
    let args: Vec<&[u8]> = lines.iter().map(Vec::as_slice).collect();
    let call = ScriptCall { script: &RIGHTS, keys: &[], args: &args };
    let user = config.login.user.as_deref().unwrap_or("default");
    told(visit.call(&call.by_text("")).await, lines.len(), user, &config.prefix)
}

fn told(denied: Result<Vec<String>, TierFault>, count: usize, user: &str, prefix: &str) -> Finding {
    let remedy = |commands: &str| {
        format!("ACL SETUSER {user} ~{prefix}* &{prefix}*{commands}, then ACL SAVE")
    };
    match denied {
        Ok(denied) if denied.is_empty() => {
            well("rights", format!("{user} may give all {count} commands that are needed"))
        }
        Ok(denied) => {
            let list = denied.join(", ");
            let found = format!("{user} may not give {list}, or not on keys {prefix}*");
            let plus = |name: &String| format!(" +{}", name.to_ascii_lowercase());
            problem("rights", found, remedy(&denied.iter().map(plus).collect::<String>()))
        }
        Err(fault) if matches!(fault.code(), Some("NOPERM")) => {
            let found = format!("{user} may run no script: {fault}");
            problem("rights", found, remedy(" +@scripting"))
        }
        Err(fault) => {
            let remedy = "see to what it says; scripts are how purges are put in order";
            problem("rights", format!("a script does not run: {fault}"), remedy)
        }
    }
}

/// Whether messages of the fleet can be heard, and what Redis tells of keys.
pub(super) async fn messages(
    way: &Way,
    address: &Address,
    config: &Config,
    names: &Names,
) -> Finding {
    let heard = async {
        let mut hears = listen(way, address).await?;
        hears.subscribe(names.channel("orders")).await?;
        let events = format!("__keyevent@{}__:expired", config.db);
        Ok::<_, TierFault>(hears.subscribe(events).await.map_err(TierFault::from))
    };
    let heard = timeout(way.timeout.to_duration(), heard).await;
    let user = config.login.user.as_deref().unwrap_or("default");
    match heard.unwrap_or(Err(TierFault::Deadline)) {
        Ok(Ok(())) => well("messages", "they can be heard"),
        Ok(Err(fault)) => {
            let found = format!("what Redis lets go of cannot be heard: {fault}");
            let remedy = format!("ACL SETUSER {user} &__keyevent@{}__:*, then ACL SAVE", config.db);
            warning("messages", found, remedy)
        }
        Err(fault) => {
            let found = format!("they cannot be heard, so that news come by the poll: {fault}");
            let remedy =
                format!("ACL SETUSER {user} &{}* +subscribe, then ACL SAVE", config.prefix);
            warning("messages", found, remedy)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::redis::doctor::Severity;
    use crate::store::redis::scripts;

    #[test]
    fn every_command_of_a_script_is_asked_about() {
        let all = [
            &scripts::HEAD,
            &scripts::ADOPT,
            &scripts::CHECK_IN,
            &scripts::SETTLE,
            &scripts::LEAVE,
            &scripts::ORDER,
            &scripts::LOOK,
            &scripts::PUT,
            &scripts::RELEASE,
            &scripts::ERASE,
            &scripts::UNLINK,
            &scripts::LEASE,
            &scripts::RETIRE,
            &scripts::RENEW,
            &scripts::WHO,
        ];
        for script in all {
            let calls = script.text().split("call('").skip(1);
            for call in calls.chain(script.text().split("fit('").skip(1)) {
                let name = call.split('\'').next().unwrap();
                let asked = COMMANDS.iter().any(|one| one.split(' ').next() == Some(name));
                assert!(asked, "{name}");
            }
        }
    }

    #[test]
    fn what_is_denied_is_named_with_the_command_that_allows_it() {
        let some = told(Ok(vec!["XADD".into(), "SCAN".into()]), 9, "ann", "shop:");
        assert_eq!(some.severity, Severity::Problem);
        let remedy = some.remedy.unwrap();
        assert_eq!(remedy, "ACL SETUSER ann ~shop:* &shop:* +xadd +scan, then ACL SAVE");
        let none = told(Err(TierFault::Refused("NOPERM no".into())), 9, "ann", "shop:");
        assert!(none.remedy.unwrap().contains("+@scripting"));
        assert_eq!(told(Ok(Vec::new()), 9, "ann", "p:").severity, Severity::Ok);
    }
}
