//! The command line: what was asked for, by whom, and which room does it (manual chapter 5).
//!
//! `main` calls [`run`]; each mode's work is elsewhere.

mod dispatch;
mod environment;
pub(crate) mod expand_test;
mod filter_test;
mod info;
mod modes;
pub mod options;
mod originator;
pub mod parse;
mod privilege;
mod reception;
mod start;
mod test_message;
mod testing;
mod version;

pub use start::{run, services};
