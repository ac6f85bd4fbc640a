//! Conditions on IP addresses: `isip`, `isip4`, `isip6`.

use super::Call;
use crate::context::Context;
use crate::expand::ExpandError;
use crate::expand::operators::read_ip;

/// `isip`, `isip4`, `isip6`
pub fn isip(_: &mut Context, call: Call<'_>) -> Result<bool, ExpandError> {
    Ok(match read_ip(call.arg(0)) {
        Some(ip) => match call.name {
            "isip4" => ip.is_ipv4(),
            "isip6" => ip.is_ipv6(),
            _ => true,
        },
        None => false,
    })
}
