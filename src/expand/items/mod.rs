//! Expansion items, `${name ...}` (manual 11.5): the table, and one file for each group.
//!
//! The parser reads an item's strings as its [`Shape`] says; `run` evaluates those that are wanted and appends the result.

pub mod certextract;
mod extract;
mod files;
pub mod json;
mod lists;
mod logic;
mod lookup;
mod prvs;
pub mod readsocket;
mod run;
mod sort;
pub mod srs;
pub mod strings;
mod subst;

pub use files::open_failed;
pub use lists::check_number as check_list_number;

use std::sync::LazyLock;

use super::ExpandError;
use super::names::Names;
pub use super::tree::{ItemArgs, RegexSlot};
use crate::context::Context;
use crate::text::Text;

/// The syntax of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Strings in braces, from .. to.
    Args(usize, usize),
    /// `if`
    If,
    /// `lookup`
    Lookup,
    /// `extract`
    Extract,
    /// `listextract`
    ListExtract,
    /// `env`
    Env,
    /// `certextract`
    CertExtract,
    /// `filter`, `map`, `reduce`
    Each,
    /// `sort`
    Sort,
    /// `run`
    Run,
    /// `prvscheck`
    PrvsCheck,
    /// `readsocket`
    ReadSocket,
}

/// Runs an item.
pub type ItemFn = fn(&mut Context, &ItemArgs, &mut Text) -> Result<(), ExpandError>;

/// One item.
pub struct ItemDef {
    /// Its name.
    pub name: &'static str,
    /// Its syntax.
    pub shape: Shape,
    /// What it does.
    pub run: ItemFn,
}

const fn item(name: &'static str, shape: Shape, run: ItemFn) -> ItemDef {
    ItemDef { name, shape, run }
}

/// All items, sorted by name.
pub static ITEMS: &[ItemDef] = &[
    item("acl", Shape::Args(1, 10), logic::acl),
    item("authresults", Shape::Args(1, 1), logic::authresults),
    item("certextract", Shape::CertExtract, certextract::certextract),
    item("dlfunc", Shape::Args(2, 10), files::dlfunc),
    item("env", Shape::Env, logic::env),
    item("extract", Shape::Extract, extract::extract),
    item("filter", Shape::Each, lists::filter),
    item("hash", Shape::Args(2, 3), strings::hash_item),
    item("hmac", Shape::Args(3, 3), strings::hmac),
    item("if", Shape::If, logic::if_item),
    item("imapfolder", Shape::Args(1, 3), strings::imapfolder),
    item("length", Shape::Args(2, 2), strings::length_item),
    item("listextract", Shape::ListExtract, lists::listextract),
    item("listquote", Shape::Args(2, 2), lists::listquote),
    item("lookup", Shape::Lookup, lookup::lookup),
    item("map", Shape::Each, lists::map),
    item("nhash", Shape::Args(2, 3), strings::nhash_item),
    item("perl", Shape::Args(1, 9), files::perl),
    item("prvs", Shape::Args(2, 3), prvs::prvs),
    item("prvscheck", Shape::PrvsCheck, prvs::prvscheck),
    item("readfile", Shape::Args(1, 2), files::readfile),
    item("readsocket", Shape::ReadSocket, readsocket::readsocket),
    item("reduce", Shape::Each, lists::reduce),
    item("run", Shape::Run, run::run),
    item("sg", Shape::Args(3, 3), subst::sg),
    item("sort", Shape::Sort, sort::sort),
    item("srs_encode", Shape::Args(3, 3), srs::srs_encode),
    item("substr", Shape::Args(2, 3), strings::substr_item),
    item("tr", Shape::Args(3, 3), subst::tr),
];

/// The item of that name.
pub fn find(name: &[u8]) -> Option<&'static ItemDef> {
    static NAMES: LazyLock<Names<ItemDef>> = LazyLock::new(|| Names::new(ITEMS.iter(), |i| i.name));
    NAMES.find(name)
}
