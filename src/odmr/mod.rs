//! On-Demand Mail Relay (RFC 2645): a customer without a fixed address connects, says ATRN, and the two hosts change
//! places on that connection; the provider then sends it the mail that waits for its domains.
//!
//! `smtp_in::atrn` is the provider's command and calls [`provider`]; `exim -atrn` is the customer and calls [`customer`].
//! The `atrn_domains` condition asks [`provider::look`]. Neither side ever makes a second connection, and a message that
//! has recipients elsewhere keeps those on its queue.

pub mod customer;
pub mod provider;

use std::os::fd::OwnedFd;

use bstr::BString;

use crate::text::Text;
use crate::tls_openssl::TlsStream;

/// Which of the two we are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The mail is here.
    Provider,
    /// We fetch it.
    Customer,
}

impl Side {
    /// `$atrn_mode`
    pub fn letter(self) -> &'static str {
        match self {
            Side::Provider => "P",
            Side::Customer => "C",
        }
    }
}

/// That routing is done for ATRN.
#[derive(Clone, Debug)]
pub struct Turn {
    /// `$atrn_mode`
    pub side: Side,
    /// `$atrn_host`: the customer's address and port as a host list has them; unset for the customer itself.
    pub host: Option<Text>,
}

/// What the ACL has found to be waiting.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The domain list, expanded.
    pub domains: Text,
    /// The queue that was looked at.
    pub queue: BString,
}

/// An open connection while it passes from one side's hands to the other's.
pub enum Line {
    /// In clear.
    Clear(OwnedFd),
    /// Over TLS.
    Secure(Box<TlsStream>),
}
