//! Shadow transports: what was delivered goes to another transport too, whose results only the log shows (section 24.2).

use bstr::BString;

use super::local::DeliveryStatus;
use super::local_prepare::{Ahead, prepare};
use super::local_run::{run_one, warn};
use super::state::Delivery;
use crate::context::Context;
use crate::expand;
use crate::route::{self, Address};
use crate::transports::TransportInstance;

/// The shadow transport gets the addresses that were delivered.
pub(super) fn shadow(
    ctx: &mut Context,
    d: &mut Delivery<'_>,
    transport: &TransportInstance,
    batch: &mut [Address],
    statuses: &[DeliveryStatus],
) {
    let Some(name) = transport.generic.shadow_transport.raw().map(BString::from) else { return };
    if let Some(t) = transport.generic.shadow_condition.get()
        && !matches!(expand::expand_condition(ctx, t), Ok(true))
    {
        return;
    }
    let config = ctx.config.clone();
    let Some(other) = config.transport(&name).cloned() else { return };
    let ok: Vec<usize> = (0..batch.len()).filter(|i| statuses.get(*i) == Some(&DeliveryStatus::Ok)).collect();
    if ok.is_empty() {
        return;
    }
    let mut copies: Vec<Address> = ok
        .iter()
        .map(|i| {
            let mut a = batch[*i].clone();
            a.transport = Some(other.clone());
            a.failure = Default::default();
            a.return_file = None;
            a
        })
        .collect();
    let results = match prepare(ctx, d, &other, &mut copies, true) {
        Ahead::Nothing(statuses) => statuses,
        Ahead::Process(what) => run_one(ctx, d, &what, &mut copies).statuses,
    };
    warn(ctx, &mut copies);
    for ((i, copy), status) in ok.iter().zip(copies).zip(results) {
        let error = match status {
            DeliveryStatus::Ok => None,
            _ => Some(shadow_error(&copy.failure)),
        };
        batch[*i].shadow = Some((other.name.clone(), error));
    }
}

fn shadow_error(f: &route::address::Failure) -> BString {
    let mut s = BString::default();
    if f.basic_errno > 0 {
        s.extend_from_slice(crate::sys::strerror(f.basic_errno).as_bytes());
        if f.message.is_some() {
            s.extend_from_slice(b": ");
        }
    }
    match &f.message {
        Some(m) => s.extend_from_slice(m),
        None if f.basic_errno <= 0 => s.extend_from_slice(b"unknown error"),
        None => {}
    }
    s
}
