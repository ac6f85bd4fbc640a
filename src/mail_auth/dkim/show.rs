//! How a signature is shown: in the log (`dkim_verbose`) and in `${authresults}`.

use bstr::BString;

use super::verify::{Judged, Reason, Status};
use crate::context::Context;
use crate::log::{self, Selector, Which};
use crate::text::Text;

/// The log line of one signature.
pub fn log(ctx: &Context, j: &Judged) {
    if !log::selected(ctx, Selector::DkimVerbose) || j.status == Status::Skipped {
        return;
    }
    let s = &j.signature;
    let name = |n: &Option<BString>| n.clone().unwrap_or_else(|| "<UNSET>".into());
    let mut line = format!(
        "DKIM: d={} s={} c={}/{} a={} b={}",
        name(&s.domain),
        name(&s.selector),
        s.canon_header.name(),
        s.canon_body.name(),
        s.algorithm.name(),
        s.signature.len() * 8
    );
    if let Some(i) = &s.identity {
        line.push_str(&format!(" i={i}"));
    }
    for (tag, value) in [("t", s.created), ("x", s.expires), ("l", s.body_length)] {
        if let Some(n) = value {
            line.push_str(&format!(" {tag}={n}"));
        }
    }
    match &j.replaced {
        Some((status, reason)) => line.push_str(&format!(" [{status} - {reason}]")),
        None => line.push_str(&format!(" [{}]", verdict(j))),
    }
    log::write(ctx, None, Which::MAIN, line.as_bytes());
}

fn verdict(j: &Judged) -> String {
    let why = match j.reason {
        Reason::Unavailable => "public key record (currently?) unavailable",
        Reason::Overlong => "overlong public key record",
        Reason::Record | Reason::Key => "syntax error in public key record",
        Reason::Signature => "signature tag missing or invalid",
        Reason::Version => "unsupported DKIM version",
        Reason::BodyHash => "body hash mismatch (body probably modified in transit)",
        Reason::Incorrect => "signature did not verify (headers probably modified in transit)",
        Reason::TooShort => "signature invalid (key too short)",
        Reason::Algorithm | Reason::None => "unspecified reason",
    };
    match j.status {
        Status::Pass => "verification succeeded".into(),
        Status::Fail => format!("verification failed - {why}"),
        Status::Invalid => format!("invalid - {why}"),
        Status::Skipped => "not verified".into(),
    }
}

/// The parts of `${authresults}`, each beginning with a semicolon.
pub fn auth_results(judged: &[Judged]) -> Vec<Text> {
    judged.iter().filter(|j| j.status != Status::Skipped).map(one_result).collect()
}

fn one_result(j: &Judged) -> Text {
    let mut t = Text::tainted(b";\n\tdkim=".to_vec());
    match &j.replaced {
        Some((status, reason)) => t.push_bytes(format!("policy ({status} - {reason})").as_bytes()),
        None => t.push_bytes(result_word(j).as_bytes()),
    }
    // A comment takes the line.
    if j.replaced.is_none() && j.status != Status::Pass {
        t.push_bytes(b"\n\t\t");
    }
    let s = &j.signature;
    for (what, value) in [("d", &s.domain), ("i", &s.identity), ("s", &s.selector)] {
        if let Some(v) = value {
            t.push_bytes(format!(" header.{what}={v}").as_bytes());
        }
    }
    t.push_bytes(format!(" header.a={}", s.algorithm.name()).as_bytes());
    t
}

fn result_word(j: &Judged) -> String {
    match j.reason {
        Reason::None => "pass".into(),
        Reason::Unavailable => "tmperror (pubkey unavailable)".into(),
        Reason::Overlong => "permerror (overlong public key record)".into(),
        Reason::Record | Reason::Key => "neutral (public key record import problem)".into(),
        Reason::Signature => "neutral (signature tag missing or invalid)".into(),
        Reason::Version => "neutral (unsupported DKIM version)".into(),
        Reason::BodyHash => "fail (body hash mismatch; body probably modified in transit)".into(),
        Reason::Incorrect => "fail (signature did not verify; headers probably modified in transit)".into(),
        Reason::TooShort => format!("fail (public key too short: {} bits)", j.key_bits),
        Reason::Algorithm => "fail (unspecified reason)".into(),
    }
}
