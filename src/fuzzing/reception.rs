//! What SMTP clients, proxies and ident servers send.

use std::cell::RefCell;
use std::io::Write as _;
use std::sync::Arc;

use bstr::ByteSlice;

use super::MAX_INPUT;
use crate::config::Config;
use crate::context::session::Input;
use crate::context::{Context, Run};
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

fn site() -> Config {
    let run = Arc::new(Run { log_testing: true, ..Run::default() });
    let services = |config: &Config, run: &Run| {
        let config = Config { site: config.site.clone(), ..Config::default() };
        Context::for_tests(Arc::new(config), Arc::new(run.clone())).services
    };
    crate::config::read::from_text(CONFIG, &run, &services).unwrap_or_default()
}

fn context() -> Context {
    thread_local!(static SITE: RefCell<Option<Arc<Config>>> = const { RefCell::new(None) });
    let config = SITE.with_borrow_mut(|c| c.get_or_insert_with(|| Arc::new(site())).clone());
    assert!(!config.auths.is_empty(), "the configuration of the fuzz target is wrong");
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

/// Answers of ident servers.
pub fn ident(data: &[u8]) {
    if let Some(name) = crate::verify::ident_name(data, 6193, 23) {
        assert!(name.len() <= 127 && !name.contains(&b'\n'));
    }
}
