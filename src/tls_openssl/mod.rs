//! TLS over OpenSSL: server and client contexts, SNI, OCSP stapling, DANE, session resumption,
//! certificate fields.
//!
//! Callers: the SMTP server and client, callouts, `${certextract}`, `${readsocket}`, the
//! `tls_in_*`/`tls_out_*` variables. This room is given already expanded strings and paths in plain
//! structs and answers with plain facts; it knows neither the configuration nor the mail context,
//! never writes a log (it hands lines to [`HandshakeHooks::log`]) and never reads clear text again
//! once a connection is encrypted.
//!
//! In short:
//! 1. keep one [`ContextCache`] in each worker (with [`TicketKeys`] made before the fork);
//! 2. server: `cache.server(&ServerParams)` then [`accept`]; client: `cache.client(&ClientSetup)`
//!    then [`connect`]; both give a [`TlsStream`] with [`TlsFacts`];
//! 3. `TlsStream::session_out` before closing gives what a client may keep for resumption.
#![deny(unsafe_code)]

mod alpn;
mod binding;
mod cache;
mod certfield;
mod certificate;
mod client;
mod connection;
mod dh;
mod error;
mod facts;
mod fdio;
#[allow(unsafe_code)]
mod ffi;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod hooks;
mod load;
mod ocsp;
mod ocsp_client;
mod options;
mod params;
mod selfsigned;
mod server;
mod session;
mod stream;
mod tickets;
mod verify;

#[cfg(test)]
mod tests;

pub use binding::{BindingKind, ChannelBinding};
pub use cache::ContextCache;
pub use certfield::{FieldError, extract};
pub use certificate::{Cert, Fingerprint};
pub use client::{ClientContext, ClientFailure, connect};
pub use error::{StreamError, TlsError};
pub use facts::{OcspState, RESUME_DECODE, TlsFacts, resume};
pub use hooks::{HandshakeHooks, NoHooks, SniAnswer};
pub use options::{OpensslOptions, option_names};
pub use params::{
    AcceptOptions, CertSource, ClientParams, ClientSetup, DaneParams, OcspFile, OcspWish, ServerParams, TlsaRecord, VerifyMode,
    parse_ocsp_files,
};
pub use server::{Notice, ServerContext, ServerFailure, accept};
pub use session::SavedSession;
pub use stream::TlsStream;
pub use tickets::TicketKeys;
