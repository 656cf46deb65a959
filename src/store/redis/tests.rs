//! Real servers, and things that pretend to be some.

mod clusters;
mod heads;
mod logs;
mod outages;
mod pretenders;
mod secure;
mod sentinels;
mod single;
