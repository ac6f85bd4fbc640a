//! A line of the main log while it is built, and what several kinds of lines share. It reads the context, and writes nothing.

use bstr::BString;

use super::selectors::Selector;
use super::{escape, selected};
use crate::context::{Context, TlsFacts};

/// A line being built: items joined by blanks.
#[derive(Clone, Debug, Default)]
pub struct LineBuilder {
    text: BString,
}

impl LineBuilder {
    /// Begins with a flag such as `=>` (or nothing).
    pub fn new(flag: &str) -> Self {
        LineBuilder { text: flag.into() }
    }
    /// Adds an item as it is, after a blank.
    pub fn item(&mut self, text: &[u8]) -> &mut Self {
        if !self.text.is_empty() {
            self.text.push(b' ');
        }
        self.text.extend_from_slice(text);
        self
    }
    /// Adds `NAME=value`.
    pub fn field(&mut self, name: &str, value: &[u8]) -> &mut Self {
        self.item(name.as_bytes());
        self.text.push(b'=');
        self.text.extend_from_slice(value);
        self
    }
    /// Adds `NAME=<address>`.
    pub fn angle(&mut self, name: &str, address: &[u8]) -> &mut Self {
        self.field(name, b"<");
        self.text.extend_from_slice(address);
        self.text.push(b'>');
        self
    }
    /// Adds text with nothing before it.
    pub fn raw(&mut self, text: &[u8]) -> &mut Self {
        self.text.extend_from_slice(text);
        self
    }
    /// The line.
    pub fn build(self) -> BString {
        self.text
    }
}

/// `X=`, `CV=`, `DN=` of a TLS session.
pub fn tls(ctx: &Context, b: &mut LineBuilder, t: &TlsFacts) {
    if let Some(cipher) = t.cipher.as_ref().filter(|_| selected(ctx, Selector::TlsCipher)) {
        b.field("X", cipher);
        if selected(ctx, Selector::TlsResumption) && t.resumption & 0x10 != 0 {
            b.raw(b"*");
        }
    }
    if t.cipher.is_some() && t.verification_configured && selected(ctx, Selector::TlsCertificateVerified) {
        let how: &[u8] = match (t.certificate_verified, t.dane_verified) {
            (true, true) => b"dane",
            (true, false) => b"yes",
            (false, _) => b"no",
        };
        b.field("CV", how);
    }
    if let Some(dn) = t.peerdn.as_ref().filter(|_| selected(ctx, Selector::TlsPeerdn)) {
        b.field("DN", &escape::quoted(&escape::printing(dn, false)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces() {
        let mut b = LineBuilder::new("=>");
        b.item(b"a@b").angle("F", b"").field("R", b"r");
        assert_eq!(b.build(), "=> a@b F=<> R=r");
    }
}
