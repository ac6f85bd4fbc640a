//! Oxim, the library behind the `exim` program: a mail transfer agent that takes Exim's place.
//!
//! The rooms, from the bottom: `sys`, `log` < `config`, `dns`, `hints`, `spool` < `expand`, `matching`, `lookups` <
//! `route`, `verify`, `acl`, `mail_auth`, `scan`, `filter`, `transports` < `smtp_in`, `receive`, `deliver` < `daemon`, `cli`.
#![deny(unsafe_code)]

pub mod acl;
pub mod auths;
pub mod build_options;
pub mod cli;
pub mod config;
pub mod context;
pub mod daemon;
pub mod deliver;
pub mod dns;
pub mod event;
pub mod expand;
pub mod filter;
pub mod foreign;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
pub mod hints;
pub mod log;
pub mod lookups;
pub mod mail_auth;
pub mod matching;
pub mod odmr;
pub mod parse;
pub mod pipe_fields;
pub mod queue;
pub mod random;
pub mod receive;
pub mod retry;
pub mod rewrite;
pub mod route;
pub mod routers;
pub mod scan;
pub mod smtp_in;
pub mod smtp_out;
pub mod spool;
#[allow(unsafe_code)]
pub mod sys;
pub mod text;
#[allow(unsafe_code)]
pub mod tls_openssl;
pub mod transports;
pub mod utils;
pub mod verify;
pub mod version;
