//! `lookup` (manual 9 and 11.5).

use super::ItemArgs;
use crate::context::Context;
use crate::expand::eval::{subs, yes_no};
use crate::expand::{ExpandError, failed, forbid, hooks};
use crate::text::Text;

/// `${lookup}`
pub fn lookup(ctx: &mut Context, args: &ItemArgs, out: &mut Text) -> Result<(), ExpandError> {
    if forbid::has(ctx, forbid::LOOKUP) {
        return failed("lookup expansions are not permitted");
    }
    let Some(spec) = &args.spec else { return Ok(()) };
    let strings = subs(ctx, args)?;
    let (key, file) = match strings.as_slice() {
        [query] => (query, None),
        [key, file] => (key, Some(file)),
        _ => return Ok(()),
    };
    // A partial lookup leaves the wild and the fixed part of the key in $1 and $2 until the end of the item.
    let saved = ctx.scratch.numeric.clone();
    let result = match hooks::lookup(ctx, spec, key, file) {
        Ok(found) => yes_no(ctx, args, "lookup", found, out),
        Err(ExpandError::Defer(m)) => {
            let text = format!("lookup of \"{}\" gave DEFER: {}", shown(key), super::lists::quoted(&m));
            ctx.scratch.search_error = Some(m);
            Err(ExpandError::Defer(text))
        }
        Err(e) => Err(e),
    };
    ctx.scratch.numeric = saved;
    result
}

fn shown(key: &Text) -> String {
    String::from_utf8_lossy(&crate::expand::operators::printable(key, false, false)).into_owned()
}
