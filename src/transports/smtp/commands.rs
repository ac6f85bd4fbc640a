//! What a transaction says: which extensions it uses, MAIL and RCPT.

use bstr::BString;

use super::envelope::{self, Uses};
use super::result::State;
use super::transaction::{Abort, Awaited, Transaction};
use crate::context::Context;
use crate::route::Address;
use crate::smtp_out::{Fault, Send, Trouble, in_hosts};

/// After so many recipients in a row their answers are read.
const MOST_UNANSWERED: usize = 100;

impl Transaction<'_, '_, '_, '_> {
    /// A callout for this message has left the connection: were MAIL and RCPT what would be sent now?
    pub(super) fn envelope_is_there(&mut self, ctx: &mut Context) -> bool {
        let accepted = std::mem::take(&mut self.opened.accepted);
        if accepted.is_empty() {
            return false;
        }
        self.opened.needs_reset = true;
        let u = &self.uses;
        let m = &ctx.message;
        let plain = !(u.prdr || u.smtputf8 || u.downconvert)
            && u.auth_sender.is_none()
            && m.dsn_envid.is_none()
            && m.dsn_ret == crate::context::message::DsnRet::Unset;
        let transport = self.run.job.transport;
        let all = self.run.states.iter().zip(self.run.job.batch.iter());
        let wanted: Vec<&Address> = all.filter(|(s, _)| **s == State::Pending).map(|(_, a)| a).collect();
        let same = wanted.len() == accepted.len()
            && wanted
                .iter()
                .zip(&accepted)
                .all(|(a, sent)| a.dsn_flags == 0 && a.dsn_orcpt.is_none() && envelope::rcpt_address(transport, a) == *sent);
        if !plain || !same {
            return false;
        }
        self.next = self.run.states.len();
        for i in 0..self.run.states.len() {
            if self.run.states[i] == State::Pending {
                self.run.job.batch[i].dsn_aware = Some(self.uses.dsn);
                self.accepted(ctx, i);
            }
        }
        true
    }

    /// Which extensions are used for this transaction.
    pub(super) fn choose(&mut self, ctx: &mut Context) -> Result<(), Trouble> {
        let host = self.attempt.host;
        let o = &self.run.smtp.options;
        let f = self.opened.client.features.clone();
        self.opened.client.pipelined = f.pipelining && !in_hosts(ctx, "hosts_avoid_pipelining", &o.hosts_avoid_pipelining, host);
        let pending = self.run.states.get(self.next..).unwrap_or_default().iter().filter(|s| **s == State::Pending).count();
        let mut uses = Uses {
            chunking: f.chunking && in_hosts(ctx, "hosts_try_chunking", &o.hosts_try_chunking, host),
            prdr: f.prdr && pending > 1 && !self.opened.client.lmtp && in_hosts(ctx, "hosts_try_prdr", &o.hosts_try_prdr, host),
            dsn: f.dsn,
            pipelining: self.opened.client.pipelined,
            ..Uses::default()
        };
        uses.auth_sender = envelope::auth_sender(ctx, self.run.smtp, &self.opened)?;
        let sender_plain = ctx.message.sender.as_ref().is_none_or(|s| s.is_ascii());
        let plain = sender_plain && self.run.job.batch.iter().all(|a| a.address.is_ascii());
        let international = envelope::international(ctx, self.run.smtp, plain, self.opened.client.features.smtputf8)?;
        (uses.smtputf8, uses.downconvert) = (international.smtputf8, international.downconvert);
        self.uses = uses;
        Ok(())
    }

    pub(super) fn send(&mut self, how: Send, line: &[u8]) -> Result<usize, Trouble> {
        self.opened.client.send(how, line).map_err(|f| {
            let c = &self.opened.client;
            match f {
                Fault::Io(errno, text) => Trouble {
                    errno,
                    message: Some(format!("smtp send to {} failed: {text}", c.host).into()),
                    class: b'4',
                    ..Trouble::default()
                },
                f => c.trouble(f),
            }
        })
    }

    pub(super) fn mail_and_recipients(&mut self, ctx: &mut Context) -> Result<(), Abort> {
        let sender = self
            .run
            .job
            .batch
            .first()
            .and_then(|a| a.return_path.clone())
            .or_else(|| ctx.message.sender.clone())
            .unwrap_or_default();
        let sender = envelope::on_the_wire(&sender, self.uses.downconvert)?;
        let states = self.run.states.get(self.next..).unwrap_or_default();
        let batch = self.run.job.batch.get(self.next..).unwrap_or_default();
        let parameters = envelope::mail_parameters(ctx, self.run.smtp, &self.opened, &self.uses, batch, states);
        let pipelined = self.opened.client.pipelined;
        let how = if pipelined { Send::Later } else { Send::Now };
        let line = [b"MAIL FROM:<", sender.as_slice(), b">", &parameters].concat();
        self.awaited.push_back(Awaited::Mail(line.clone().into()));
        let n = self.send(how, &line)?;
        self.answers(ctx, n)?;
        let max = self.max_recipients(ctx);
        let domains = usize::try_from(self.opened.client.features.rcpt_domain_max).unwrap_or(0);
        let mut seen_domains: Vec<BString> = Vec::new();
        let pending: Vec<usize> = (self.next..self.run.states.len()).filter(|i| self.run.states[*i] == State::Pending).collect();
        let mut count = 0;
        for (place, i) in pending.iter().copied().enumerate() {
            if self.seen.full {
                break;
            }
            if domains > 0 {
                let d = BString::from(self.run.job.batch[i].domain.as_bytes());
                if !seen_domains.contains(&d) {
                    if seen_domains.len() >= domains {
                        self.next = i;
                        return Ok(());
                    }
                    seen_domains.push(d);
                }
            }
            if count >= max {
                self.next = i;
                return Ok(());
            }
            count += 1;
            self.next = i + 1;
            let a = &mut self.run.job.batch[i];
            let parameters = envelope::rcpt_parameters(self.run.smtp, &self.opened, &self.uses, a);
            let address = envelope::rcpt_address(self.run.job.transport, a);
            let address = envelope::on_the_wire(&address, self.uses.downconvert)?;
            let last = place + 1 == pending.len() || count == max;
            // So many answers may wait in the network's buffers while nobody reads them, and no more.
            let many = self.awaited.iter().filter(|a| matches!(a, Awaited::Rcpt(_))).count() >= MOST_UNANSWERED;
            let later = pipelined && !many && !(self.run.job.mua_wrapper && last);
            let how = if later { Send::Later } else { Send::Now };
            self.awaited.push_back(Awaited::Rcpt(i));
            let n = self.send(how, &[b"RCPT TO:<", address.as_slice(), b">", &parameters].concat())?;
            self.answers(ctx, n)?;
        }
        Ok(())
    }

    pub(super) fn max_recipients(&self, ctx: &mut Context) -> usize {
        let own = match self.run.smtp.options.max_rcpt.get() {
            Some(t) if !self.run.job.mua_wrapper => crate::expand::expand_int(ctx, t, true).unwrap_or(100),
            _ => 0,
        };
        let own = usize::try_from(own).unwrap_or(0);
        let limit = usize::try_from(self.opened.client.features.rcpt_max).unwrap_or(0);
        match (own, limit) {
            (0, 0) => usize::MAX,
            (n, 0) | (0, n) => n,
            (a, b) => a.min(b),
        }
    }
}
