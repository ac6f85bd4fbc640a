//! Exim's own filter language: read by `parse`, obeyed by `run`.

mod ast;
mod command_mail;
mod headers;
mod parse;
mod parse_condition;
mod run;
mod test_condition;
mod words;

pub use headers::line as header_of;
pub use parse::{Allowed, parse};
pub use run::{Job, run};
