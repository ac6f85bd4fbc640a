//! `readsock`: a request to a socket, and all that comes back; the work is that of the `${readsocket}` item.

use std::time::Duration;

use bstr::ByteSlice;

use super::driver::{Answer, Ask, Driver, Handle, Keep, Style};
use crate::context::Context;
use crate::expand::items::readsocket::{Options, exchange};
use crate::text::{Taint, Text};

/// The type; as a query it is `<socket>,<request>`.
pub struct Readsock;

impl Driver for Readsock {
    fn name(&self) -> &'static str {
        "readsock"
    }
    fn style(&self) -> Style {
        Style::Query
    }
    fn open(&self, _: &mut Context, _: &[u8]) -> Result<Box<dyn Handle>, String> {
        Ok(Box::new(Open))
    }
    fn taint(&self) -> Taint {
        Taint::Tainted
    }
}

struct Open;

impl Handle for Open {
    fn find(&mut self, ctx: &mut Context, ask: &Ask<'_>) -> Answer {
        let (name, request) = ask.key.split_once_str(b",").unwrap_or((ask.key, b""));
        let mut options = Options::default();
        for o in ask.options {
            match o.as_slice() {
                b"shutdown=no" => options.shutdown = false,
                b"tls=yes" => options.tls = true,
                b"cache=yes" => options.cache = true,
                o => {
                    let time = o
                        .strip_prefix(b"timeout=")
                        .and_then(|t| t.to_str().ok())
                        .and_then(|t| t.trim_end_matches('s').parse().ok());
                    match time {
                        Some(t) => options.timeout = Duration::from_secs(t),
                        None => return Answer::Defer(format!("bad option for readsock: {}", o.as_bstr())),
                    }
                }
            }
        }
        match exchange(ctx, &Text::with_taint(name, ask.key.taint()), request, &options) {
            Ok(data) if options.cache => Answer::Found(data, Keep::Always),
            Ok(data) => Answer::Found(data, Keep::ForgetAll),
            Err(e) => Answer::Defer(e.to_string()),
        }
    }
}
