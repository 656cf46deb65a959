//! Real servers, and things that pretend to be some.

mod outages;
mod pretenders;
mod single;
