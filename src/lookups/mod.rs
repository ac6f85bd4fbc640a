//! Lookups (manual chapter 9): the registry of types, open handles, cached results. One file per type.
//!
//! Expansion, lists and routers call [`find`] with a parsed [`Spec`]. A type is one value in [`TYPES`] and one file;
//! it knows nothing of partial matching, defaults, caches or taint of file names: those are here.

mod berkeley;
mod cache;
mod cdb;
mod check;
mod dbm;
mod dnsdb;
mod driver;
mod dsearch;
mod find;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
pub(crate) mod json;
mod kept;
pub mod ldap;
mod lmdb;
mod lsearch;
mod missing;
mod mysql;
pub mod nis;
mod nmh;
mod passwd;
mod pgsql;
mod psl;
mod quote;
pub mod readsock;
pub mod redis;
mod server_list;
mod spec;
mod spf;
mod sql;
mod sqlite;
mod testdb;
#[cfg(test)]
mod tests;

pub use cache::Cache;
pub use check::open_failed;
pub use driver::{Answer, Ask, Driver, Handle, Keep, Style};
pub use find::{Found, LookupError, find, find_single};
pub use spec::{Spec, Star, parse_type};

use crate::text::{Taint, Text};

/// All types. Their order fixes the index that [`Taint::Quoted`] and spool files use by name.
pub static TYPES: &[&dyn Driver] = &[
    &cdb::Cdb,
    &dbm::DBM,
    &dbm::DBMJZ,
    &dbm::DBMNZ,
    &dnsdb::Dnsdb,
    &dsearch::Dsearch,
    &lsearch::IPLSEARCH,
    &json::Json,
    &ldap::Ldap::One,
    &ldap::Ldap::Name,
    &ldap::Ldap::Many,
    &lmdb::Lmdb,
    &lsearch::LSEARCH,
    &mysql::Mysql,
    &nis::Nis { zero: false },
    &nis::Nis { zero: true },
    &missing::NISPLUS,
    &nmh::Nmh,
    &lsearch::NWILDLSEARCH,
    &missing::ORACLE,
    &passwd::Passwd,
    &pgsql::Pgsql,
    &psl::PSL,
    &readsock::Readsock,
    &redis::Redis,
    &psl::REGDOM,
    &spf::Spf,
    &sqlite::Sqlite,
    &testdb::TESTDB,
    &testdb::TESTDB2,
    &testdb::TESTDB_NQ,
    &missing::WHOSON,
    &lsearch::WILDLSEARCH,
];

/// The name of the lookup type with this index (for spool files and messages).
pub fn type_name(index: u8) -> &'static str {
    TYPES.get(usize::from(index)).map_or("none", |d| d.name())
}

/// The index of the lookup type of this name.
pub fn type_index(name: &[u8]) -> Option<u8> {
    TYPES.iter().position(|d| d.name().as_bytes() == name).and_then(|i| u8::try_from(i).ok())
}

/// The names of the types that work, for `-bV`.
pub fn available() -> Vec<&'static str> {
    TYPES.iter().filter(|d| d.built_in() && d.available()).map(|d| d.name()).collect()
}

/// `${quote_<type>:text}`, or `${quote_<type>_<option>:text}`. `None` if the type does not know the option.
/// A tainted text stays tainted, but may stand in queries of this type.
pub fn quote(index: u8, text: &Text, option: Option<&[u8]>) -> Option<Text> {
    let driver = TYPES.get(usize::from(index))?;
    let bytes = match driver.quote(text, option) {
        Some(quoted) => quoted?,
        None if option.is_some() => return None,
        None => return Some(text.clone()),
    };
    let taint = if text.is_tainted() { Taint::Quoted(index) } else { Taint::Clean };
    Some(Text::with_taint(bytes, taint))
}
