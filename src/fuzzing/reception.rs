//! What SMTP clients, proxies and ident servers send.

use std::cell::RefCell;
use std::io::Write as _;
use std::sync::Arc;

use bstr::{BString, ByteSlice};

use super::MAX_INPUT;
use crate::config::Config;
use crate::context::session::Input;
use crate::context::{Context, Header, HeaderKind, Run};
use crate::receive::input::FileInput;
use crate::receive::{self, fixup, headers};
use crate::smtp_in::wire::{Wire, WireSlot};
use crate::smtp_in::{self, command, proxy};
use crate::sys::fd;
use crate::text::Text;

/// Everything is offered and accepted; messages stay on a queue that does not exist, so that DATA ends with 451.
const CONFIG: &[u8] = b"\
primary_hostname = host.ex
qualify_domain = host.ex
spool_directory = /nonexistent
keep_environment =
queue_only
tls_advertise_hosts =
chunking_advertise_hosts = *
dsn_advertise_hosts = *
hosts_xclient = *
prdr_enable
smtputf8_advertise_hosts = *
smtp_max_synprot_errors = 1000
smtp_max_unknown_commands = 1000
smtp_accept_max_nonmail = 1000
acl_smtp_auth = accept
acl_smtp_mail = accept
acl_smtp_rcpt = accept
acl_smtp_data = accept
acl_smtp_vrfy = accept
acl_smtp_expn = accept
acl_smtp_etrn = deny
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_condition = ${if eq{$auth2}{u}}
  server_set_id = $auth2
login:
  driver = plaintext
  public_name = LOGIN
  server_prompts = User:: : Pass::
  server_condition = ${if eq{$auth1}{u}}
cram:
  driver = cram_md5
  public_name = CRAM-MD5
  server_secret = ${if eq{$auth1}{u}{secret}fail}
ext:
  driver = external
  public_name = EXTERNAL
  server_param2 = x
  server_condition = ${if eq{$auth1}{u}}
begin routers
r:
  driver = accept
  domains = host.ex
  transport = t
begin transports
t:
  driver = smtp
  hosts = 127.0.0.1
";

/// What has been said before the input begins: its first byte chooses.
const BEFORE: &[&[u8]] = &[
    b"",
    b"EHLO x\r\n",
    b"EHLO x\r\nMAIL FROM:<a@b.ex>",
    b"EHLO x\r\nMAIL FROM:<a@b.ex>\r\nRCPT TO:<r@host.ex>",
    b"EHLO x\r\nMAIL FROM:<a@b.ex>\r\nRCPT TO:<r@host.ex>\r\nDATA\r\n",
    b"EHLO x\r\nMAIL FROM:<a@b.ex>\r\nRCPT TO:<r@host.ex>\r\nBDAT ",
    b"EHLO x\r\nAUTH ",
    b"EHLO x\r\nXCLIENT ",
];

fn context() -> Context {
    thread_local!(static SITE: RefCell<Option<Arc<Config>>> = const { RefCell::new(None) });
    let config = SITE.with_borrow_mut(|c| c.get_or_insert_with(|| Arc::new(crate::fuzzing::configured(CONFIG))).clone());
    let mut ctx = Context::for_tests(config, Arc::new(Run { log_testing: true, ..Run::default() }));
    ctx.session.input = Input::Smtp;
    ctx.session.host_address = Some(Text::clean("192.0.2.1"));
    ctx.session.host_ip = "192.0.2.1".parse().ok();
    ctx.session.host_port = 4711;
    ctx
}

/// A line at whose other end all of it has been said. What does not fit into a pipe is left out.
fn line(parts: &[&[u8]]) -> Option<Wire> {
    let all = parts.concat();
    let (read, write) = fd::pipe().ok()?;
    std::fs::File::from(write).write_all(all.get(..MAX_INPUT * 2).unwrap_or(&all)).ok()?;
    Some(Wire::files(read, None))
}

/// A whole session: commands, parameters, AUTH exchanges, header lines, chunks.
pub fn smtp_session(data: &[u8]) {
    let Some((which, said)) = data.split_first() else { return };
    let before = BEFORE.get(usize::from(*which) % BEFORE.len()).copied().unwrap_or_default();
    if said.len() > MAX_INPUT {
        return;
    }
    let mut ctx = context();
    let Some(wire) = line(&[before, said]) else { return };
    ctx.session.wire = WireSlot::new(wire);
    smtp_in::serve(&mut ctx, &mut |_, _| {});
    assert!(ctx.session.wire.as_ref().is_some_and(|w| w.is_dead()));
}

/// Command lines and the parameters at their ends.
pub fn smtp_command(data: &[u8]) {
    let Some(mut wire) = line(&[data.get(..MAX_INPUT).unwrap_or(data)]) else { return };
    while let Ok(mut line) = command::read_line(&mut wire) {
        assert!(line.text.len() <= command::LINE_LIMIT && !line.text.contains(&0));
        if command::identify(&mut line).is_none() {
            continue;
        }
        let mut rest = line.argument.as_bytes();
        while let Some(p) = command::last_parameter(rest) {
            assert!(p.before < rest.len() && !p.name.is_empty());
            rest = rest.get(..p.before).unwrap_or_default();
        }
    }
}

/// The PROXY header, both versions. What it says must not depend on how it is cut.
pub fn proxy_header(data: &[u8]) {
    let Some(mut wire) = line(&[data.get(..MAX_INPUT).unwrap_or(data)]) else { return };
    let had = data.len();
    if let Ok(ends) = proxy::take(&mut wire) {
        assert!(wire.unread().len() < had);
        assert!(ends.is_none_or(|e| e.source.0.is_ipv4() == e.destination.0.is_ipv4()));
    }
}

/// BDAT: the input's bytes say how long the chunks are that it is cut into. Whatever the chunks hold, the commands behind
/// them must be understood: the session ends in order.
pub fn bdat_chunks(data: &[u8]) {
    let Some((count, mut rest)) = data.split_first() else { return };
    if rest.len() > MAX_INPUT {
        return;
    }
    let mut said = b"EHLO x\r\nMAIL FROM:<a@b.ex>\r\nRCPT TO:<r@host.ex>\r\n".to_vec();
    for n in 0..(*count % 16) {
        let Some((length, after)) = rest.split_first() else { break };
        let (chunk, after) = after.split_at(usize::from(*length).min(after.len()));
        let last = if n + 1 == *count % 16 { " LAST" } else { "" };
        said.extend_from_slice(format!("BDAT {}{last}\r\n", chunk.len()).as_bytes());
        said.extend_from_slice(chunk);
        rest = after;
    }
    said.extend_from_slice(b"QUIT\r\n");
    let mut ctx = context();
    let Some(wire) = line(&[&said]) else { return };
    ctx.session.wire = WireSlot::new(wire);
    smtp_in::serve(&mut ctx, &mut |_, _| {});
    assert_eq!(ctx.session.command_history.last(), Some(&"QUIT"), "{}", said.as_bstr());
}

/// The header section, over SMTP and from a local caller, and what is made of it.
pub fn header_section(data: &[u8]) {
    let Some((how, text)) = data.split_first() else { return };
    let smtp = how & 1 != 0;
    let limits = headers::Limits {
        section: if how & 2 != 0 { 100 } else { 1 << 20 },
        line: if how & 4 != 0 { 60 } else { 0 },
        dot_ends: how & 8 == 0,
        smtp,
        must_crlf: how & 16 != 0,
    };
    let mut ctx = context();
    ctx.message.sender = Some(Text::tainted("a@b.ex"));
    let mut input = receive::input::Input::File(FileInput::bytes(text.get(..MAX_INPUT).unwrap_or(text).to_vec()));
    let (section, result) =
        headers::read(&mut ctx, &mut input, &limits, &mut |ctx, line| receive::from_line::take(ctx, line, smtp));
    assert!(section.size <= limits.section + 2);
    let whole = section.lines.len() - usize::from(result.is_err() && !section.lines.is_empty());
    for line in section.lines.iter().take(whole) {
        assert!(headers::is_header(line) && line.ends_with(b"\n") && !line.contains(&0) && !line.contains(&b'\r'));
        // Only white space follows a line end within it: the spool file has one header line for each.
        assert!(line.trim_end_with(|c| c == '\n').lines().skip(1).all(|l| l.starts_with(b" ") || l.starts_with(b"\t")));
    }
    if result.is_err() {
        return;
    }
    ctx.message.headers.push(Header { kind: HeaderKind::Old, text: BString::default() });
    for line in section.lines {
        ctx.message.headers.push(Header { kind: HeaderKind::Other, text: line });
    }
    let mut found = fixup::scan(&mut ctx, smtp);
    ctx.message.id = "10HmaX-000000005vi-0000".into();
    fixup::message_id(&mut ctx, &mut found);
    fixup::from(&mut ctx, &mut found);
    fixup::sender(&mut ctx, &mut found);
    receive::rewriting::headers(&mut ctx);
    fixup::date(&mut ctx, &mut found);
    for h in &ctx.message.headers {
        assert!(h.text.is_empty() || h.text.ends_with(b"\n"));
    }
}

/// AUTH: each line of the input is one answer of the client, which is sent in base64; the first names the mechanism.
pub fn auth_exchange(data: &[u8]) {
    let mut answers = data.get(..MAX_INPUT / 2).unwrap_or(data).split(|c| *c == b'\n');
    let mechanism = match answers.next().and_then(|m| m.first()) {
        Some(0) | None => "PLAIN",
        Some(1) => "LOGIN",
        Some(2) => "CRAM-MD5",
        _ => "EXTERNAL",
    };
    let mut said = format!("EHLO x\r\nAUTH {mechanism}").into_bytes();
    for (n, answer) in answers.enumerate() {
        said.extend_from_slice(if n == 0 { b" " } else { b"\r\n" });
        said.extend_from_slice(data_encoding::BASE64.encode(answer).as_bytes());
        // The messages of NTLM have decoders of their own.
        if let Some(random) = crate::auths::ntlm::read_challenge(answer) {
            let _ = crate::auths::ntlm::answer(b"d", b"u", answer, &random);
        }
        let _ = crate::auths::ntlm::read_answer(answer);
    }
    said.extend_from_slice(b"\r\nQUIT\r\n");
    let mut ctx = context();
    let Some(wire) = line(&[&said]) else { return };
    ctx.session.wire = WireSlot::new(wire);
    smtp_in::serve(&mut ctx, &mut |_, _| {});
    if let Some(by) = &ctx.session.authenticated_by {
        assert!(["plain", "login", "cram", "ext"].iter().any(|d| by == d), "{by}");
    }
}

/// Answers of ident servers.
pub fn ident(data: &[u8]) {
    if let Some(name) = crate::verify::ident_name(data, 6193, 23) {
        assert!(name.len() <= 127 && !name.contains(&b'\n'));
    }
}
