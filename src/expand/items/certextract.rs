//! `certextract`: fields of the certificates that TLS left in variables (manual 11.5).

use bstr::ByteSlice;

use super::ItemArgs;
use crate::context::Context;
use crate::expand::eval::{subs, yes_no};
use crate::expand::variables::{self, VarRef};
use crate::expand::{ExpandError, hooks};
use crate::parse::Space as _;
use crate::text::Text;

/// Is this a variable that holds a certificate? For the parser.
pub fn check_variable(name: &[u8]) -> Result<(), String> {
    match variables::resolve(name) {
        Some(VarRef::Table(def)) if def.certificate().is_some() => Ok(()),
        Some(_) => Err(format!("\"{}\" is not a certificate", name.as_bstr())),
        None => Err(format!("no variable named \"{}\"", name.as_bstr())),
    }
}

/// `${certextract}`
pub fn certextract(ctx: &mut Context, args: &ItemArgs, out: &mut Text) -> Result<(), ExpandError> {
    let field = subs(ctx, args)?.into_iter().next().unwrap_or_default();
    let pem = match variables::resolve(&args.word) {
        Some(VarRef::Table(def)) => def.certificate().and_then(|slot| slot.pem(ctx)),
        _ => None,
    };
    let value = match pem {
        Some(pem) => {
            let (name, modifiers) = field.split_once_str(",").unwrap_or((&field, b""));
            hooks::certificate_field(&pem, name.trim_space(), modifiers)?
        }
        None => None,
    };
    yes_no(ctx, args, "certextract", value, out)
}
