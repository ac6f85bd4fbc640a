//! The provider: is there mail for the customer's domains, and sending it back over the customer's own connection.

use std::sync::Arc;

use super::{Line, Side, Turn, Wanted};
use crate::context::{Context, Run};
use crate::deliver::{Continued, Purpose};
use crate::matching::{self, Match, Subject};
use crate::queue::run::{self, RunOptions};
use crate::smtp_out::wire::Wire;
use crate::smtp_out::{Client, Opened};
use crate::spool;
use crate::text::Text;

/// `atrn_domains`: does any message of the queue that is in force wait for a domain of the list? It is noted which queue
/// and which list that was.
pub fn look(ctx: &mut Context, domains: &Text) -> Result<bool, String> {
    if domains.is_tainted() {
        return Err(format!("Tainted domain list '{domains}' for atrn_domains not permitted"));
    }
    let queue = ctx.session.queue_name.clone();
    ctx.acl.atrn = Some(Wanted { domains: domains.clone(), queue: queue.clone() });
    if domains.trim_ascii().is_empty() {
        return Ok(false);
    }
    let place = ctx.services.spool.queue(&queue).map_err(|e| e.to_string())?;
    let found = spool::scan(&place).map_err(|e| e.to_string())?;
    // What messages say of themselves must not get into the session.
    let mut own = Context::new(ctx.config.clone(), ctx.run.clone(), ctx.services.clone());
    for file in found {
        if crate::queue::load(&mut own, &queue, &file.id).is_err() {
            continue;
        }
        let waiting: Vec<Text> = own
            .message
            .recipients
            .iter()
            .filter(|r| !own.message.nonrecipients.contains(&r.address))
            .map(|r| r.address.clone())
            .collect();
        if waiting.iter().any(|r| is_for(&mut own, r, domains)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Is the recipient in one of the domains?
pub fn is_for(ctx: &mut Context, recipient: &Text, domains: &Text) -> bool {
    let Some(at) = recipient.iter().rposition(|c| *c == b'@') else { return false };
    let domain = recipient.piece(recipient.get(at + 1..).unwrap_or_default().to_ascii_lowercase());
    matching::match_ready(ctx, Subject::Domain(&domain), domains, None) == Match::Yes
}

/// Sends what waits: a queue run of this thread, over the line. The session is over then.
pub fn send(ctx: &mut Context, line: Line, wanted: Wanted) {
    let Some(ip) = ctx.session.host_ip else { return };
    let port = ctx.session.host_port;
    let name = format!("{ip} [{ip}]");
    let wire = match line {
        Line::Clear(socket) => Wire::socket(socket),
        Line::Secure(stream) => Wire::secure(*stream),
    };
    let tls = ctx.session.tls_in.cipher.is_some().then(|| {
        let mut facts = ctx.session.tls_in.clone();
        // Lines about deliveries always say whether the other end was verified.
        facts.verification_configured = true;
        facts
    });
    let opened = Opened { tls, turned: true, ..Opened::over(Client::new(ctx, wire, name.as_bytes())) };
    let connection = Continued {
        host: ip.to_string().into(),
        address: ip.to_string().into(),
        port,
        purpose: Purpose::Turned,
        ..Continued::default()
    };
    connection.put(opened);
    let host = Text::clean(format!("[{ip}]:{port}"));
    let run = Run { odmr: Some(Arc::new(Turn { side: Side::Provider, host: Some(host) })), ..(*ctx.run).clone() };
    let mut own = Context::new(ctx.config.clone(), Arc::new(run), ctx.services.clone());
    let options = RunOptions {
        two_stage: true,
        queue_name: wanted.queue,
        domains: Some(wanted.domains),
        connection: Some(connection.clone()),
        ..RunOptions::default()
    };
    run::run(&mut own, &options);
    if let Some(mut line) = connection.take() {
        line.client.quit_and_wait();
    }
}
