//! What the caller may do during a handshake: choose other parameters for a name, look at each
//! certificate (the `tls:cert` event), write log lines. Called only by `accept` and `connect`, in
//! their thread, while they run.

use std::sync::Arc;

use super::certificate::Cert;
use super::server::ServerContext;

/// Answer to [`HandshakeHooks::server_name`].
pub enum SniAnswer {
    /// Go on with the present context.
    Keep,
    /// Go on with this one (certificates re-expanded for the name).
    Use(Arc<ServerContext>),
    /// End the handshake; the text is for the caller's own log.
    Refuse(String),
}

/// The caller's part in a handshake.
pub trait HandshakeHooks {
    /// A line for the main log, complete except for the time and message id.
    fn log(&mut self, _line: &str) {}

    /// The client sent this name (server only). It is tainted and at most 255 bytes.
    fn server_name(&mut self, _name: &[u8]) -> SniAnswer {
        SniAnswer::Keep
    }

    /// Whether `certificate` should be called (an event action is set).
    fn wants_certificates(&self) -> bool {
        false
    }

    /// One verified element of the peer's chain, root first. `Some(text)` refuses it.
    fn certificate(&mut self, _depth: u32, _cert: &Cert) -> Option<String> {
        None
    }
}

/// Hooks that do nothing.
pub struct NoHooks;
impl HandshakeHooks for NoHooks {}
