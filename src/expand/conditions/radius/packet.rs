//! The packets of RFC 2865 that a password check needs. No I/O.

use openssl::error::ErrorStack;
use openssl::hash::{Hasher, MessageDigest};
use openssl::pkey::PKey;
use openssl::sign::Signer;

/// What a server says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Accept,
    Reject,
    /// It wants to know more, which nobody here can say.
    Challenge,
}

/// A request, and what is needed to know its answer.
pub struct Request {
    id: u8,
    authenticator: [u8; 16],
    /// As it goes out.
    pub bytes: Vec<u8>,
}

const HEAD: usize = 20;
const MAX_PACKET: usize = 4096;
/// A password is hidden in blocks of sixteen bytes, at most eight.
const MAX_PASSWORD: usize = 128;
const MAX_VALUE: usize = 253;

const ACCESS_REQUEST: u8 = 1;
const USER_NAME: u8 = 1;
const USER_PASSWORD: u8 = 2;
const SERVICE_TYPE: u8 = 6;
const AUTHENTICATE_ONLY: [u8; 4] = [0, 0, 0, 8];
const NAS_IDENTIFIER: u8 = 32;
const MESSAGE_AUTHENTICATOR: u8 = 80;

/// Makes an Access-Request. `random` is the identifier and the authenticator.
pub fn request(user: &[u8], password: &[u8], nas: &[u8], secret: &[u8], random: &[u8; 17]) -> Result<Request, String> {
    if user.is_empty() || user.len() > MAX_VALUE || password.len() > MAX_PASSWORD {
        return Err("the user name or the password is too long".into());
    }
    let (id, authenticator) = (random[0], std::array::from_fn(|n| random[n + 1]));
    let library = |e: ErrorStack| format!("the library cannot do it: {e}");
    let hidden = hide(password, secret, &authenticator).map_err(library)?;
    let mut bytes = vec![ACCESS_REQUEST, id, 0, 0];
    bytes.extend(authenticator);
    // First, so that what a forger could put before it is nothing (CVE-2024-3596).
    attribute(&mut bytes, MESSAGE_AUTHENTICATOR, &[0; 16]);
    attribute(&mut bytes, USER_NAME, user);
    attribute(&mut bytes, USER_PASSWORD, &hidden);
    attribute(&mut bytes, SERVICE_TYPE, &AUTHENTICATE_ONLY);
    attribute(&mut bytes, NAS_IDENTIFIER, nas.get(..MAX_VALUE).unwrap_or(nas));
    let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX).to_be_bytes();
    bytes.splice(2..4, length);
    let mac = hmac(secret, &bytes).map_err(library)?;
    bytes.splice(HEAD + 2..HEAD + 18, mac);
    Ok(Request { id, authenticator, bytes })
}

impl Request {
    /// What a packet says, if it is the answer: only who knows the secret can have made it.
    pub fn answer(&self, packet: &[u8], secret: &[u8]) -> Option<Verdict> {
        let length = usize::from(u16::from_be_bytes(*packet.get(2..)?.first_chunk()?));
        let packet = packet.get(..length).filter(|p| (HEAD..=MAX_PACKET).contains(&p.len()) && p.get(1) == Some(&self.id))?;
        let verdict = match packet.first()? {
            2 => Verdict::Accept,
            3 => Verdict::Reject,
            11 => Verdict::Challenge,
            _ => return None,
        };
        let (head, attributes) = packet.split_at_checked(HEAD)?;
        let digest = md5(&[head.get(..4)?, &self.authenticator, attributes, secret]).ok()?;
        if !openssl::memcmp::eq(&digest, head.get(4..)?) {
            return None;
        }
        let mut signed = packet.to_vec();
        signed.splice(4..HEAD, self.authenticator);
        let mut at = HEAD;
        while at < length {
            let (kind, size) = (*packet.get(at)?, usize::from(*packet.get(at + 1)?));
            let value = packet.get(at + 2..at + size).filter(|_| size >= 2)?;
            if kind == MESSAGE_AUTHENTICATOR {
                signed.splice(at + 2..at + size, std::iter::repeat_n(0, value.len()));
                let mac = hmac(secret, &signed).ok()?;
                (value.len() == mac.len() && openssl::memcmp::eq(value, &mac)).then_some(())?;
            }
            at += size;
        }
        Some(verdict)
    }
}

fn attribute(out: &mut Vec<u8>, kind: u8, value: &[u8]) {
    out.extend([kind, u8::try_from(value.len() + 2).unwrap_or(u8::MAX)]);
    out.extend_from_slice(value);
}

/// RFC 2865, 5.2: each block is mixed with a digest of the secret and the block before it.
fn hide(password: &[u8], secret: &[u8], authenticator: &[u8]) -> Result<Vec<u8>, ErrorStack> {
    let mut padded = password.to_vec();
    padded.resize(password.len().max(1).next_multiple_of(16), 0);
    let mut out: Vec<u8> = Vec::new();
    for block in padded.chunks(16) {
        let before = out.rchunks(16).next().unwrap_or(authenticator);
        let mask = md5(&[secret, before])?;
        out.extend(block.iter().zip(mask).map(|(a, b)| a ^ b));
    }
    Ok(out)
}

fn md5(parts: &[&[u8]]) -> Result<Vec<u8>, ErrorStack> {
    let mut hasher = Hasher::new(MessageDigest::md5())?;
    for part in parts {
        hasher.update(part)?;
    }
    Ok(hasher.finish()?.to_vec())
}

fn hmac(secret: &[u8], data: &[u8]) -> Result<Vec<u8>, ErrorStack> {
    Signer::new(MessageDigest::md5(), &*PKey::hmac(secret)?)?.sign_oneshot_to_vec(data)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &[u8] = b"xyzzy5461";

    fn answer(r: &Request, code: u8, attributes: &[u8]) -> Vec<u8> {
        let length = u16::try_from(HEAD + attributes.len()).unwrap().to_be_bytes();
        let head = [&[code, r.id][..], &length].concat();
        let digest = md5(&[&head, &r.authenticator, attributes, SECRET]).unwrap();
        [&head[..], &digest, attributes].concat()
    }

    // RFC 2865, 7.1: the user "nemo" and the password "arctangent".
    #[test]
    fn rfc_2865() {
        let authenticator = data_encoding::HEXLOWER.decode(b"0f403f9473978057bd83d5cb98f4227a").unwrap();
        let hidden = hide(b"arctangent", SECRET, &authenticator).unwrap();
        assert_eq!(data_encoding::HEXLOWER.encode(&hidden), "0dbe708d93d413ce3196e43f782a0aee");
    }

    #[test]
    fn answers() {
        let r = request(b"nemo", b"arctangent", b"host", SECRET, &[7; 17]).unwrap();
        assert_eq!(usize::from(u16::from_be_bytes([r.bytes[2], r.bytes[3]])), r.bytes.len());
        for (code, verdict) in [(2, Verdict::Accept), (3, Verdict::Reject), (11, Verdict::Challenge)] {
            assert_eq!(r.answer(&answer(&r, code, b"\x12\x04hi"), SECRET), Some(verdict));
        }
        assert_eq!(r.answer(&answer(&r, 2, b""), b"other"), None);
        assert_eq!(r.answer(&answer(&r, 5, b""), SECRET), None);
    }

    #[test]
    fn hostile() {
        let r = request(b"nemo", &[b'x'; 128], b"host", SECRET, &[7; 17]).unwrap();
        let good = answer(&r, 2, b"\x12\x04hi");
        for cut in 0..good.len() {
            assert_eq!(r.answer(&good[..cut], SECRET), None);
        }
        for n in 0..good.len() {
            let mut bad = good.clone();
            bad[n] ^= 1;
            assert_eq!(r.answer(&bad, SECRET), None, "{n}");
        }
        // Attributes that do not add up, and a wrong message authenticator, under a right digest.
        for attributes in [&b"\x12"[..], b"\x12\x00", b"\x12\x01", b"\x12\x09hi", b"\x50\x12aaaaaaaaaaaaaaaa", b"\x50\x02"] {
            assert_eq!(r.answer(&answer(&r, 2, attributes), SECRET), None, "{attributes:?}");
        }
        assert!(request(b"u", &[b'x'; 129], b"h", SECRET, &[0; 17]).is_err());
        assert!(request(b"", b"p", b"h", SECRET, &[0; 17]).is_err());
    }
}
