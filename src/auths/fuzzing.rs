//! What the fuzz targets of this room call: both sides of each mechanism's dialogue, and Dovecot's service.

use std::sync::Arc;

use super::{AuthResult, ClientDialogue, ServerDialogue, dovecot, ntlm, oauth};
use crate::config::Config;
use crate::context::{Context, Run};

const CONFIG: &[u8] = b"\
primary_hostname = host.ex
qualify_domain = host.ex
spool_directory = /nonexistent
keep_environment =
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${if eq{$auth2}{u}}
  client_send = ^u^p
login:
  driver = plaintext
  public_name = LOGIN
  server_prompts = User:: : Pass::
  server_condition = ${if eq{$auth1}{u}}
  client_send = : u : p
cram:
  driver = cram_md5
  public_name = CRAM-MD5
  server_secret = ${if eq{$auth1}{u}{secret}fail}
  client_name = u
  client_secret = p
spa:
  driver = spa
  public_name = NTLM
  server_password = ${if eq{$auth1}{u}{secret}fail}
  client_username = u
  client_password = p
  client_domain = d
ext:
  driver = external
  public_name = EXTERNAL
  server_param2 = x
  server_condition = ${if eq{$auth1}{u}}
  client_send = u
";

fn context() -> Context {
    thread_local!(static SITE: Arc<Config> = Arc::new(crate::fuzzing::configured(CONFIG)));
    let config = SITE.with(Arc::clone);
    Context::for_tests(config, Arc::new(Run { log_testing: true, ..Run::default() }))
}

/// What the peer says, line by line; nothing after the last.
struct Peer<'a>(std::slice::Split<'a, u8, fn(&u8) -> bool>);

impl<'a> Peer<'a> {
    fn new(data: &'a [u8]) -> Self {
        Peer(data.split(|c| *c == b'\n'))
    }
}

impl ServerDialogue for Peer<'_> {
    fn prompt(&mut self, _: &mut Context, _: &[u8]) -> Result<Vec<u8>, AuthResult> {
        match self.0.next() {
            Some(b"*") => Err(AuthResult::Cancelled),
            Some(line) => Ok(line.to_vec()),
            None => Err(AuthResult::Cancelled),
        }
    }
}

impl ClientDialogue for Peer<'_> {
    fn exchange(&mut self, line: &[u8]) -> Result<(u16, Vec<u8>), String> {
        assert!(!line.contains(&b'\n') && !line.contains(&b'\r'), "a line end goes out");
        let line = self.0.next().ok_or("no more")?;
        let (code, text) = line.split_first().unwrap_or((&b'3', b""));
        Ok(match code {
            b'2' => (235, text.to_vec()),
            b'5' => (535, text.to_vec()),
            // As a server says it, and what it says after its base64.
            b'b' => (334, data_encoding::BASE64.encode(text).into_bytes()),
            _ => (334, text.to_vec()),
        })
    }
}

/// One dialogue: the first byte says which mechanism, and which side is ours.
pub fn sasl(data: &[u8]) {
    let Some((which, said)) = data.split_first() else { return };
    let mut ctx = context();
    let config = ctx.config.clone();
    let Some(inst) = config.auths.get(usize::from(which >> 2) % config.auths.len()) else { return };
    if which & 1 == 0 {
        let mut peer = Peer::new(said);
        let initial = (which & 2 == 0).then(|| peer.0.next().unwrap_or_default().to_vec());
        let _ = inst.serve(&mut ctx, initial, &mut peer);
    } else {
        let _ = inst.driver.client(&mut ctx, inst, &mut Peer::new(said));
    }
    oauth::fuzz(said);
    let _ = (ntlm::read_answer(said), ntlm::read_challenge(said));
}

/// What Dovecot's service says, after the byte that says what the client does.
pub fn dovecot_reply(data: &[u8]) {
    let Some((client, said)) = data.split_first() else { return };
    let client = [*client, b'\n', *client];
    dovecot::fuzz(&mut context(), said, &mut Peer::new(&client));
}
