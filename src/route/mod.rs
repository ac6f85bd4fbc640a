//! Routing: an address goes through the routers, and becomes deliveries, children, or a failure.

pub mod address;
pub mod affix;
mod after;
pub mod common;
pub mod hostlist;
pub mod hosts;
mod percent_hack;
mod preconditions;
mod require_files;
pub mod self_action;
mod translate;
pub mod vars;
mod walk;

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

pub use percent_hack::percent_hack;
pub use preconditions::boolean;
pub use vars::{clear_address_vars, set_address_vars};
pub use walk::route_address;

/// What a router driver says of one address; the walk turns it into a [`RouteOutcome`].
#[derive(Debug)]
pub enum Routed {
    /// It takes the address; `transport`, `hosts` and the rest are set in it.
    Accept,
    /// It replaces the address by these (their parent is set by `after`); none means that it was discarded.
    Children(Vec<Address>),
    /// It makes these children beside what becomes of the address itself; if it declines, the address goes on as one of
    /// them, whatever `more` says.
    And(Vec<Address>, Box<Routed>),
    /// It goes on as this other address, whose domain was widened or changed.
    Changed(Box<Address>),
    /// It does not take it: the next router, unless `no_more`.
    Decline,
    /// It does not take it: the next router (or pass_router), whatever `more` says.
    Pass,
    /// The address is bad; `Address::failure` says why.
    Fail,
    /// Try later; `Address::failure` says why.
    Defer,
    /// The address is to be dropped silently.
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
