//! Authenticators: the registry of drivers, and instances of the configuration. One file per driver.

pub mod check;
pub mod cram_md5;
pub mod cyrus_sasl;
pub mod dovecot;
pub mod external;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
pub mod gsasl;
pub mod heimdal_gssapi;
pub mod ntlm;
pub mod oauth;
pub mod options;
pub mod plaintext;
mod sasl;
pub mod spa;
pub mod tls;

use std::fmt;

use bstr::BString;

use crate::build_options;
use crate::config::options::OptionSet;
use crate::context::Context;
use options::AuthOptions;

/// A configured authenticator.
#[derive(Debug)]
pub struct AuthInstance {
    /// Its name in the configuration.
    pub name: BString,
    /// The driver's name.
    pub driver_name: &'static str,
    /// Options that all authenticators have.
    pub generic: AuthOptions,
    /// Names of all options that were set explicitly (both kinds), and those that were hidden.
    pub set_options: Vec<String>,
    /// See above.
    pub hidden: Vec<String>,
    /// File and line of its first line, for messages.
    pub place: String,
    /// It can act as a server.
    pub server: bool,
    /// It can act as a client.
    pub client: bool,
    /// The driver with its private options.
    pub driver: Box<dyn Authenticator>,
}

/// How a server-side exchange ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuthResult {
    /// Authenticated (`server_set_id` is the caller's work).
    Ok,
    /// 535; the text goes to the log.
    Fail(Option<String>),
    /// 435 temporary: what the peer may be told, and what the log says.
    Defer {
        /// For the peer.
        user: Option<String>,
        /// For the log.
        log: String,
    },
    /// Initial data where the mechanism has none: 553.
    Unexpected,
    /// The client sent `*`: 501.
    Cancelled,
    /// 501 Invalid base64 data.
    Bad64,
    /// Anything else that ends in 435 with a panic-log message.
    Error(String),
}

impl AuthResult {
    /// Temporary trouble, of which the peer hears nothing more.
    pub fn defer(log: impl Into<String>) -> Self {
        AuthResult::Defer { user: None, log: log.into() }
    }
}

/// The wire of a server-side exchange: `334` prompts and the client's answers (both base64-decoded).
pub trait ServerDialogue {
    /// Sends a challenge (encoded here) and gives the decoded answer.
    fn challenge(&mut self, ctx: &mut Context, prompt: &[u8]) -> Result<Vec<u8>, AuthResult> {
        self.prompt(ctx, data_encoding::BASE64.encode(prompt).as_bytes())
    }
    /// The same with a text that goes out as it is.
    fn prompt(&mut self, ctx: &mut Context, text: &[u8]) -> Result<Vec<u8>, AuthResult>;
}

/// The wire of a client-side exchange.
pub trait ClientDialogue {
    /// Sends a line (without CRLF) and reads the answer: code and text after the code (still base64 for 334).
    fn exchange(&mut self, line: &[u8]) -> Result<(u16, Vec<u8>), String>;
}

/// How a client-side exchange ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientAuthResult {
    /// 235.
    Ok,
    /// The server refused: its answer.
    Fail(String),
    /// client_condition or a forced failure: try the next mechanism.
    Cancelled(Option<String>),
    /// Local trouble: message.
    Error(String),
}

/// An authenticator driver: its private options, and what it does with them.
pub trait Authenticator: OptionSet + fmt::Debug + Send + Sync {
    /// Checks the options; sets which sides work. The error follows `<name> authenticator:\n  `.
    fn init(&mut self, generic: &AuthOptions) -> Result<Sides, String>;
    /// May AUTH have an initial response? (If not, what stands there is not even decoded.)
    fn takes_initial(&self) -> bool {
        true
    }
    /// Is it for the AUTH command? (If not, it is neither offered nor found by name.)
    fn is_mechanism(&self) -> bool {
        true
    }
    /// The server's dialogue; `initial` is the decoded initial response, if there was one. The error is how it ended else.
    fn server(
        &self,
        ctx: &mut Context,
        inst: &AuthInstance,
        initial: Option<Vec<u8>>,
        wire: &mut dyn ServerDialogue,
    ) -> Result<Proof, AuthResult>;
    /// Client side. It is called only where `init` has said that there is one.
    fn client(&self, _: &mut Context, inst: &AuthInstance, _: &mut dyn ClientDialogue) -> ClientAuthResult {
        ClientAuthResult::Cancelled(Some(format!("the {} authenticator has no client side", inst.driver_name)))
    }
}

/// What a client has shown in a dialogue that came to a good end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// All that the mechanism asks for: `server_condition` has the last word.
    Mechanism,
    /// That `server_condition` is content: the driver has asked it already.
    Condition,
}

impl AuthInstance {
    /// Server side of AUTH, the condition included.
    pub fn serve(&self, ctx: &mut Context, initial: Option<Vec<u8>>, wire: &mut dyn ServerDialogue) -> AuthResult {
        match self.driver.server(ctx, self, initial, wire) {
            Ok(Proof::Mechanism) => check::server_condition(ctx, self),
            Ok(Proof::Condition) => AuthResult::Ok,
            Err(end) => end,
        }
    }
}

/// Which sides an authenticator is configured for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sides {
    /// Server.
    pub server: bool,
    /// Client.
    pub client: bool,
}

/// One entry of the registry.
pub struct AuthType {
    /// `driver = name`.
    pub name: &'static str,
    /// Makes one with default options.
    pub make: fn() -> Box<dyn Authenticator>,
    /// It is part of this build.
    built: bool,
    /// Can the library that it needs be loaded? `-bV` names it only then.
    pub available: fn() -> bool,
}

const fn own(name: &'static str, make: fn() -> Box<dyn Authenticator>) -> AuthType {
    AuthType { name, make, built: true, available: || true }
}

/// The authenticators of this build, in the order of `-bV`.
pub fn drivers() -> impl DoubleEndedIterator<Item = &'static AuthType> {
    DRIVERS.iter().filter(|d| d.built)
}

static DRIVERS: &[AuthType] = &[
    own("cram_md5", || Box::new(cram_md5::CramMd5Options::default())),
    AuthType {
        name: "cyrus_sasl",
        make: || Box::new(cyrus_sasl::CyrusSaslOptions::default()),
        built: build_options::AUTH_CYRUS_SASL,
        available: || crate::sys::cyrus_sasl::available().is_ok(),
    },
    own("dovecot", || Box::new(dovecot::DovecotOptions::default())),
    own("external", || Box::new(external::ExternalOptions::default())),
    AuthType {
        name: "gsasl",
        make: || Box::new(gsasl::GsaslOptions::default()),
        built: build_options::AUTH_GSASL,
        available: || crate::sys::gsasl::available().is_ok(),
    },
    AuthType {
        name: "heimdal_gssapi",
        make: || Box::new(heimdal_gssapi::HeimdalGssapiOptions::default()),
        built: build_options::AUTH_HEIMDAL_GSSAPI,
        available: || crate::sys::gssapi::available().is_ok(),
    },
    AuthType {
        name: "oauth",
        make: || Box::new(oauth::OauthOptions::default()),
        built: build_options::AUTH_OAUTH,
        available: || true,
    },
    own("plaintext", || Box::new(plaintext::PlaintextOptions::default())),
    own("spa", || Box::new(spa::SpaOptions::default())),
    own("tls", || Box::new(tls::TlsOptions::default())),
];
