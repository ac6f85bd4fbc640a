//! DMARC (RFC 7489; manual 58.6): does the domain in From: vouch for the message, by SPF or DKIM, and what does it ask
//! for if not?
//!
//! `record.rs` parses policies, `evaluate.rs` finds and applies them for the `dmarc_status` condition, `history.rs` writes
//! dmarc_history_file, `forensic.rs` tells the domain of single failures. It only looks: ACLs decide.

mod evaluate;
mod forensic;
mod history;
pub(super) mod record;

pub use evaluate::{Facts, Status, condition, status_name};

use crate::text::Text;

/// `dmarc=` of `${authresults}`.
pub fn auth_results(f: &Facts) -> Text {
    let mut t = Text::tainted(format!(";\n\tdmarc={}", f.status.result_word()));
    if !f.from.is_empty() {
        t.push_bytes(format!(" header.from={}", f.from).as_bytes());
    }
    t
}
