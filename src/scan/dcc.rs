//! DCC (EXPERIMENTAL_DCC): the `dcc` condition asks dccifd, a daemon of the Distributed Checksum Clearinghouses, what it
//! thinks of the message; once for each message.
//!
//! The request is lines of text (options, client, HELO, sender, recipients, an empty line) and the message; the answer is a
//! letter for the message, letters for the recipients, and a header line.

use bstr::{BString, ByteSlice};

use super::conditions::{Argument, DEFAULT_TIME};
use super::link::{Link, Place, why};
use super::{mbox, panic_log};
use crate::acl::Verdict;
use crate::context::names::host_and_ident;
use crate::context::{Context, Header, HeaderKind};
use crate::expand::variables::body::Body;
use crate::log::{self, Which, hdebug};
use crate::receive::kinds;
use crate::text::Text;

/// Longest `$dcc_header`.
const MAX_HEADER: usize = 120;
/// What dccifd takes for the client when there is none.
const NO_CLIENT: &[u8] = b"127.0.0.1";

/// What is remembered of the message.
#[derive(Clone, Debug, Default)]
pub struct State {
    answer: Option<Answer>,
    /// `$dcc_header`
    pub header: BString,
}

impl State {
    /// `$dcc_result`
    pub fn result(&self) -> &'static str {
        match self.answer {
            None => "",
            Some(Answer::Accept) => "A",
            Some(Answer::Reject) => "R",
            Some(Answer::Greylist) => "G",
            Some(Answer::Temporary | Answer::Unknown) => "T",
        }
    }
}

/// The overall answer. One that accepts for some recipients only counts as acceptance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Accept,
    Reject,
    Greylist,
    Temporary,
    Unknown,
}

/// The condition. An error in the argument is for the log.
pub fn test(ctx: &mut Context, arg: &Text) -> Result<Verdict, String> {
    let Some(argument) = Argument::read("dcc", arg, false)? else { return Ok(Verdict::Fail) };
    let deferred = if argument.defer_ok { Verdict::Ok } else { Verdict::Defer };
    let answer = match ctx.message.scan.dcc.answer {
        Some(answer) => answer,
        None => match ask(ctx) {
            Ok((answer, header)) => {
                keep(ctx, answer, &header);
                answer
            }
            Err(text) => {
                panic_log(ctx, format!("dcc acl condition: {text}").as_bytes());
                return Ok(deferred);
            }
        },
    };
    Ok(match answer {
        Answer::Accept => Verdict::Ok,
        Answer::Reject | Answer::Greylist => Verdict::Fail,
        Answer::Temporary | Answer::Unknown => deferred,
    })
}

fn ask(ctx: &mut Context) -> Result<(Answer, BString), String> {
    let address = BString::from(ctx.config.main.dccifd_address.raw().unwrap_or_default());
    let place = Place::read(&address).ok_or_else(|| format!("invalid dccifd_address '{address}'"))?;
    let mut body = match &ctx.message.body {
        Some(source) => Body::open(source).map_err(|e| format!("cannot open the message: {}", crate::sys::error_text(&e)))?,
        None => return Err("there is no message".into()),
    };
    let head = request(ctx);
    let mut link = Link::open(ctx, &place, DEFAULT_TIME, None)?;
    hdebug!(ctx, ACL, "dcc: asking {}", link.peer);
    link.send(&head)
        .and_then(|()| link.send_file(&mut body))
        .map_err(|e| format!("cannot write to dccifd {}: {}", link.peer, why(&e)))?;
    link.end_sending();
    let reply = link.rest().map_err(|e| format!("cannot read from dccifd {}: {}", link.peer, why(&e)))?;
    if reply.is_empty() {
        return Err(format!("no answer from dccifd {}", link.peer));
    }
    Ok(read(&reply))
}

/// Everything up to the body.
fn request(ctx: &Context) -> Vec<u8> {
    let mut lines: Vec<&[u8]> = vec![ctx.config.main.dccifd_options.raw().unwrap_or_default()];
    let named = |name: &str| ctx.acl.message.get(name.as_bytes().as_bstr()).filter(|t| !t.is_empty());
    let client = named("_dcc_override_client_ip").or(ctx.session.host_address.as_ref());
    lines.push(client.map_or(NO_CLIENT, |t| t.as_bytes()));
    lines.push(b"HELO localhost");
    let sender = ctx.message.sender.as_deref().filter(|s| !s.is_empty()).unwrap_or(b"<>");
    lines.push(sender);
    lines.extend(ctx.message.recipients.iter().map(|r| r.address.as_bytes()));
    let mut out = Vec::new();
    for line in lines {
        // A line end in one would be another line.
        out.extend(line.iter().filter(|c| !matches!(c, b'\n' | b'\r')));
        out.push(b'\n');
    }
    out.push(b'\n');
    for h in ctx.message.headers.iter().filter(|h| h.kind != HeaderKind::Old) {
        out.extend_from_slice(&h.text);
    }
    out.extend_from_slice(b"\r\n");
    out
}

/// The overall letter, and the header line with its continuation lines.
fn read(reply: &[u8]) -> (Answer, BString) {
    let mut parts = reply.splitn_str(3, "\n");
    let letter = parts.next().unwrap_or_default().trim();
    let header = parts.nth(1).unwrap_or_default().trim_end();
    let answer = match letter {
        b"A" | b"S" => Answer::Accept,
        b"R" => Answer::Reject,
        b"G" => Answer::Greylist,
        b"T" => Answer::Temporary,
        _ => Answer::Unknown,
    };
    let header = if header.starts_with(b"X-DCC") { header.into() } else { BString::default() };
    (answer, header)
}

fn keep(ctx: &mut Context, answer: Answer, header: &BString) {
    let state = &mut ctx.message.scan.dcc;
    state.answer = Some(answer);
    state.header = header.get(..MAX_HEADER).unwrap_or(header).into();
    let says = match answer {
        Answer::Reject => Some("rejected by DCC"),
        Answer::Temporary => Some("temporarily rejected by DCC"),
        Answer::Unknown => Some("Unknown DCC response"),
        Answer::Accept | Answer::Greylist => None,
    };
    if let Some(says) = says {
        let sender = ctx.message.sender.clone().unwrap_or_default();
        let text = [&host_and_ident(ctx, true)[..], b" F=<", &sender, b">: ", says.as_bytes()].concat();
        log::write(ctx, None, Which::MAIN, &text);
    }
    if ctx.config.main.dcc_direct_add_header {
        let more = ctx.acl.message.get("_dcc_add_header".as_bytes().as_bstr()).map(|t| BString::from(t.as_bytes()));
        for text in [Some(header.clone()), more].into_iter().flatten().filter(|t| !t.is_empty()) {
            let text = BString::from([text.trim_end_with(|c| c == '\n'), b"\n"].concat());
            ctx.message.headers.push(Header { kind: kinds::spool_kind(&text), text });
        }
        mbox::make_anew(ctx);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies() {
        let (answer, header) = read(b"A\nAAR\nX-DCC-x-Metrics: host 1; Body=1\n\n");
        assert_eq!((answer, header.to_string()), (Answer::Accept, "X-DCC-x-Metrics: host 1; Body=1".into()));
        for (reply, wanted) in [
            ("S\n\n\n", Answer::Accept),
            ("R\n", Answer::Reject),
            ("G", Answer::Greylist),
            ("T\nT\n", Answer::Temporary),
            ("Accept\n", Answer::Unknown),
            ("\n\n\n", Answer::Unknown),
        ] {
            assert_eq!(read(reply.as_bytes()), (wanted, BString::default()), "{reply}");
        }
        assert_eq!(read(b"A\nA\nSubject: x\n").1, "");
    }
}
