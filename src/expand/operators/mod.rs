//! Expansion operators, `${name:string}` (manual 11.6): the table, and one file for each group.
//!
//! An operator gets the expanded string and gives the result; adding one is a function and a line here.

mod addresses;
mod encodings;
mod hashes;
mod ip;
mod lists;
mod misc;
mod numbers;
mod quoting;
mod text_ops;
pub mod utf8;

use std::sync::LazyLock;

use bstr::ByteSlice;

pub use encodings::decode_base64;
pub use ip::{compressed, read as read_ip};
pub use quoting::{local_part as quote_local_part, printable};
pub use utf8::{address_to_alabel, to_alabel};

use super::ExpandError;
use super::names::Names;
use crate::context::Context;
use crate::text::Text;

/// Runs an operator: its name, the part of the name after an underscore, the string.
pub type OpFn = fn(&mut Context, &str, Option<&[u8]>, Text) -> Result<Text, ExpandError>;
/// The same on a certificate in PEM form.
pub type CertFn = fn(&[u8], Option<&[u8]>) -> Result<Text, ExpandError>;

/// One operator.
pub struct OpDef {
    /// Its name.
    pub name: &'static str,
    /// It may have an argument after an underscore.
    pub takes_arg: bool,
    /// What it does.
    pub run: OpFn,
    /// What it does with a certificate variable.
    pub cert: Option<CertFn>,
}

const fn op(name: &'static str, run: OpFn) -> OpDef {
    OpDef { name, takes_arg: false, run, cert: None }
}
const fn arg(name: &'static str, run: OpFn) -> OpDef {
    OpDef { name, takes_arg: true, run, cert: None }
}
const fn cert(name: &'static str, takes_arg: bool, run: OpFn, cert: CertFn) -> OpDef {
    OpDef { name, takes_arg, run, cert: Some(cert) }
}

/// All operators, sorted by name.
pub static OPERATORS: &[OpDef] = &[
    op("address", addresses::address),
    op("addresses", addresses::addresses),
    op("base32", numbers::base32),
    op("base32d", numbers::base32d),
    op("base62", numbers::base62),
    op("base62d", numbers::base62d),
    cert("base64", false, encodings::base64, encodings::base64_cert),
    op("base64d", encodings::base64d),
    op("domain", addresses::domain),
    op("escape", quoting::escape),
    op("escape8bit", quoting::escape8bit),
    op("eval", numbers::eval),
    op("eval10", numbers::eval),
    op("expand", misc::expand),
    op("from_utf8", utf8::from_utf8),
    arg("h", numbers::counted),
    arg("hash", numbers::counted),
    arg("headerwrap", text_ops::headerwrap),
    op("hex2b64", encodings::hex2b64),
    op("hexquote", quoting::hexquote),
    op("ipv6denorm", ip::denorm),
    op("ipv6norm", ip::norm),
    arg("l", numbers::counted),
    op("lc", text_ops::lc),
    arg("length", numbers::counted),
    op("listcount", lists::count),
    arg("listnamed", lists::named),
    op("local_part", addresses::local_part),
    arg("mask", ip::mask),
    cert("md5", false, hashes::md5, hashes::md5_cert),
    arg("nh", numbers::counted),
    arg("nhash", numbers::counted),
    arg("quote", quoting::quote),
    op("quote_local_part", quoting::quote_local_part),
    op("randint", numbers::randint),
    op("reverse_ip", ip::reverse),
    op("rfc2047", encodings::rfc2047),
    op("rfc2047d", encodings::rfc2047d),
    op("rxquote", quoting::rxquote),
    arg("s", numbers::counted),
    cert("sha1", false, hashes::sha1, hashes::sha1_cert),
    cert("sha2", true, hashes::sha2, hashes::sha2_cert),
    cert("sha256", true, hashes::sha2, hashes::sha2_cert),
    arg("sha3", hashes::sha3),
    op("stat", misc::stat),
    op("str2b64", encodings::base64),
    op("strlen", text_ops::strlen),
    arg("substr", numbers::counted),
    op("time_eval", numbers::time_eval),
    op("time_interval", numbers::time_interval),
    op("uc", text_ops::uc),
    op("utf8_domain_from_alabel", utf8::domain_from_alabel),
    op("utf8_domain_to_alabel", utf8::domain_to_alabel),
    op("utf8_localpart_from_alabel", utf8::localpart_from_alabel),
    op("utf8_localpart_to_alabel", utf8::localpart_to_alabel),
    op("utf8clean", utf8::clean),
    op("xtextd", encodings::xtextd),
];

/// The operator of that name and the argument in it; the error is the message.
pub fn find(name: &[u8]) -> Result<(&'static OpDef, Option<&[u8]>), String> {
    static NAMES: LazyLock<Names<OpDef>> = LazyLock::new(|| Names::new(OPERATORS.iter(), |o| o.name));
    let by_name = |n: &[u8]| NAMES.find(n);
    if let Some(def) = by_name(name) {
        return Ok((def, None));
    }
    let shown = name.as_bstr();
    let Some((head, tail)) = name.split_once_str("_") else {
        return Err(format!("unknown expansion operator \"{shown}\""));
    };
    match by_name(head) {
        Some(def) if def.takes_arg => Ok((def, Some(tail))),
        Some(def) => Err(format!("unknown expansion operator \"{shown}\" (\"{}\" does not take an _arg)", def.name)),
        None => Err(format!("unknown expansion operator \"{shown}\"")),
    }
}
