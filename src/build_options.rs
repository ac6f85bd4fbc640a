//! What `Local/Makefile` said when this was built: directories, users, modes, limits, which parts are there.
//!
//! `build.rs` makes the constants, one for each setting in `build/options.tsv` (see `Local/EDITME` for their meaning).
//! Everybody may read them; nothing changes them.
#![allow(missing_docs)]

include!(concat!(env!("OUT_DIR"), "/build_options.rs"));

pub use crate::version::version;
