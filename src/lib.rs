//! Oxim, the library behind the `exim` program.
#![deny(unsafe_code)]
