//! Numbers in base 62, as message ids have them: digits, upper case, lower case.

const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// `n` with exactly `width` digits; higher ones are lost.
pub fn encode(mut n: u64, width: usize) -> Vec<u8> {
    let mut out = vec![b'0'; width];
    for place in out.iter_mut().rev() {
        *place = DIGITS[(n % 62) as usize];
        n /= 62;
    }
    out
}

/// The number; `None` if a character is no digit or it does not fit.
pub fn decode(s: &[u8]) -> Option<u64> {
    s.iter().try_fold(0u64, |n, c| {
        let digit = DIGITS.iter().position(|d| d == c)? as u64;
        n.checked_mul(62)?.checked_add(digit)
    })
}
