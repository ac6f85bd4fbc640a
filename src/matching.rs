//! Lists (manual chapter 10): string, domain, local part, address and host lists, named lists, and their caches.

use std::net::IpAddr;

use crate::context::Context;
use crate::expand::Template;
use crate::text::Text;

/// Results of named lists for the address and host in hand.
#[derive(Clone, Debug, Default)]
pub struct ListCache {}

/// What a list says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Match {
    /// It holds the thing.
    Yes,
    /// It does not.
    No,
    /// A lookup in it deferred.
    Defer(String),
}

fn missing() -> Match {
    Match::Defer("lists are not implemented".into())
}

/// Is the domain in the list?
pub fn match_domain(_: &mut Context, _: &Text, _: &Template, _: Option<&mut Option<Text>>) -> Match {
    missing()
}

/// Is the local part in the list?
pub fn match_local_part(_: &mut Context, _: &Text, _: &Template, _: Option<&mut Option<Text>>) -> Match {
    missing()
}

/// Is the address in the list?
pub fn match_address(_: &mut Context, _: &Text, _: &Template, _: Option<&mut Option<Text>>) -> Match {
    missing()
}

/// Is a host with this name and address in the list?
pub fn match_host_named(_: &mut Context, _: &Text, _: Option<IpAddr>, _: &Template) -> Match {
    missing()
}

/// Does the address match this one pattern (not a list)? For retry and rewriting rules.
pub fn match_address_item(_: &mut Context, _: &Text, _: &Template) -> Match {
    missing()
}

/// Is the session's host in the list?
pub fn match_host(_: &mut Context, _: &Template) -> Match {
    missing()
}

/// Does a key match a line of a wildlsearch file?
pub fn match_pattern_string(_: &mut Context, _: &Text, _: &[u8], _: bool) -> Result<bool, String> {
    Err("lists are not implemented".into())
}

/// Addresses and networks.
pub mod net {
    use std::net::IpAddr;
    /// The address.
    pub fn parse_ip(s: &[u8]) -> Option<IpAddr> {
        std::str::from_utf8(s).ok()?.parse().ok()
    }
    /// A network.
    pub struct Network;
    impl Network {
        /// Parses.
        pub fn parse(_: &[u8]) -> Option<Self> {
            None
        }
        /// Contains.
        pub fn contains(&self, _: IpAddr) -> bool {
            false
        }
    }
}
