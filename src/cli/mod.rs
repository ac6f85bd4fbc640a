//! Being written.
pub mod expand_test;
