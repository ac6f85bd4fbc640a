//! ARC (RFC 8617): the chain of seals that those who handled a message have put on it, and our own.
//!
//! `set.rs` collects the sets of an arriving message, `verify.rs` judges the chain for `verify = arc`, `sign.rs` adds a
//! set in the smtp transport (`arc_sign`).

pub(super) mod set;
pub mod sign;
mod verify;

pub use set::Incoming;
pub use verify::{Chain, State, auth_results, condition};

use bstr::BString;

use super::body_watch::{BodyWatch, Hashed};

/// Looks for ARC sets in the header section, and asks for the body hashes that their signatures need.
pub fn begin(lines: &[BString], watch: &mut BodyWatch) -> Option<Box<Incoming>> {
    set::collect(lines, watch).map(Box::new)
}

/// What is kept for `verify = arc`, which may come or not.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// The sets, if there are any.
    pub incoming: Option<Box<Incoming>>,
    /// The body's hashes.
    pub bodies: Vec<Hashed>,
    /// The verdict, once it was asked for.
    pub chain: Option<Box<Chain>>,
}
