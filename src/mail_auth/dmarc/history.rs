//! dmarc_history_file: one block of lines for each message, as opendmarc-import reads them.

use std::fmt::Write as _;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt;

use bstr::ByteSlice;

use super::evaluate::{Facts, Status};
use super::record::{FailureOptions, Policy};
use crate::context::Context;
use crate::expand::{self, ExpandError};
use crate::log::{self, Which, debug};
use crate::mail_auth::arc;
use crate::mail_auth::dkim::{Judged, Reason, Status as DkimStatus};
use crate::mail_auth::spf::Verdict;

/// opendmarc's numbers for results of SPF and DKIM.
mod code {
    pub const PASS: i32 = 0;
    pub const SOFTFAIL: i32 = 2;
    pub const NEUTRAL: i32 = 3;
    pub const TEMPERROR: i32 = 4;
    pub const PERMERROR: i32 = 5;
    pub const NONE: i32 = 6;
    pub const FAIL: i32 = 7;
}

/// Appends what was found. What goes wrong is logged, and no more.
pub fn write(ctx: &mut Context, facts: &Facts) {
    let Some(template) = ctx.config.main.dmarc_history_file.get().cloned() else { return };
    let path = match expand::expand(ctx, &template) {
        Ok(p) if p.is_empty() => return,
        Ok(p) => p,
        Err(ExpandError::Forced(_)) => return,
        Err(e) => {
            let line = format!("failed to expand dmarc_history_file: {e}");
            return log::write(ctx, None, Which::MAIN.and(Which::PANIC), line.as_bytes());
        }
    };
    if ctx.run.host_checking {
        debug!(ctx, ACL, "DMARC history file is not written when testing a host");
        return;
    }
    let text = block(ctx, facts);
    let fail = |e: String| {
        let line = format!("failure to create DMARC history file: {path}: {e}");
        log::write(ctx, None, Which::MAIN.and(Which::PANIC), line.as_bytes());
    };
    if path.is_tainted() {
        return fail("tainted name".into());
    }
    let Ok(name) = path.to_path() else { return fail("bad name".into()) };
    let file = std::fs::OpenOptions::new().append(true).create(true).mode(0o640).open(name);
    // One write, so that blocks of several processes do not mix.
    if let Err(e) = file.and_then(|mut f| f.write_all(text.as_bytes())) {
        fail(crate::sys::error_text(&e));
    }
}

fn spf_code(ctx: &Context) -> i32 {
    match ctx.message.auth.spf.as_ref().map(|f| f.verdict) {
        Some(Verdict::Pass) => code::PASS,
        Some(Verdict::SoftFail) => code::SOFTFAIL,
        Some(Verdict::Neutral) => code::NEUTRAL,
        Some(Verdict::TempError) => code::TEMPERROR,
        Some(Verdict::PermError) => code::PERMERROR,
        Some(Verdict::Fail) => code::FAIL,
        Some(Verdict::None) | None => code::NONE,
    }
}

fn dkim_code(j: &Judged) -> i32 {
    match (j.status, j.reason) {
        (DkimStatus::Pass, _) => code::PASS,
        (DkimStatus::Fail, _) => code::FAIL,
        (DkimStatus::Invalid, Reason::Unavailable) => code::TEMPERROR,
        (DkimStatus::Invalid, _) => code::PERMERROR,
        (DkimStatus::Skipped, _) => code::NONE,
    }
}

fn letter(p: Option<Policy>) -> u8 {
    match p {
        Some(Policy::None) => b'n',
        Some(Policy::Quarantine) => b'q',
        Some(Policy::Reject) => b'r',
        None => 0,
    }
}

fn block(ctx: &Context, facts: &Facts) -> String {
    let mut t = String::new();
    let mut line = |name: &str, value: &dyn std::fmt::Display| {
        // A String takes everything.
        let _ = writeln!(t, "{name} {value}");
    };
    // What comes from outside stays in its line.
    let clean = |s: &[u8]| -> String { s.iter().map(|c| if c.is_ascii_graphic() { char::from(*c) } else { '?' }).collect() };
    line("job", &ctx.message.id);
    line("reporter", &ctx.config.site.primary_hostname);
    line("received", &crate::sys::time::unix_time());
    line("ipaddr", &ctx.session.host_address.clone().unwrap_or_default());
    line("from", &clean(&facts.from));
    line("mfrom", &clean(ctx.message.auth.spf.as_ref().map(|f| f.domain.as_bytes()).unwrap_or_default()));
    line("spf", &spf_code(ctx));
    for j in &ctx.message.auth.dkim.judged {
        let name = |n: &Option<bstr::BString>| clean(n.as_deref().map(|n| n.as_slice()).unwrap_or(b"-"));
        line("dkim", &format!("{} {} {}", name(&j.signature.domain), name(&j.signature.selector), dkim_code(j)));
    }
    line("pdomain", &clean(&facts.used_domain));
    let r = facts.record.as_ref();
    let policy = match facts.status {
        Status::NoRecord | Status::TempError | Status::Off => 14,
        Status::Accept => 15,
        Status::Reject => 16,
        Status::Quarantine => 17,
        Status::None => 18,
        Status::NoFrom => 19,
    };
    line("policy", &policy);
    match r.map(|r| r.rua.as_slice()).unwrap_or_default() {
        [] => line("rua", &"-"),
        all => all.iter().for_each(|u| line("rua", &clean(u))),
    }
    line("pct", &r.map_or(100, |r| r.percent));
    let mode = |strict: Option<bool>| if strict == Some(true) { b's' } else { b'r' };
    line("adkim", &mode(r.map(|r| r.strict_dkim)));
    line("aspf", &mode(r.map(|r| r.strict_spf)));
    line("p", &letter(r.map(|r| r.policy)));
    line("sp", &letter(r.and_then(|r| r.subdomains)));
    // Not known to opendmarc-import: it says so, and goes on.
    if let Some(r) = r.filter(|r| r.failure != FailureOptions::DEFAULT) {
        line("fo", &r.failure.words());
    }
    line("align_dkim", &if facts.dkim_aligned { 4 } else { 5 });
    line("align_spf", &if facts.spf_aligned { 4 } else { 5 });
    let action = match facts.status {
        Status::Reject => 0,
        Status::Quarantine => 4,
        Status::TempError => 3,
        _ => 2,
    };
    line("action", &action);
    if let Some(chain) = &ctx.message.auth.arc.chain {
        line("arc", &if chain.state == arc::State::Pass { code::PASS } else { code::FAIL });
        line("arc_policy", &if chain.state == arc::State::Pass { 0 } else { 1 });
    }
    t
}
