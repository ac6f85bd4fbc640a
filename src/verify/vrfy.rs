//! The SMTP commands VRFY and EXPN: what their answers say.

use bstr::BString;

use super::address::split_address;
use super::{Outcome, VerifyOptions, verify_address};
use crate::context::Context;
use crate::route::{Address, RouteLists, RouteOutcome, RoutePurpose, route_address};
use crate::text::Text;

/// What VRFY says of an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Vrfy {
    /// It is good.
    Ok,
    /// That is not known now; what a router says of it to users.
    Defer(Option<Text>),
    /// It is not.
    Fail(Option<Text>),
}

/// VRFY.
pub fn vrfy(ctx: &mut Context, address: &Text) -> Vrfy {
    drop(ctx.services.lists.enter_address());
    let mut addr = Address::new(address.clone());
    let options = VerifyOptions { recipient: true, qualify: true, ..VerifyOptions::default() };
    let result = verify_address(ctx, &mut addr, &options);
    match result.outcome {
        Outcome::Ok => Vrfy::Ok,
        Outcome::Defer => Vrfy::Defer(addr.failure.user_message),
        Outcome::Fail => Vrfy::Fail(addr.failure.user_message),
    }
}

/// EXPN: the lines of the answer, one level of expansion. It only tries the address out, so what is logged on the way goes
/// to stderr.
pub fn expn(ctx: &mut Context, address: &Text) -> Vec<BString> {
    let run = ctx.run.clone();
    ctx.run = std::sync::Arc::new(crate::context::Run { log_testing: true, ..(*run).clone() });
    let lines = expand_address(ctx, address);
    ctx.run = run;
    lines
}

fn expand_address(ctx: &mut Context, address: &Text) -> Vec<BString> {
    let mut address = address.clone();
    if crate::rewrite::find_at(&address).is_none() {
        address = crate::rewrite::qualify(ctx, &address, true);
    }
    if !ctx.config.rewrite.is_empty() {
        address = crate::rewrite::envelope(ctx, &address, true, false);
    }
    let shown = address.clone();
    let addr = match split_address(ctx, &address) {
        Ok(a) => a,
        Err(_) => return vec![format!("553 {shown} cannot be resolved at this time").into()],
    };
    let mut lists = RouteLists::default();
    match route_address(ctx, addr, RoutePurpose::Expn, &mut lists) {
        RouteOutcome::Fail => vec![format!("553 {shown} is undeliverable").into()],
        RouteOutcome::Defer | RouteOutcome::Error => vec![format!("553 {shown} cannot be resolved at this time").into()],
        _ => {
            let count = lists.new.len();
            if count == 0 {
                return if lists.local.is_empty() && lists.remote.is_empty() {
                    vec![format!("250 mail to <{shown}> is discarded").into()]
                } else {
                    vec![format!("250 <{shown}>").into()]
                };
            }
            let line = |(i, a): (usize, &Address)| format!("250{}<{}>", if i + 1 == count { ' ' } else { '-' }, a.address).into();
            lists.new.iter().enumerate().map(line).collect()
        }
    }
}
