//! Keys and algorithms of DKIM and ARC: RSA and Ed25519 through OpenSSL, private keys of options, public keys of DNS
//! records (RFC 6376 3.6, RFC 8463).

use bstr::{BString, ByteSlice};
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::md::{Md, MdRef};
use openssl::pkey::{Id, PKey, Private, Public};
use openssl::pkey_ctx::PkeyCtx;
use openssl::rsa::{Padding, Rsa};
use openssl::sign::{Signer, Verifier};

use super::tags::{self, Tags};

/// RSA keys above this take too long to use.
const MAX_RSA_BITS: u32 = 16_384;

/// Hash algorithms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Hash {
    Sha1,
    Sha256,
    Sha512,
}

impl Hash {
    /// As it is written in `a=`.
    pub fn name(self) -> &'static str {
        match self {
            Hash::Sha1 => "sha1",
            Hash::Sha256 => "sha256",
            Hash::Sha512 => "sha512",
        }
    }

    /// By that name.
    pub fn from_name(name: &[u8]) -> Option<Hash> {
        [Hash::Sha1, Hash::Sha256, Hash::Sha512].into_iter().find(|h| h.name().as_bytes().eq_ignore_ascii_case(name))
    }

    /// The same for signatures of digests.
    fn md(self) -> &'static MdRef {
        match self {
            Hash::Sha1 => Md::sha1(),
            Hash::Sha256 => Md::sha256(),
            Hash::Sha512 => Md::sha512(),
        }
    }

    /// For OpenSSL.
    pub fn digest(self) -> MessageDigest {
        match self {
            Hash::Sha1 => MessageDigest::sha1(),
            Hash::Sha256 => MessageDigest::sha256(),
            Hash::Sha512 => MessageDigest::sha512(),
        }
    }
}

/// Kinds of key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum KeyKind {
    Rsa,
    Ed25519,
}

impl KeyKind {
    /// As it is written in `a=` and `k=`.
    pub fn name(self) -> &'static str {
        match self {
            KeyKind::Rsa => "rsa",
            KeyKind::Ed25519 => "ed25519",
        }
    }

    /// By that name.
    pub fn from_name(name: &[u8]) -> Option<KeyKind> {
        [KeyKind::Rsa, KeyKind::Ed25519].into_iter().find(|k| k.name().as_bytes().eq_ignore_ascii_case(name))
    }
}

/// What stands in `a=`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Algorithm {
    /// The kind of key.
    pub key: KeyKind,
    /// The hash of header and body.
    pub hash: Hash,
}

impl Algorithm {
    /// Reads `rsa-sha256` and its like.
    pub fn parse(text: &[u8]) -> Option<Algorithm> {
        let (key, hash) = text.split_once_str(b"-")?;
        Some(Algorithm { key: KeyKind::from_name(key)?, hash: Hash::from_name(hash)? })
    }

    /// As it is written.
    pub fn name(self) -> String {
        format!("{}-{}", self.key.name(), self.hash.name())
    }
}

/// A key record.
#[derive(Clone, Debug, Default)]
pub struct KeyRecord {
    /// `h=`: the hashes that may be used, if there is a limit.
    pub hashes: Option<BString>,
    /// `s=`
    pub service: BString,
    /// `g=`
    pub granularity: BString,
    /// `n=`
    pub notes: BString,
    /// `t=y`
    pub testing: bool,
    /// `t=s`
    pub no_subdomains: bool,
    /// `k=`, as it is written.
    pub kind: BString,
    /// `p=`, decoded; empty for a key that was revoked.
    pub key: Vec<u8>,
}

impl KeyRecord {
    /// Reads a record; `None` if it is none, or is not for mail.
    pub fn parse(text: &[u8]) -> Option<KeyRecord> {
        let tags = Tags::parse(text).ok()?;
        if tags.get("v").is_some_and(|v| v != b"DKIM1") {
            return None;
        }
        let word = |name: &str, default: &str| BString::from(tags.get(name).unwrap_or(default.as_bytes()));
        let flags = tags.compact("t").unwrap_or_default();
        let has = |flag: &[u8]| flags.split(|c| *c == b':').any(|f| f == flag);
        let service = word("s", "*");
        if !service.split(|c| *c == b':').any(|s| matches!(s.trim(), b"*" | b"email")) {
            return None;
        }
        Some(KeyRecord {
            hashes: tags.compact("h").map(BString::from),
            service,
            granularity: word("g", "*"),
            notes: tags::quoted_printable(tags.get("n").unwrap_or_default()).into(),
            testing: has(b"y"),
            no_subdomains: has(b"s"),
            kind: word("k", "rsa"),
            key: tags::base64(tags.get("p")?)?,
        })
    }

    /// May this hash be used with the key?
    pub fn allows(&self, hash: Hash) -> bool {
        self.hashes.as_ref().is_none_or(|list| list.split(|c| *c == b':').any(|h| h == hash.name().as_bytes()))
    }

    /// The key, for signatures of that kind.
    pub fn public_key(&self, kind: KeyKind) -> Option<PublicKey> {
        if self.kind != kind.name() {
            return None;
        }
        PublicKey::from_der(kind, &self.key)
    }
}

/// A public key.
#[derive(Clone, Debug)]
pub struct PublicKey {
    kind: KeyKind,
    key: PKey<Public>,
}

impl PublicKey {
    /// RSA as SubjectPublicKeyInfo (or bare RSAPublicKey), Ed25519 as its 32 bytes (or SubjectPublicKeyInfo).
    pub fn from_der(kind: KeyKind, der: &[u8]) -> Option<PublicKey> {
        let key = match kind {
            KeyKind::Ed25519 if der.len() == 32 => PKey::public_key_from_raw_bytes(der, Id::ED25519).ok()?,
            KeyKind::Ed25519 => PKey::public_key_from_der(der).ok().filter(|k| k.id() == Id::ED25519)?,
            KeyKind::Rsa => match PKey::public_key_from_der(der) {
                Ok(k) => Some(k).filter(|k| k.id() == Id::RSA && k.bits() <= MAX_RSA_BITS)?,
                Err(_) => {
                    let rsa = Rsa::public_key_from_der_pkcs1(der).ok()?;
                    PKey::from_rsa(rsa).ok().filter(|k| k.bits() <= MAX_RSA_BITS)?
                }
            },
        };
        Some(PublicKey { kind, key })
    }

    /// Its length. Of Ed25519 keys, as older OpenSSL had it: the order of the group.
    pub fn bits(&self) -> u32 {
        match self.kind {
            KeyKind::Rsa => self.key.bits(),
            KeyKind::Ed25519 => 253,
        }
    }

    /// Is that the signature of data with this digest? Of RSA keys only.
    pub fn verify_digest(&self, hash: Hash, digest: &[u8], signature: &[u8]) -> bool {
        let result = PkeyCtx::new(&self.key).and_then(|mut c| {
            c.verify_init()?;
            c.set_rsa_padding(Padding::PKCS1)?;
            c.set_signature_md(hash.md())?;
            c.verify(digest, signature)
        });
        self.kind == KeyKind::Rsa && result.unwrap_or(false)
    }

    /// Is that the signature of these data?
    pub fn verify(&self, hash: Hash, data: &[u8], signature: &[u8]) -> bool {
        let result = match self.kind {
            KeyKind::Rsa => Verifier::new(hash.digest(), &self.key).and_then(|mut v| v.verify_oneshot(signature, data)),
            // What is signed is the hash (RFC 8463 3).
            KeyKind::Ed25519 => openssl::hash::hash(hash.digest(), data)
                .and_then(|d| Verifier::new_without_digest(&self.key)?.verify_oneshot(signature, &d)),
        };
        result.unwrap_or(false)
    }
}

/// A private key.
#[derive(Clone, Debug)]
pub struct PrivateKey {
    kind: KeyKind,
    key: PKey<Private>,
}

impl PrivateKey {
    /// Reads PEM text.
    pub fn from_pem(pem: &[u8]) -> Result<PrivateKey, String> {
        // Without the function, a key with a pass phrase would make OpenSSL ask for it on the terminal.
        let key = PKey::private_key_from_pem_callback(pem, |_| Ok(0)).map_err(|e| first_error(&e))?;
        let kind = match key.id() {
            Id::RSA => KeyKind::Rsa,
            Id::ED25519 => KeyKind::Ed25519,
            _ => return Err("unsupported key type".into()),
        };
        Ok(PrivateKey { kind, key })
    }

    /// Its kind.
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// Signs data of which there is only the digest. With RSA keys only.
    pub fn sign_digest(&self, hash: Hash, digest: &[u8]) -> Result<Vec<u8>, String> {
        let result = PkeyCtx::new(&self.key).and_then(|mut c| {
            let mut out = Vec::new();
            c.sign_init()?;
            c.set_rsa_padding(Padding::PKCS1)?;
            c.set_signature_md(hash.md())?;
            c.sign_to_vec(digest, &mut out)?;
            Ok(out)
        });
        result.map_err(|e| first_error(&e))
    }

    /// Signs data.
    pub fn sign(&self, hash: Hash, data: &[u8]) -> Result<Vec<u8>, String> {
        let result = match self.kind {
            KeyKind::Rsa => Signer::new(hash.digest(), &self.key).and_then(|mut s| s.sign_oneshot_to_vec(data)),
            KeyKind::Ed25519 => openssl::hash::hash(hash.digest(), data)
                .and_then(|d| Signer::new_without_digest(&self.key)?.sign_oneshot_to_vec(&d)),
        };
        result.map_err(|e| first_error(&e))
    }
}

fn first_error(e: &ErrorStack) -> String {
    e.errors()
        .first()
        .map(|e| format!("error:{:08X}:{}::{}", e.code(), e.library().unwrap_or(""), e.reason().unwrap_or("")))
        .unwrap_or_else(|| "unknown error".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records() {
        let r = KeyRecord::parse(b"v=DKIM1; t=y:s; s=email; n=a=20note; h=sha1:sha256; p=").unwrap();
        assert!(r.testing && r.no_subdomains && r.key.is_empty() && r.notes == "a note");
        assert!(r.allows(Hash::Sha256) && !r.allows(Hash::Sha512));
        assert!(r.public_key(KeyKind::Rsa).is_none());
        for bad in ["v=DKIM2; p=", "v=DKIM1", "s=tlsa; p=", "p=%%%", "v=DKIM1; p=a; p=b", "v=DKIM1\\; p="] {
            assert!(KeyRecord::parse(bad.as_bytes()).is_none(), "{bad}");
        }
        let big = [b"p=".to_vec(), vec![b'A'; 65_536]].concat();
        assert!(KeyRecord::parse(&big).unwrap().public_key(KeyKind::Rsa).is_none());
    }

    #[test]
    fn ed25519_key_of_rfc_8463() {
        let r = KeyRecord::parse(b"v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=").unwrap();
        assert_eq!(r.public_key(KeyKind::Ed25519).unwrap().bits(), 253);
        assert!(r.public_key(KeyKind::Rsa).is_none());
    }
}
