//! `control = dscp`: the service class of what we send to this peer.

use bstr::ByteSlice;

use crate::context::Context;
use crate::log::debug;
use crate::sys::sockopt;

/// The value of a name or number, as the TOS byte; `None` if there is no such class.
pub fn value(name: &[u8]) -> Option<u8> {
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
        ("cs0", 0x00),
        ("cs1", 0x20),
        ("cs2", 0x40),
        ("cs3", 0x60),
        ("cs4", 0x80),
        ("cs5", 0xa0),
        ("cs6", 0xc0),
        ("cs7", 0xe0),
        ("ef", 0xb8),
        ("lowcost", 0x02),
        ("lowdelay", 0x10),
        ("mincost", 0x02),
        ("reliability", 0x04),
        ("throughput", 0x08),
    ];
    let name = name.trim();
    if let Ok(text) = name.to_str()
        && text.starts_with(|c: char| c.is_ascii_digit())
    {
        let n = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
            Some(hex) => u8::from_str_radix(hex, 16).ok()?,
            None if text.len() > 1 && text.starts_with('0') => u8::from_str_radix(text, 8).ok()?,
            None => text.parse().ok()?,
        };
        return (n <= 0x3f).then_some(n << 2);
    }
    NAMES.iter().find(|(n, _)| n.as_bytes().eq_ignore_ascii_case(name)).map(|(_, v)| *v)
}

/// Sets it on the connection. Trouble with the socket is only noted: the class is a wish.
pub fn set(ctx: &mut Context, arg: &[u8], name: &[u8]) -> Result<(), String> {
    let value = value(name).ok_or_else(|| format!("unrecognised DSCP value in \"control={}\"", arg.as_bstr()))?;
    let Some(fd) = ctx.session.wire.as_ref().and_then(|w| w.descriptor()) else {
        debug!(ctx, ACL, "smtp input is probably not a socket, not setting DSCP");
        return Ok(());
    };
    match sockopt::set_tos(fd, value) {
        Ok(()) => debug!(ctx, ACL, "set input DSCP to \"{}\"", name.as_bstr()),
        Err(e) => debug!(ctx, ACL, "failed to set input DSCP[{}]: {}", name.as_bstr(), crate::sys::error_text(&e)),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn values() {
        assert_eq!(super::value(b"EF"), Some(0xb8));
        assert_eq!(super::value(b"0x3f"), Some(0xfc));
        assert_eq!(super::value(b"64"), None);
        assert_eq!(super::value(b"x"), None);
    }
}
