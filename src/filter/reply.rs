//! Who a filter's reply goes to, as the address of its delivery.

use bstr::BString;

use crate::context::Context;
use crate::parse::{Rules, extract_address, find_address_end};
use crate::route::address::ReplyInfo;

/// What stands in the place of the recipients when there is none that is good.
pub const BAD_REPLY: &[u8] = b"**bad-reply**";

/// The name of the delivery shows no more recipients when it has this length, bytes.
const ENOUGH: usize = 256;

/// The recipients, with commas between them; `None`: none of them is good.
pub fn recipients(ctx: &Context, reply: &ReplyInfo) -> Option<BString> {
    let mut rules = Rules::header(&ctx.config.main);
    let mut all = BString::default();
    // Copies go to others, too, but the delivery is called by those that it is to.
    let mut rest: &[u8] = reply.fields.get("to").map(|t| t.as_bytes()).unwrap_or_default();
    while !rest.is_empty() {
        let (one, tail) = rest.split_at(find_address_end(rest, false).min(rest.len()));
        rest = tail.get(1..).unwrap_or_default();
        let Ok(found) = extract_address(&mut rules, one) else { continue };
        if all.len() >= ENOUGH {
            all.extend_from_slice(b", ...");
            return Some(all);
        }
        if !all.is_empty() {
            all.push(b',');
        }
        all.extend_from_slice(&found.address);
    }
    Some(all).filter(|a| !a.is_empty())
}
