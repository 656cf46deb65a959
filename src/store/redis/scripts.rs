//! The scripts that run inside a server, each a whole program: what it may do, what several need,
//! its own text, which names its keys and arguments. What they free or order must work when memory
//! is full, so all but [`PUT`] may go beyond `maxmemory`. None may touch keys of two slots.

use super::script::Script;

/// The latest number for a member that has checked in; the members, or its heartbeat as well.
pub static HEAD: Script = Script::told_run(concat!(
    "#!lua flags=allow-oom\n",
    include_str!("scripts/prelude.lua"),
    include_str!("scripts/head.lua")
));

/// Makes a server that nobody knows the fleet's, in a new turn.
pub static ADOPT: Script = Script::new(concat!(
    "#!lua flags=allow-oom\n",
    include_str!("scripts/prelude.lua"),
    include_str!("scripts/adopt.lua")
));

/// A member has repeated what this server may have lost.
pub static CHECK_IN: Script = Script::new(concat!(
    "#!lua flags=allow-oom\n",
    include_str!("scripts/prelude.lua"),
    include_str!("scripts/check_in.lua")
));

/// A turn counts as clean although somebody did not come back in time.
pub static SETTLE: Script = Script::new(concat!(
    "#!lua flags=allow-oom\n",
    include_str!("scripts/prelude.lua"),
    include_str!("scripts/settle.lua")
));

/// A member leaves, or those are taken out that have been silent for long.
pub static LEAVE: Script = Script::new(concat!(
    "#!lua flags=allow-oom\n",
    include_str!("scripts/prelude.lua"),
    include_str!("scripts/leave.lua")
));

/// Numbers orders, notes them in the log with their fences, and tells everybody.
pub static ORDER: Script = Script::new(concat!(
    "#!lua flags=allow-oom\n",
    include_str!("scripts/prelude.lua"),
    include_str!("scripts/order.lua")
));

/// Frame, variants, tombstone and lease of an identity.
pub static LOOK: Script = Script::told_run(concat!(
    "#!lua flags=allow-oom\n",
    include_str!("scripts/prelude.lua"),
    include_str!("scripts/look.lua")
));

/// Puts a frame unless something newer speaks against it. Fails when memory is full.
pub static PUT: Script = Script::told_run(concat!(
    "#!lua\n",
    include_str!("scripts/prelude.lua"),
    include_str!("scripts/put.lua")
));

/// Gives a lease back.
pub static RELEASE: Script =
    Script::new(concat!("#!lua flags=allow-oom\n", include_str!("scripts/release.lua")));

/// The tombstone of a key, and everything away that stands under it.
pub static ERASE: Script = Script::new(concat!(
    "#!lua flags=allow-oom\n",
    include_str!("scripts/prelude.lua"),
    include_str!("scripts/erase.lua")
));

/// Takes a frame away that is still the one which was looked at.
pub static UNLINK: Script =
    Script::new(concat!("#!lua flags=allow-oom\n", include_str!("scripts/unlink.lua")));

/// The lease of an identity whose frame is of no use.
pub static LEASE: Script = Script::new(concat!(
    "#!lua flags=allow-oom\n",
    include_str!("scripts/prelude.lua"),
    include_str!("scripts/lease.lua")
));

/// Forgets fences that no frame can be behind any more.
pub static RETIRE: Script = Script::new(concat!(
    "#!lua flags=allow-oom\n",
    include_str!("scripts/prelude.lua"),
    include_str!("scripts/retire.lua")
));

/// A lease's fetch still runs.
pub static RENEW: Script =
    Script::new(concat!("#!lua flags=allow-oom\n", include_str!("scripts/renew.lua")));

/// The run id of a server that can serve.
pub static WHO: Script = Script::new(concat!(
    "#!lua flags=no-writes\n",
    include_str!("scripts/prelude.lua"),
    include_str!("scripts/who.lua")
));
