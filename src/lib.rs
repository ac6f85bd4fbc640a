//! Oxim, the library behind the `exim` program.
#![deny(unsafe_code)]

pub mod dns;
pub mod hints;
pub mod sys;
