//! Addresses of a host "by name": the system's way (/etc/hosts, nsswitch), or its emulation in the test
//! harness, where /etc/hosts is never read.

use super::resolver::{Query, Resolver};
use super::types::{Outcome, RecordType};
use crate::sys::addrinfo::{self, LookupError};
use crate::sys::net::Family;
use bstr::{BString, ByteSlice};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The result of a lookup by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ByName {
    /// The canonical name and the addresses, at least one.
    Found { name: BString, addresses: Vec<IpAddr> },
    /// No such host (HOST_NOT_FOUND).
    NotFound,
    /// No address of this family (NO_DATA).
    NoData,
    /// TRY_AGAIN
    Again,
    /// NO_RECOVERY, and anything else.
    Fail(String),
}

impl Resolver {
    /// Addresses of one family, the way gethostbyname would find them. The reference asks for IPv6
    /// first, then for IPv4.
    pub fn host_by_name(&self, name: &[u8], family: Family) -> ByName {
        if self.is_test() {
            return self.fake_by_name(name, family);
        }
        match addrinfo::by_name(name, Some(family)) {
            Ok(found) => ByName::Found { name: found.canonical, addresses: found.addresses },
            Err(LookupError::NotFound) => ByName::NotFound,
            Err(LookupError::NoData) => ByName::NoData,
            Err(LookupError::Again) => ByName::Again,
            Err(LookupError::Fail(text)) => ByName::Fail(text),
        }
    }

    fn fake_by_name(&self, name: &[u8], family: Family) -> ByName {
        if name.eq_ignore_ascii_case(b"localhost") {
            let ip = match family {
                Family::V4 => IpAddr::V4(Ipv4Addr::LOCALHOST),
                Family::V6 => IpAddr::V6(Ipv6Addr::LOCALHOST),
            };
            return ByName::Found { name: name.into(), addresses: vec![ip] };
        }
        if let Some(ip) = name.to_str().ok().and_then(|s| s.parse::<IpAddr>().ok()) {
            return if Family::of(&ip) == family {
                ByName::Found { name: name.into(), addresses: vec![ip] }
            } else {
                ByName::NotFound
            };
        }
        let rtype = match family {
            Family::V4 => RecordType::A,
            Family::V6 => RecordType::Aaaa,
        };
        let answer = self.lookup(&Query::new(name, rtype));
        match answer.outcome {
            Outcome::Found => {
                let addresses = answer.of_type(rtype).filter_map(|r| r.data.address()).collect();
                ByName::Found { name: answer.name, addresses }
            }
            Outcome::NoMatch => ByName::NotFound,
            Outcome::NoData => ByName::NoData,
            Outcome::Again => ByName::Again,
            Outcome::Fail => ByName::Fail("unrecoverable name server error".into()),
        }
    }

    /// The name of an address the system's way (`host_lookup_order = byaddr`); in the test harness by
    /// PTR records. `Found` then has the name and the address asked for.
    pub fn host_by_address(&self, ip: IpAddr) -> ByName {
        if self.is_test() {
            let answer = self.reverse(ip, false);
            return match answer.outcome {
                Outcome::Found => match answer.of_type(RecordType::Ptr).find_map(|r| r.data.name()) {
                    Some(name) => ByName::Found { name: name.into(), addresses: vec![ip] },
                    None => ByName::NoData,
                },
                Outcome::NoMatch => ByName::NotFound,
                Outcome::NoData => ByName::NoData,
                Outcome::Again => ByName::Again,
                Outcome::Fail => ByName::Fail("unrecoverable name server error".into()),
            };
        }
        match addrinfo::by_address(ip) {
            Ok(name) => ByName::Found { name, addresses: vec![ip] },
            Err(LookupError::NotFound) => ByName::NotFound,
            Err(LookupError::NoData) => ByName::NoData,
            Err(LookupError::Again) => ByName::Again,
            Err(LookupError::Fail(text)) => ByName::Fail(text),
        }
    }
}
