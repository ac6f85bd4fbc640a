//! `radius`: a RADIUS server is asked whether a password is right (RFC 2865), with a client of our own over UDP, and the
//! configuration file that `RADIUS_CONFIG_FILE` names.

mod config;
mod packet;

use std::net::{SocketAddr, UdpSocket};
use std::time::Instant;

use super::Call;
use crate::build_options::RADIUS_CONFIG_FILE;
use crate::context::Context;
use crate::expand::{ExpandError, Template, expand, failed};
use crate::log::hdebug;
use crate::parse::list;
use config::{Config, Server};
use packet::Verdict;

/// `radius`: user and password, as a list.
pub fn radius(ctx: &mut Context, call: Call<'_>) -> Result<bool, ExpandError> {
    if RADIUS_CONFIG_FILE.is_empty() {
        return super::auth::not_compiled(ctx, call);
    }
    let name = expand(ctx, &Template::new(RADIUS_CONFIG_FILE.as_bytes()))?;
    let mut items = list::items(call.arg(0));
    let (user, password) = (items.next().unwrap_or_default(), items.next().unwrap_or_default());
    if items.next().is_some() {
        return failed("RADIUS: more than a user and a password; colons in them are doubled");
    }
    if user.is_empty() {
        return Ok(false);
    }
    let config = config::read(&name).or_else(|e| failed(format!("RADIUS: {e}")))?;
    match ask(ctx, &config, &user, &password) {
        Ok(Verdict::Accept) => Ok(true),
        Ok(Verdict::Reject | Verdict::Challenge) => Ok(false),
        Err(e) => failed(format!("RADIUS: {e}")),
    }
}

/// The first server that answers.
fn ask(ctx: &mut Context, config: &Config, user: &[u8], password: &[u8]) -> Result<Verdict, String> {
    let nas = match &config.nas {
        Some(name) => name.clone(),
        None => ctx.config.site.primary_hostname.clone(),
    };
    let mut last = String::new();
    for server in &config.servers {
        for ip in crate::dns::dial::addresses(&ctx.services.dns, &server.host) {
            let to = SocketAddr::new(ip, server.port);
            hdebug!(ctx, AUTH, "RADIUS: asking {to}");
            match exchange(config, server, to, user, password, &nas) {
                Ok(verdict) => return Ok(verdict),
                Err(e) => last = format!("{} port {}: {e}", server.host, server.port),
            }
        }
        if last.is_empty() {
            last = format!("no IP address found for host {}", server.host);
        }
    }
    Err(last)
}

fn exchange(
    config: &Config,
    server: &Server,
    to: SocketAddr,
    user: &[u8],
    password: &[u8],
    nas: &[u8],
) -> Result<Verdict, String> {
    let mut random = [0; 17];
    openssl::rand::rand_bytes(&mut random).map_err(|_| "the library gives no random numbers")?;
    let request = packet::request(user, password, nas, &server.secret, &random)?;
    let io = |e: std::io::Error| crate::sys::error_text(&e);
    let any: SocketAddr = if to.is_ipv4() { ([0; 4], 0).into() } else { ([0u16; 8], 0).into() };
    let socket = UdpSocket::bind(any).map_err(io)?;
    socket.connect(to).map_err(io)?;
    for _ in 0..=config.retries {
        socket.send(&request.bytes).map_err(io)?;
        let deadline = Instant::now() + config.wait;
        // What is no answer to the request, or of somebody without the secret, is as if it had not come.
        while let Some(left) = deadline.checked_duration_since(Instant::now()).filter(|d| !d.is_zero()) {
            socket.set_read_timeout(Some(left)).map_err(io)?;
            let mut buffer = [0; 4096];
            match socket.recv(&mut buffer) {
                Ok(n) => {
                    if let Some(verdict) = request.answer(buffer.get(..n).unwrap_or_default(), &server.secret) {
                        return Ok(verdict);
                    }
                }
                Err(e) if matches!(e.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => break,
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                Err(e) => return Err(io(e)),
            }
        }
    }
    Err("no answer".into())
}
