//! What a hostile server says to us: banner, answers to EHLO, MAIL, RCPT, DATA and BDAT, some of them before we asked.

use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use super::context;
use crate::smtp_out::reply::MAX_REPLY;
use crate::smtp_out::trouble::Fault;
use crate::smtp_out::wire::{MAX_LINE, Wire};
use crate::smtp_out::{Client, Features, Reply, Send};

/// Nothing is ever waited for: the server has said all of it and gone.
const WAIT: Option<Duration> = Some(Duration::from_secs(5));

/// The first byte says how we speak (LMTP, what is sent ahead, how many recipients), the rest is what the server says.
pub fn smtp_client(data: &[u8]) {
    let Some((how, said)) = data.split_first() else { return };
    let Ok((ours, mut theirs)) = UnixStream::pair() else { return };
    if theirs.write_all(said).is_err() || theirs.shutdown(std::net::Shutdown::Write).is_err() {
        return;
    }
    let ctx = context();
    let mut c = Client::new(&ctx, Wire::socket(OwnedFd::from(ours)), b"server.ex [10.0.0.1]");
    c.command_timeout = WAIT;
    c.lmtp = how & 1 != 0;
    c.pipelined = how & 2 != 0;
    match talk(&mut c, *how) {
        Ok(replies) => replies.iter().for_each(check),
        Err(fault) => {
            if let Fault::Refused(reply) = &fault {
                check(reply);
            }
            let t = c.trouble(fault);
            assert!(t.message.is_none_or(|m| m.len() <= 2 * MAX_REPLY + MAX_LINE));
        }
    }
    let _ = (c.take_settled(), c.history());
    c.quit();
    assert!(c.wire_ref().is_dead());
}

/// A whole reply is one: lines with codes, and no longer than is allowed.
fn check(reply: &Reply) {
    assert!(reply.text.len() <= MAX_REPLY + MAX_LINE);
    assert!(reply.code() < 1000 && reply.class().is_ascii_digit() && (0..100).contains(&reply.retry_code()));
}

fn talk(c: &mut Client, how: u8) -> Result<Vec<Reply>, Fault> {
    if how & 4 != 0 {
        c.banner_later();
        let believed = Features { pipelining: true, chunking: true, ..Features::default() };
        c.ehlo_later(b"host.ex", believed)?;
    } else {
        c.read_greeting()?;
        if let Err(Fault::Refused(_)) = c.ehlo(b"host.ex") {
            c.helo(b"host.ex")?;
        }
    }
    let later = if c.features.pipelining { Send::Later } else { Send::Now };
    let mut replies = Vec::new();
    c.mail(later, b"s@sender.ex", b"")?;
    if later == Send::Now {
        replies.push(c.read(WAIT)?);
    }
    let recipients = usize::from(how >> 3) % 8 + 1;
    for n in 0..recipients {
        c.rcpt(later, format!("r{n}@host.ex").as_bytes(), b"")?;
        if later == Send::Now {
            replies.push(c.read(WAIT)?);
        }
    }
    let awaited = if c.features.chunking {
        let sent = c.send(Send::Now, b"BDAT 3 LAST")?;
        c.write_raw(b"x\r\n", WAIT).map_err(|_| Fault::Closed)?;
        sent
    } else {
        c.send(Send::Now, b"DATA")?
    };
    for _ in 0..awaited {
        replies.push(c.read(WAIT)?);
    }
    if !c.features.chunking && replies.last().is_some_and(|r| r.class() == b'3') {
        c.write_raw(b"x\r\n.\r\n", WAIT).map_err(|_| Fault::Closed)?;
        for _ in 0..if c.lmtp { recipients } else { 1 } {
            replies.push(c.expect(b'2', WAIT)?);
        }
    }
    Ok(replies)
}

#[cfg(test)]
mod tests {
    #[test]
    fn some_servers() {
        for said in [
            "",
            "220 x\r\n250-x\r\n250-PIPELINING\r\n250 SIZE 99999999999999999999\r\n",
            "220-x\r\n221 y\r\n",
            "2",
            "220 x\n500 no\n250 x\n",
        ] {
            for how in [0, 3, 4, 7, 255] {
                super::smtp_client(&[&[how], said.as_bytes()].concat());
            }
        }
    }
}
