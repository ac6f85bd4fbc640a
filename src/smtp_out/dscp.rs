//! Names of DSCP values (option `dscp`, `control = dscp`).

use bstr::ByteSlice;

/// Names, and the TOS byte of each (the DSCP is its upper six bits).
const NAMES: &[(&str, u8)] = &[
    ("af11", 0x28),
    ("af12", 0x30),
    ("af13", 0x38),
    ("af21", 0x48),
    ("af22", 0x50),
    ("af23", 0x58),
    ("af31", 0x68),
    ("af32", 0x70),
    ("af33", 0x78),
    ("af41", 0x88),
    ("af42", 0x90),
    ("af43", 0x98),
    ("ef", 0xb8),
    ("lowcost", 0x02),
    ("lowdelay", 0x10),
    ("mincost", 0x02),
    ("reliability", 0x04),
    ("throughput", 0x08),
];

/// The TOS byte for a name or a number from 0 to 63.
pub fn lookup(value: &[u8]) -> Option<u8> {
    let value = value.trim();
    if value.first().is_some_and(u8::is_ascii_digit) {
        let n: u8 = match value.strip_prefix(b"0x").or_else(|| value.strip_prefix(b"0X")) {
            Some(hex) => u8::from_str_radix(hex.to_str().ok()?, 16).ok()?,
            None if value.len() > 1 && value.starts_with(b"0") => u8::from_str_radix(value.to_str().ok()?, 8).ok()?,
            None => value.to_str().ok()?.parse().ok()?,
        };
        return (n < 64).then_some(n << 2);
    }
    NAMES.iter().find(|(name, _)| value.eq_ignore_ascii_case(name.as_bytes())).map(|(_, tos)| *tos)
}

/// All names, for `-bI:dscp`.
pub fn names() -> impl Iterator<Item = &'static str> {
    NAMES.iter().map(|(n, _)| *n)
}

#[cfg(test)]
mod tests {
    #[test]
    fn values() {
        assert_eq!(super::lookup(b"EF"), Some(0xb8));
        assert_eq!(super::lookup(b"0x3f"), Some(0xfc));
        assert_eq!(super::lookup(b"010"), Some(0x20));
        assert_eq!(super::lookup(b"64"), None);
        assert_eq!(super::lookup(b"x"), None);
    }
}
