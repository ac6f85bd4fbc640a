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

/// Where routing puts addresses (manual section 3.9): the caller of [`route_address`] takes them from here.
///
/// Parents: all children of one address share one `Arc<Address>` as their `parent`; delivery counts them by that pointer.
/// For an `unseen` router the copy that goes on and the accepted address both get one new parent (a copy of the
/// address with the parent it had), so that the original is done only when both are.
#[derive(Debug, Default)]
pub struct RouteLists {
    /// To be delivered by a local transport.
    pub local: Vec<Address>,
    /// To be delivered by a remote transport.
    pub remote: Vec<Address>,
    /// New addresses (children, copies of `unseen` routers) that have still to be routed.
    pub new: Vec<Address>,
    /// Done without a delivery (`:blackhole:`, `seen finish`); the line `=> :blackhole:` or `=> discarded` is logged already.
    pub succeed: Vec<Address>,
    /// Failed; `Address::failure` says why.
    pub failed: Vec<Address>,
    /// To be tried later; `Address::failure` says why.
    pub deferred: Vec<Address>,
}
