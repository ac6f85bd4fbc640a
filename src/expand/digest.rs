//! Digests, plain and keyed, for operators and items. An algorithm is looked up in the TLS library once for the process: the
//! library's own way to name one costs more than the digest of a short string.

use std::sync::OnceLock;

use openssl::error::ErrorStack;
use openssl::md::Md;
use openssl::md_ctx::MdCtx;
use openssl::sha::{Sha1, Sha256};
use smallvec::SmallVec;

use super::{ExpandError, failed};

/// The bytes of a digest.
pub type Digest = SmallVec<[u8; 32]>;

/// The algorithms that expansions know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    Md5,
    Sha1,
    Sha256,
    Sha384,
    Sha512,
    Sha3_224,
    Sha3_256,
    Sha3_384,
    Sha3_512,
}

/// Their names in the library, in the order of the enum.
const NAMES: [&str; 9] = ["MD5", "SHA1", "SHA2-256", "SHA2-384", "SHA2-512", "SHA3-224", "SHA3-256", "SHA3-384", "SHA3-512"];
static FOUND: [OnceLock<Option<Md>>; NAMES.len()] = [const { OnceLock::new() }; NAMES.len()];

/// Bytes that MD5 and SHA-1 and SHA-256 take at a time (RFC 2104 calls it B).
const BLOCK: usize = 64;

/// The digest of the pieces, one after the other.
fn digest_of(algorithm: Algorithm, pieces: &[&[u8]]) -> Result<Digest, String> {
    // For these the library has a way without contexts, which for short strings are most of the work.
    match algorithm {
        Algorithm::Sha1 => {
            let mut sha = Sha1::new();
            pieces.iter().for_each(|p| sha.update(p));
            return Ok(Digest::from_slice(&sha.finish()));
        }
        Algorithm::Sha256 => {
            let mut sha = Sha256::new();
            pieces.iter().for_each(|p| sha.update(p));
            return Ok(Digest::from_slice(&sha.finish()));
        }
        _ => {}
    }
    let n = algorithm as usize;
    let found = FOUND[n].get_or_init(|| Md::fetch(None, NAMES[n], None).ok());
    let Some(md) = found else { return Err(format!("the TLS library refuses {}", NAMES[n])) };
    let run = || -> Result<Digest, ErrorStack> {
        let mut ctx = MdCtx::new()?;
        ctx.digest_init(md)?;
        for piece in pieces {
            ctx.digest_update(piece)?;
        }
        let mut out = Digest::from_elem(0, md.size());
        let len = ctx.digest_final(&mut out)?;
        out.truncate(len);
        Ok(out)
    };
    run().map_err(|e| e.to_string())
}

/// The digest of a string.
pub fn digest(algorithm: Algorithm, data: &[u8]) -> Result<Digest, ExpandError> {
    digest_of(algorithm, &[data]).or_else(|e| failed(format!("hashing failed: {e}")))
}

/// A keyed digest (HMAC, RFC 2104) with MD5, SHA-1 or SHA-256. An empty key is allowed.
pub fn keyed_digest(algorithm: Algorithm, key: &[u8], data: &[u8]) -> Result<Digest, ExpandError> {
    debug_assert!(matches!(algorithm, Algorithm::Md5 | Algorithm::Sha1 | Algorithm::Sha256));
    let run = || {
        let mut block = [0u8; BLOCK];
        if key.len() > BLOCK {
            let short = digest_of(algorithm, &[key])?;
            block.iter_mut().zip(short).for_each(|(b, k)| *b = k);
        } else {
            block.iter_mut().zip(key).for_each(|(b, k)| *b = *k);
        }
        let inner = digest_of(algorithm, &[&block.map(|b| b ^ 0x36), data])?;
        digest_of(algorithm, &[&block.map(|b| b ^ 0x5c), &inner])
    };
    run().or_else(|e: String| failed(format!("hmac failed: {e}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: Result<Digest, ExpandError>) -> String {
        data_encoding::HEXLOWER.encode(&bytes.unwrap())
    }

    /// The test cases of RFC 2202, and OpenSSL's own answer for a long key.
    #[test]
    fn keyed() {
        assert_eq!(
            hex(keyed_digest(Algorithm::Md5, b"Jefe", b"what do ya want for nothing?")),
            "750c783e6ab0b503eaa86e310a5db738"
        );
        assert_eq!(
            hex(keyed_digest(Algorithm::Sha1, b"Jefe", b"what do ya want for nothing?")),
            "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"
        );
        assert_eq!(
            hex(keyed_digest(Algorithm::Md5, &[0xaa; 80], b"Test Using Larger Than Block-Size Key - Hash Key First")),
            "6b1ab7fe4bd7bf8f0b62e6ce61b9d0cd"
        );
        assert_eq!(hex(keyed_digest(Algorithm::Md5, b"", b"")), "74e6f7298a9c2d168935f58c001bad88");
    }

    #[test]
    fn every_algorithm_is_there() {
        let lengths = [16, 20, 32, 48, 64, 28, 32, 48, 64];
        let all = [
            Algorithm::Md5,
            Algorithm::Sha1,
            Algorithm::Sha256,
            Algorithm::Sha384,
            Algorithm::Sha512,
            Algorithm::Sha3_224,
            Algorithm::Sha3_256,
            Algorithm::Sha3_384,
            Algorithm::Sha3_512,
        ];
        for (algorithm, length) in all.into_iter().zip(lengths) {
            assert_eq!(digest(algorithm, b"x").unwrap().len(), length, "{algorithm:?}");
        }
        assert_eq!(hex(digest(Algorithm::Md5, b"")), "d41d8cd98f00b204e9800998ecf8427e");
    }
}
