//! Rules for delivered messages.

use super::dates::number;
use super::rule::{Builder, Verdict, splice};

pub fn rules(b: &mut Builder) {
    b.port(r"(?:interface|received)-port:\s+%ANYPORT%");
    b.call(r"^(\s+)t=(\d+); x=(\d+); b=[A-Za-z0-9+/=]+", |found, line, state, _| {
        if let (Some(from), Some(to)) = (number(&found[2]), number(&found[3])) {
            let text = format!("t=T; x=T+{}; b=bbbb;", to - from);
            splice(found, line, &[&found[1], text.as_bytes()].concat());
            state.skip = 2;
        }
        Verdict::Keep
    });
    b.call(r"^(\s+)t=\d+; b=[A-Za-z0-9+/=]+.*", |found, line, state, _| {
        splice(found, line, &[&found[1], b"t=T; b=bbbb;"].concat());
        state.skip = 2;
        Verdict::Keep
    });
    b.call("^(?i)X-Exim-Diagnostic:", |_, _, state, _| {
        state.in_header = true;
        Verdict::Drop
    });
}
