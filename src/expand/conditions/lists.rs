//! Conditions on lists: `inlist`, `match_domain`, `match_local_part`, `match_address`.

use super::Call;
use crate::context::Context;
use crate::expand::hooks::{self, ListKind};
use crate::expand::{ExpandError, list};

/// `inlist`, `inlisti`: `$value` becomes the item of the list.
pub fn inlist(ctx: &mut Context, call: Call<'_>) -> Result<bool, ExpandError> {
    let subject = call.arg(0);
    let caseless = call.name == "inlisti";
    for item in list::split_text(&call.arg(1)) {
        let same = if caseless { item.eq_ignore_ascii_case(&subject) } else { item.as_bytes() == subject.as_bytes() };
        if same {
            ctx.scratch.value = Some(item);
            return Ok(true);
        }
    }
    Ok(false)
}

/// The `match_` conditions but for `match_ip`.
pub fn match_list(ctx: &mut Context, call: Call<'_>) -> Result<bool, ExpandError> {
    let kind = match call.name {
        "match_domain" => ListKind::Domain,
        "match_local_part" => ListKind::LocalPart,
        _ => ListKind::Address,
    };
    let Some(list) = call.list else { return Ok(false) };
    match hooks::match_list(ctx, kind, &call.arg(0), list)? {
        Some(data) => {
            if data.is_some() {
                ctx.scratch.value = data;
            }
            Ok(true)
        }
        None => Ok(false),
    }
}
