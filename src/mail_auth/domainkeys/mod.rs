//! DomainKeys (RFC 4870, historic): what came before DKIM. One signature over header and body, rsa-sha1 only.
//!
//! `signature.rs` reads the header line and finds what it covers, `verify.rs` judges an arriving message that
//! `control = dk_verify` asks for, `sign.rs` signs in the smtp transport (`dk_...` options). ACL conditions and variables
//! read [`Facts`]. It only looks: ACLs decide.

pub mod sign;
pub(super) mod signature;
pub mod verify;

use crate::acl::Kind;
use crate::context::Context;
use crate::matching::{self, Match};
use crate::text::Text;
pub use signature::{Sender, Source};

/// What became of the signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Status {
    Good,
    Bad,
    NoSignature,
    NoKey,
    BadFormat,
    Revoked,
    Error,
}

impl Status {
    /// As `$dk_status` has it.
    pub fn name(self) -> &'static str {
        match self {
            Status::Good => "good",
            Status::Bad => "bad",
            Status::NoSignature => "no signature",
            Status::NoKey => "no key",
            Status::BadFormat => "bad format",
            Status::Revoked => "revoked",
            Status::Error => "error",
        }
    }

    /// As `${authresults}` has it (RFC 8601 2.7.1).
    fn result_word(self) -> &'static str {
        match self {
            Status::Good => "pass",
            Status::Bad => "fail",
            Status::NoSignature => "none",
            Status::NoKey | Status::BadFormat | Status::Revoked => "permerror",
            Status::Error => "temperror",
        }
    }
}

/// What is known of a message that was verified.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Who is answerable for the message.
    pub sender: Option<Sender>,
    /// What became of the signature.
    pub status: Status,
    /// The same in words (`$dk_result`).
    pub result: &'static str,
    /// There is a signature.
    pub signed: bool,
    /// The domain says that it signs everything.
    pub signs_all: bool,
    /// The domain, or the key, is only being tested.
    pub testing: bool,
}

/// One of the `dk_...` conditions. Without `control = dk_verify` none is true.
pub fn condition(ctx: &mut Context, kind: Kind, list: &crate::expand::Template) -> Match {
    let Some(facts) = ctx.message.auth.domainkeys.as_deref().cloned() else { return Match::No };
    let none = Text::new();
    let sender = facts.sender.as_ref();
    match kind {
        Kind::DkSenderDomains => matching::match_domain(ctx, sender.map_or(&none, |s| &s.domain), list, None),
        Kind::DkSenders => matching::match_address(ctx, sender.map_or(&none, |s| &s.address), list, None),
        Kind::DkSenderLocalParts => matching::match_local_part(ctx, sender.map_or(&none, |s| &s.local_part), list, None),
        Kind::DkDomainSource => {
            let source = Text::clean(sender.map_or("none", |s| s.source.name()));
            matching::match_string(ctx, &source, list, None)
        }
        Kind::DkPolicy => {
            for word in [facts.signs_all.then_some("signsall"), facts.testing.then_some("testing")].into_iter().flatten() {
                match matching::match_string(ctx, &Text::clean(word), list, None) {
                    Match::No => {}
                    found => return found,
                }
            }
            Match::No
        }
        _ => matching::match_string(ctx, &Text::clean(facts.status.name()), list, None),
    }
}

/// `domainkeys=` of `${authresults}`.
pub fn auth_results(f: &Facts) -> Text {
    let mut t = Text::tainted(format!(";\n\tdomainkeys={}", f.status.result_word()));
    if f.testing {
        t.push_bytes(b" (testing)");
    }
    if let Some(s) = f.sender.as_ref().filter(|_| f.signed) {
        t.push_bytes(format!(" header.{}={}", s.source.name(), s.domain).as_bytes());
    }
    t
}
