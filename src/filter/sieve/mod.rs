//! Sieve filters: RFC 5228 with fileinto, envelope, copy (RFC 3894), subaddress (RFC 5233), vacation (RFC 5230), enotify by
//! mailto (RFC 5435, 5436), encoded-character and the numeric comparator. Read by `parse`, obeyed by `run`.
//!
//! A script with a mistake files the message into the inbox, unless it has stopped before the mistake.

mod ast;
mod compare;
mod lex;
mod mailto;
mod notify;
mod parse;
mod parse_test;
mod run;
mod test;
mod trace;
mod vacation;

pub use parse::{Script, parse};
pub use run::{Job, run};
