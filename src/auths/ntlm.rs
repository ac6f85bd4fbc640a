//! NTLM's messages and responses (MS-NLMP, version 1), for the `spa` authenticator. No I/O.
//!
//! MD4 is here because OpenSSL 3 keeps it out of the default provider; nothing else may use it. DES comes from OpenSSL as
//! triple DES with three equal keys.

use openssl::symm::{Cipher, Crypter, Mode};

const SIGNATURE: &[u8] = b"NTLMSSP\0";
/// UNICODE, REQUEST_TARGET, NTLM, ALWAYS_SIGN.
const CLIENT_FLAGS: u32 = 0x8205;
/// UNICODE, NTLM, ALWAYS_SIGN.
const SERVER_FLAGS: u32 = 0x8201;
const UNICODE: u32 = 1;

/// The server's random number.
pub type Challenge = [u8; 8];

/// What a client answers to a challenge.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    /// Who it says it is.
    pub user: Vec<u8>,
    /// The response made with the NT hash of the password.
    pub response: Vec<u8>,
}

/// Message 1, the request. The domain is ASCII or left out.
pub fn request(domain: &[u8]) -> Vec<u8> {
    let domain: &[u8] = if domain.is_ascii() { domain } else { b"" };
    let supplied = if domain.is_empty() { 0 } else { 0x1000 };
    let mut out = head(1);
    out.extend((CLIENT_FLAGS | supplied).to_le_bytes());
    buffer(&mut out, domain.len(), 32);
    buffer(&mut out, 0, 32);
    out.extend(domain);
    out
}

/// Message 2, the challenge; it names no target.
pub fn challenge(random: &Challenge) -> Vec<u8> {
    let mut out = head(2);
    // An empty name; where it would be is as the reference writes it, which no client looks at.
    out.extend([0, 0, 0, 0, 0, 0x28, 0, 0]);
    out.extend(SERVER_FLAGS.to_le_bytes());
    out.extend(random);
    out.extend([0; 16]);
    out
}

/// Reads message 2.
pub fn read_challenge(message: &[u8]) -> Option<Challenge> {
    body(message, 2)?.get(24..)?.first_chunk().copied()
}

/// Message 3, the answer.
pub fn answer(domain: &[u8], user: &[u8], password: &[u8], random: &Challenge) -> Option<Vec<u8>> {
    let response = response(password, random)?;
    let (domain, user) = (utf16(domain), utf16(user));
    let mut out = head(3);
    // The field for the LM response has the better one too: the LM hash is as good as the password.
    let parts: [&[u8]; 6] = [&response, &response, &domain, &user, b"", b""];
    let mut at = 64;
    for part in parts {
        buffer(&mut out, part.len(), at);
        at += part.len();
    }
    out.extend(SERVER_FLAGS.to_le_bytes());
    out.extend(parts.concat());
    // The lengths are 16 bits.
    (at < usize::from(u16::MAX)).then_some(out)
}

/// Reads message 3.
pub fn read_answer(message: &[u8]) -> Option<Answer> {
    let b = body(message, 3)?;
    // Old clients leave the flags out.
    let unicode = u32_at(b, 60).is_none_or(|f| f & UNICODE != 0);
    let user = field(b, 36)?;
    let user = if unicode { from_utf16(user)? } else { user.to_vec() };
    Some(Answer { user, response: field(b, 20)?.to_vec() })
}

/// The 24 bytes that prove the knowledge of the password. `None`: the library has no DES.
pub fn response(password: &[u8], random: &Challenge) -> Option<Vec<u8>> {
    let mut keys = [0u8; 21];
    keys.get_mut(..16)?.copy_from_slice(&md4(&utf16(password)));
    let mut out = Vec::with_capacity(24);
    for key in keys.chunks_exact(7) {
        out.extend(des(key, random)?);
    }
    Some(out)
}

fn head(kind: u32) -> Vec<u8> {
    let mut out = SIGNATURE.to_vec();
    out.extend(kind.to_le_bytes());
    out
}

fn buffer(out: &mut Vec<u8>, len: usize, at: usize) {
    let len16 = u16::try_from(len).unwrap_or(u16::MAX);
    out.extend(len16.to_le_bytes());
    out.extend(len16.to_le_bytes());
    out.extend(u32::try_from(at).unwrap_or(u32::MAX).to_le_bytes());
}

fn u32_at(b: &[u8], at: usize) -> Option<u32> {
    b.get(at..)?.first_chunk().map(|c| u32::from_le_bytes(*c))
}

fn body(message: &[u8], kind: u32) -> Option<&[u8]> {
    (message.starts_with(SIGNATURE) && u32_at(message, 8)? == kind).then_some(message)
}

/// What a pair of length and place says; it must be wholly inside the message.
fn field(b: &[u8], at: usize) -> Option<&[u8]> {
    let len = usize::from(u16::from_le_bytes(*b.get(at..)?.first_chunk()?));
    if len == 0 {
        return Some(b"");
    }
    b.get(usize::try_from(u32_at(b, at + 4)?).ok()?..)?.get(..len)
}

/// UTF-16LE of UTF-8, or of Latin-1 if it is not UTF-8.
fn utf16(text: &[u8]) -> Vec<u8> {
    match std::str::from_utf8(text) {
        Ok(s) => s.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        Err(_) => text.iter().flat_map(|c| [*c, 0]).collect(),
    }
}

fn from_utf16(b: &[u8]) -> Option<Vec<u8>> {
    let (units, rest) = b.as_chunks::<2>();
    let units: Vec<u16> = units.iter().map(|u| u16::from_le_bytes(*u)).collect();
    String::from_utf16(&units).ok().filter(|_| rest.is_empty()).map(String::into_bytes)
}

/// One block of DES with a key of 56 bits.
fn des(key: &[u8], block: &Challenge) -> Option<[u8; 8]> {
    let bits = key.iter().fold(0u64, |n, b| n << 8 | u64::from(*b));
    let mut one = [0u8; 8];
    for (i, byte) in one.iter_mut().enumerate() {
        // Seven bits in each byte; the lowest is parity, which nobody looks at.
        *byte = ((bits >> (49 - 7 * i)) as u8) << 1;
    }
    let mut crypter = Crypter::new(Cipher::des_ede3(), Mode::Encrypt, &one.repeat(3), None).ok()?;
    crypter.pad(false);
    let mut out = [0u8; 16];
    (crypter.update(block, &mut out).ok()? == 8).then_some(())?;
    out.first_chunk().copied()
}

/// RFC 1320.
fn md4(data: &[u8]) -> [u8; 16] {
    let mut padded = data.to_vec();
    padded.push(0x80);
    padded.resize(padded.len().next_multiple_of(64), 0);
    if padded.len() - data.len() < 9 {
        padded.resize(padded.len() + 64, 0);
    }
    let end = padded.len() - 8;
    padded.truncate(end);
    padded.extend((data.len() as u64).wrapping_mul(8).to_le_bytes());
    let mut state = [0x6745_2301u32, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];
    for block in padded.chunks_exact(64) {
        let mut words = [0u32; 16];
        for (word, bytes) in words.iter_mut().zip(block.as_chunks::<4>().0) {
            *word = u32::from_le_bytes(*bytes);
        }
        state = md4_block(state, &words);
    }
    let mut out = [0u8; 16];
    for (to, word) in out.as_chunks_mut::<4>().0.iter_mut().zip(state) {
        *to = word.to_le_bytes();
    }
    out
}

fn md4_block(state: [u32; 4], words: &[u32; 16]) -> [u32; 4] {
    // Each round: the order of the words, the shifts, the constant.
    const ROUNDS: [([usize; 16], [u32; 4], u32); 3] = [
        ([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15], [3, 7, 11, 19], 0),
        ([0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15], [3, 5, 9, 13], 0x5a82_7999),
        ([0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15], [3, 9, 11, 15], 0x6ed9_eba1),
    ];
    let [mut a, mut b, mut c, mut d] = state;
    for (round, (order, shifts, constant)) in ROUNDS.iter().enumerate() {
        for (word, shift) in order.iter().zip(shifts.iter().cycle()) {
            let f = match round {
                0 => (b & c) | (!b & d),
                1 => (b & c) | (b & d) | (c & d),
                _ => b ^ c ^ d,
            };
            let word = words.get(*word).copied().unwrap_or_default();
            let next = a.wrapping_add(f).wrapping_add(word).wrapping_add(*constant).rotate_left(*shift);
            (a, b, c, d) = (d, next, b, c);
        }
    }
    let [s0, s1, s2, s3] = state;
    [s0.wrapping_add(a), s1.wrapping_add(b), s2.wrapping_add(c), s3.wrapping_add(d)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_1320() {
        let hex = |b: &[u8]| data_encoding::HEXLOWER.encode(&md4(b));
        assert_eq!(hex(b""), "31d6cfe0d16ae931b73c59d7e0c089c0");
        assert_eq!(hex(b"message digest"), "d9130a8164549fe818874806e1c7014b");
        let digits = b"1234567890".repeat(8);
        assert_eq!(hex(&digits), "e33b4ddc9c38f2199c3e7b164fcc0536");
    }

    // MS-NLMP 4.2.2: NTLM version 1 with the password "Password".
    #[test]
    fn ms_nlmp() {
        let random = [0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef];
        let wanted = "67c43011f30298a2ad35ece64f16331c44bdbed927841f94";
        assert_eq!(data_encoding::HEXLOWER.encode(&response(b"Password", &random).unwrap()), wanted);
    }

    #[test]
    fn round() {
        let random = *b"\x01\x02\x03\x04\x05\x06\x07\xff";
        assert_eq!(read_challenge(&challenge(&random)), Some(random));
        let message = answer(b"DOM", "J\u{f6}rg".as_bytes(), b"secret", &random).unwrap();
        let got = read_answer(&message).unwrap();
        assert_eq!(got.user, "J\u{f6}rg".as_bytes());
        assert_eq!(got.response, response(b"secret", &random).unwrap());
        assert_eq!(request(b"DOM").len(), 35);
    }

    #[test]
    fn hostile() {
        let whole = answer(b"D", b"user", b"pw", &[7; 8]).unwrap();
        for cut in 0..whole.len() {
            let _ = read_answer(&whole[..cut]);
            let _ = read_challenge(&whole[..cut]);
        }
        let mut bad = whole.clone();
        bad[40..44].fill(0xff);
        assert_eq!(read_answer(&bad), None);
        bad[36..38].fill(0xff);
        bad[40..44].fill(0);
        assert_eq!(read_answer(&bad), None);
    }
}
