//! Routing: an address goes through the routers, and becomes deliveries, children, or a failure.

pub mod address;

pub use address::{Address, AddressKind, HostItem, HostStatus, MxRank};

/// What the routing is for: some options of routers depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoutePurpose {
    /// To deliver.
    Deliver,
    /// `-bt`.
    Test,
    /// `verify = recipient`, `-bv`.
    VerifyRecipient,
    /// `verify = sender`, `-bvs`.
    VerifySender,
    /// EXPN.
    Expn,
}

/// What a router says of an address (manual chapter 3.9).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RouteOutcome {
    /// Accepted: the address has a transport, or children; it is done with.
    Accepted,
    /// Accepted, and the children that the router made go on.
    Rerouted,
    /// Declined: the next router, unless `no_more`.
    Decline,
    /// Passed on: the next router (or pass_router), whatever `more` says.
    Pass,
    /// Rejected: the address fails with this message (kept in the address too).
    Fail,
    /// Try later: message in the address.
    Defer,
    /// The message is frozen or other trouble: message in the address; counts as defer.
    Error,
    /// Discarded (`:blackhole:`, or a filter's `seen finish`).
    Discard,
}
