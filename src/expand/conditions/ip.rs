//! Conditions on IP addresses: `isip`, `isip4`, `isip6`, `match_ip`.

use super::Call;
use crate::context::Context;
use crate::expand::operators::read_ip;
use crate::expand::{ExpandError, failed, hooks};

/// `isip`, `isip4`, `isip6`
pub fn isip(_: &mut Context, call: Call<'_>) -> Result<bool, ExpandError> {
    Ok(match read_ip(&call.arg(0)) {
        Some(ip) => match call.name {
            "isip4" => ip.is_ipv4(),
            "isip6" => ip.is_ipv6(),
            _ => true,
        },
        None => false,
    })
}

/// `match_ip`
pub fn match_ip(ctx: &mut Context, call: Call<'_>) -> Result<bool, ExpandError> {
    let subject = call.arg(0);
    let ip = read_ip(&subject);
    if ip.is_none() && !subject.is_empty() {
        return failed(format!("\"{subject}\" is not an IP address"));
    }
    match call.list {
        Some(list) => hooks::match_ip(ctx, ip, list),
        None => Ok(false),
    }
}
