//! Variables that earlier work left behind: arguments and results of ACLs, lookups, scanners, signatures, `${run}`.

use super::{VarDef, bit, num, own, v};
use crate::context::Context;
use crate::scan::{brightmail, mime};
use crate::text::Text;

fn acl_arg(c: &Context, n: usize) -> Option<Text> {
    c.acl.args.get(n).cloned()
}

fn mime_part(c: &Context) -> Option<&mime::Part> {
    c.message.scan.mime.part.as_ref()
}

/// This group.
pub static VARIABLES: &[VarDef] = &[
    v("acl_arg1", |c| acl_arg(c, 0)),
    v("acl_arg2", |c| acl_arg(c, 1)),
    v("acl_arg3", |c| acl_arg(c, 2)),
    v("acl_arg4", |c| acl_arg(c, 3)),
    v("acl_arg5", |c| acl_arg(c, 4)),
    v("acl_arg6", |c| acl_arg(c, 5)),
    v("acl_arg7", |c| acl_arg(c, 6)),
    v("acl_arg8", |c| acl_arg(c, 7)),
    v("acl_arg9", |c| acl_arg(c, 8)),
    v("acl_narg", |c| num(c.acl.args.len())),
    v("acl_verify_message", |c| c.acl.verify_message.clone()),
    v("av_failed", |c| bit(c.message.scan.malware.failed)),
    v("bmi_alt_location", brightmail::alternate),
    v("bmi_base64_tracker_verdict", brightmail::tracker),
    v("bmi_base64_verdict", brightmail::verdict),
    v("bmi_deliver", brightmail::deliver),
    v("bmi_verdicts", brightmail::verdicts),
    v("csa_status", |c| c.scratch.csa_status.as_ref().and_then(own)),
    v("dcc_header", |c| Some(Text::tainted(c.message.scan.dcc.header.as_slice()))),
    v("dcc_result", |c| Some(Text::clean(c.message.scan.dcc.result()))),
    v("dnslist_domain", |c| c.scratch.dnslist_domain.clone()),
    v("dnslist_matched", |c| c.scratch.dnslist_matched.clone()),
    v("dnslist_text", |c| c.scratch.dnslist_text.clone()),
    v("dnslist_value", |c| c.scratch.dnslist_value.clone()),
    v("item", |c| c.scratch.item.clone()),
    v("ldap_dn", |c| c.scratch.ldap_dn.clone()),
    v("malware_name", |c| c.message.scan.malware.name.clone()),
    v("mime_anomaly_level", |c| num(mime_part(c).and_then(|p| p.anomaly).map_or(0, |a| a.level()))),
    v("mime_anomaly_text", |c| mime_part(c).and_then(|p| p.anomaly).map(|a| Text::clean(a.text()))),
    v("mime_boundary", |c| mime::variable(c, |p| &p.header.boundary)),
    v("mime_charset", |c| mime::variable(c, |p| &p.header.charset)),
    v("mime_content_description", |c| mime::variable(c, |p| &p.header.description)),
    v("mime_content_disposition", |c| mime::variable(c, |p| &p.header.disposition)),
    v("mime_content_id", |c| mime::variable(c, |p| &p.header.id)),
    v("mime_content_size", |c| num(mime_part(c).map_or(0, |p| p.decoded_kb))),
    v("mime_content_transfer_encoding", |c| mime::variable(c, |p| &p.header.encoding)),
    v("mime_content_type", |c| mime::variable(c, |p| &p.header.content_type)),
    v("mime_decoded_filename", |c| mime_part(c).and_then(|p| p.decoded.as_ref()).and_then(own)),
    v("mime_filename", |c| mime::variable(c, |p| &p.header.filename)),
    v("mime_is_coverletter", |c| mime::flag(c, |p| p.cover_letter)),
    v("mime_is_multipart", |c| mime::flag(c, |p| p.header.is_multipart())),
    v("mime_is_rfc822", |c| mime::flag(c, |p| p.attached)),
    v("mime_part_count", |c| num(c.message.scan.mime.count.map_or(-1, i64::from))),
    v("prvscheck_address", |c| c.scratch.prvscheck_address.clone()),
    v("prvscheck_keynum", |c| c.scratch.prvscheck_keynum.clone()),
    v("prvscheck_result", |c| c.scratch.prvscheck_result.clone()),
    v("recipient_verify_failure", |c| c.acl.recipient_verify_failure.map(Text::clean)),
    v("regex_cachesize", |c| num(c.services.lists.patterns())),
    v("regex_match_string", |c| c.message.scan.regex.expression.clone()),
    v("runrc", |c| num(c.scratch.runrc)),
    v("sender_rate", |c| c.scratch.sender_rate.as_ref().and_then(own)),
    v("sender_rate_limit", |c| c.scratch.sender_rate_limit.as_ref().and_then(own)),
    v("sender_rate_period", |c| c.scratch.sender_rate_period.as_ref().and_then(own)),
    v("sender_verify_failure", |c| c.acl.sender_verify_failure.map(Text::clean)),
    v("spf_guess", |c| c.config.main.spf_guess.raw().map(Text::clean)),
    v("srs_db_address", |c| c.scratch.srs.db_address.clone()),
    v("srs_db_key", |c| c.scratch.srs.db_key.clone()),
    v("srs_orig_recipient", |c| c.scratch.srs.orig_recipient.clone()),
    v("srs_orig_sender", |c| c.scratch.srs.orig_sender.clone()),
    v("srs_recipient", |c| c.scratch.srs_recipient.clone()),
    v("srs_status", |c| c.scratch.srs.status.map(Text::clean)),
    v("value", |c| c.scratch.value.clone()),
];
