//! A server that is ready for MAIL, and what log lines show of its connection.

use std::net::SocketAddr;

use bstr::BString;

use super::auth::Authenticated;
use super::client::Client;
use super::connect::{FastOpened, ProxyEnds};
use super::pipe_connect::Early;
use super::tls;
use crate::context::{Context, TlsFacts};
use crate::log::outcome::RemoteLog;
use crate::text::Text;

/// A server that is ready.
#[derive(Debug)]
pub struct Opened {
    /// The dialogue.
    pub client: Client,
    /// TLS, if it is used.
    pub tls: Option<TlsFacts>,
    /// Where the TLS session may be kept.
    pub session_key: Option<String>,
    /// AUTH, if it was done.
    pub auth: Option<Authenticated>,
    /// Our end.
    pub local: Option<SocketAddr>,
    /// The proxy, if there is one.
    pub proxy: Option<ProxyEnds>,
    /// TCP Fast Open was used.
    pub fast_open: Option<FastOpened>,
    /// What is believed of the server, if early pipelining is used with it.
    pub early: Option<Early>,
    /// DANE is in use.
    pub dane: bool,
    /// Messages sent on this connection.
    pub messages: u64,
    /// The last transaction did not end well: RSET before the next one.
    pub needs_reset: bool,
    /// A callout has given MAIL and these recipients already, and the server has accepted them.
    pub accepted: Vec<BString>,
    /// The server was our client until it said ATRN; it has not greeted us yet.
    pub turned: bool,
}

impl Opened {
    /// Over a dialogue of which nothing is known.
    pub fn over(client: Client) -> Self {
        Opened {
            client,
            tls: None,
            session_key: None,
            auth: None,
            local: None,
            proxy: None,
            fast_open: None,
            early: None,
            dane: false,
            messages: 0,
            needs_reset: false,
            accepted: Vec::new(),
            turned: false,
        }
    }

    /// What lines about deliveries show of the connection.
    pub fn log_facts(&self) -> RemoteLog {
        RemoteLog {
            continued: self.messages > 0,
            proxy: self.proxy.map(|p| (p.near.ip(), p.near.port())),
            fast_open: self.fast_open_used(),
            interface: self.local.map(|a| (a.ip(), a.port())),
            protocol_detail: self.client.actions.as_str().into(),
            ..RemoteLog::default()
        }
    }

    /// Was TCP Fast Open used, and (`true`) with data that the server took? Only the first message tells.
    fn fast_open_used(&self) -> Option<bool> {
        match self.fast_open.filter(|_| self.messages == 0)? {
            FastOpened::Empty => Some(false),
            FastOpened::Data => self.client.wire_ref().syn_data_taken().then_some(true),
        }
    }

    /// The first message of the connection went out on the strength of what the server said before.
    pub fn early_used(&self) -> bool {
        self.messages == 0 && self.early.as_ref().is_some_and(|e| e.active)
    }

    /// AUTH as log lines show it; `sender` is what MAIL said with AUTH=.
    pub fn log_auth(&self, sender: Option<&Text>) -> Option<(BString, Option<BString>, Option<BString>)> {
        self.auth.as_ref().map(|auth| (auth.by.clone(), auth.id.clone(), sender.map(|s| BString::from(s.as_bytes()))))
    }
}

/// Keeps the TLS session of a connection that is about to end, if the transport's options say so.
pub fn keep_session(ctx: &Context, opened: &Opened) {
    if let (Some(key), Some(stream)) = (&opened.session_key, opened.client.wire_ref().tls()) {
        tls::keep_session(ctx, stream, key);
    }
}
