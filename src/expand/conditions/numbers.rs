//! Numeric comparisons.

use super::Call;
use crate::context::Context;
use crate::expand::{ExpandError, arith};

/// `=`, `==`, `<`, `<=`, `>`, `>=`
pub fn compare(_: &mut Context, call: Call<'_>) -> Result<bool, ExpandError> {
    let read = |n: usize| arith::integer(call.arg(n), false).map_err(ExpandError::Failed);
    let (a, b) = (read(0)?, read(1)?);
    Ok(holds(call.name, a.cmp(&b)))
}

/// Does an ordering satisfy a symbolic comparison?
pub fn holds(name: &str, order: std::cmp::Ordering) -> bool {
    match name {
        "<" => order.is_lt(),
        "<=" => order.is_le(),
        ">" => order.is_gt(),
        ">=" => order.is_ge(),
        _ => order.is_eq(),
    }
}
