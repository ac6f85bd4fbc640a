//! SMTP and LMTP as a client: connections, the dialogue, TLS, AUTH, and the hints about messages that wait for hosts.
//!
//! For the smtp and lmtp transports, callouts and cutthrough delivery. In short: [`setup::open`] gives an [`Opened`]
//! whose [`Client`] is ready for MAIL; [`Client::mail`], [`Client::rcpt`] and [`Client::expect`] go on; every failure is
//! a [`Fault`], which [`Client::trouble`] turns into the reference's words and error numbers.

pub mod auth;
pub mod client;
pub mod connect;
pub mod dane;
pub mod dscp;
pub mod features;
pub mod opened;
pub mod options;
pub mod pipe_connect;
pub mod reply;
pub mod requiretls;
mod session_start;
pub mod setup;
pub mod socks;
pub mod tls;
pub mod trouble;
pub mod waiting;
pub mod wire;

pub use client::{Client, Send};
pub use features::Features;
pub use opened::Opened;
pub use reply::Reply;
pub use setup::{Plan, SetupError, open};
pub use trouble::{Fault, Trouble};

use crate::config::options::Str;
use crate::context::Context;
use crate::matching::{self, Match};
use crate::route::HostItem;

/// Is the host in the list of the option? An unset list holds nobody; one that cannot be tested counts as no.
pub fn in_hosts(ctx: &mut Context, name: &str, list: &Str, host: &HostItem) -> bool {
    if list.raw() == Some(b"*") {
        return true;
    }
    matching::match_option_host(ctx, name, list, &host.name, host.address) == Match::Yes
}
