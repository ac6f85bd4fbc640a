//! What verification is asked for, and what it says.

use super::CalloutOptions;
use crate::route::address::Failure;
use crate::text::Text;

/// What a verification says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Outcome {
    /// It is good.
    #[default]
    Ok,
    /// It is not.
    Fail,
    /// That cannot be known now.
    Defer,
}

/// How an address is to be verified.
#[derive(Clone, Debug, Default)]
pub struct VerifyOptions {
    /// As a recipient; else as a sender.
    pub recipient: bool,
    /// An unqualified address gets a domain; else it fails.
    pub qualify: bool,
    /// It is not the sender of the message in hand, though verified as a sender.
    pub fake_sender: bool,
    /// Redirection to a single address is success; else that one is verified too.
    pub success_on_redirect: bool,
    /// `quota` was given: ask the mailbox, not only the routers.
    pub quota: Option<super::QuotaOptions>,
    /// Ask the hosts.
    pub callout: Option<CalloutOptions>,
}

/// The result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// What it says.
    pub outcome: Outcome,
    /// Routing worked.
    pub routed: bool,
    /// The postmaster check of a callout failed.
    pub postmaster_failed: bool,
    /// The host refused us, or MAIL FROM:<>.
    pub null_sender_failed: bool,
}

/// A sender address that was verified for the message in hand.
#[derive(Clone, Debug)]
pub struct VerifiedSender {
    /// After rewriting; the message's own sender is that too, once it has been verified.
    pub address: Text,
    /// The result.
    pub outcome: Outcome,
    /// Routing worked.
    pub routed: bool,
    /// The peer has been told the details, or is not to be told.
    pub told: bool,
    /// Why it failed.
    pub failure: Failure,
    /// `$sender_address_data`
    pub address_data: Option<Text>,
    /// See [`Verified`].
    pub postmaster_failed: bool,
    /// See [`Verified`].
    pub null_sender_failed: bool,
}
