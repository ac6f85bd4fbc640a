//! The resolver: questions to name servers, answers as typed records.
//!
//! Blocking, usable from many threads at once ([`Resolver`] is shared by reference), with a cache for
//! the process. hickory-proto is the wire codec; none of its types are seen outside. What is decided by
//! lists of the configuration (`dns_again_means_nonexist`, `dns_ipv4_lookup`, `dns_trust_aa`) is decided
//! by the caller; see [`Answer`]. In the test harness questions go to the program `fakens`
//! ([`Settings::test`]).
//!
//! DNSSEC: it tells what the name server says (the AD bit), or, in builds that have [`validate`] and are told to, what it
//! has validated itself.

mod cache;
pub mod dial;
mod fakens;
mod host;
mod name;
pub mod note;
mod parse;
mod resolver;
mod servers;
mod special;
mod types;
#[cfg(feature = "dnssec-validation")]
mod validate;
#[cfg(not(feature = "dnssec-validation"))]
#[path = "no_validation.rs"]
mod validate;
mod wire;

pub use crate::sys::net::Family;
pub use host::ByName;
pub use name::{reverse_labels, reverse_name};
pub use resolver::{Query, Resolver, Settings, TestMode};
pub use special::CsaAnswer;
pub use types::{Answer, Outcome, RData, Record, RecordType};
pub use validate::Validator;
#[cfg(all(feature = "fuzzing", feature = "dnssec-validation"))]
pub use validate::fuzzing;

/// Reads a reply of a name server, for fuzzing: how many records it has.
#[cfg(feature = "fuzzing")]
pub(crate) fn count_records(wire: &[u8]) -> Option<usize> {
    parse::parse(wire).map(|r| r.answers.len() + r.authority.len() + r.additional.len())
}
