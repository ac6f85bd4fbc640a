//! DKIM (RFC 6376, 8301, 8463; manual chapter 58): signatures of arriving messages are verified while the body streams
//! past; messages are signed on their way out of the smtp transport.
//!
//! `verify.rs` and `acl.rs` belong to reception, `sign.rs` and `write.rs` to the transport. Nothing here decides about a
//! message: that is for acl_smtp_dkim.

pub mod acl;
mod show;
pub mod sign;
pub mod signature;
pub mod verify;
pub mod write;

pub use show::auth_results;
pub use signature::Signature;
pub use verify::{Judged, Reason, Status};
