//! Handshakes over a socket pair: a server thread and a client, with certificates made on the spot.

mod basic;
mod resumption;
mod support;
mod trust;
