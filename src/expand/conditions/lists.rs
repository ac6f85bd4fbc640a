//! Conditions on lists: `inlist`, `match_domain`, `match_local_part`, `match_address`, `match_ip`.

use super::Call;
use crate::context::Context;
use crate::expand::operators::read_ip;
use crate::expand::{ExpandError, failed, hooks, list};
use crate::matching::Subject;

/// `inlist`, `inlisti`: `$value` becomes the item of the list.
pub fn inlist(ctx: &mut Context, call: Call<'_>) -> Result<bool, ExpandError> {
    let subject = call.arg(0);
    let caseless = call.name == "inlisti";
    for item in list::split_text(call.arg(1)) {
        let same = if caseless { item.eq_ignore_ascii_case(subject) } else { item.as_bytes() == subject.as_bytes() };
        if same {
            ctx.scratch.value = Some(item);
            return Ok(true);
        }
    }
    Ok(false)
}

/// `match_domain`, `match_local_part`, `match_address`, `match_ip`: `$value` becomes what the list gives.
pub fn match_list(ctx: &mut Context, call: Call<'_>) -> Result<bool, ExpandError> {
    let text = call.arg(0);
    let subject = match call.name {
        "match_domain" => Subject::Domain(text),
        "match_local_part" => Subject::LocalPart(text),
        "match_address" => Subject::Address { address: text, caseless: true },
        _ => {
            if !text.is_empty() && read_ip(text).is_none() {
                return failed(format!("\"{text}\" is not an IP address"));
            }
            Subject::Ip(text)
        }
    };
    let Some(list) = call.list else { return Ok(false) };
    match hooks::match_list(ctx, subject, list)? {
        Some(data) => {
            if data.is_some() {
                ctx.scratch.value = data;
            }
            Ok(true)
        }
        None => Ok(false),
    }
}
