//! Reports of successful deliveries (RFC 3461 NOTIFY=SUCCESS), where the next host does not make them.

use super::generated;
use super::report::Report;
use super::state::Delivery;
use crate::context::Context;
use crate::context::message::notify;
use crate::route::Address;

/// Sends the report, if the sender wants it and somebody has to make it here.
pub(super) fn send_if_wanted(ctx: &mut Context, d: &Delivery<'_>) {
    let lasthop = |a: &Address| a.flags.dsn_lasthop;
    let mut wanted: Vec<&Address> = Vec::new();
    for a in &d.succeeded {
        // The sender knows the address that he gave, and is told of it once.
        let told = wanted.iter().any(|w| w.original().address == a.original().address);
        if a.dsn_flags & notify::SUCCESS != 0 && (a.dsn_aware != Some(true) || lasthop(a)) && !told {
            wanted.push(a);
        }
    }
    let sender = ctx.message.sender.clone().unwrap_or_default();
    if wanted.is_empty() || sender.is_empty() {
        return;
    }
    let mut r = Report::new(ctx);
    r.reply_to(ctx);
    generated::write_from(ctx, &mut r.text);
    r.put("Auto-Submitted: auto-generated\nTo: ");
    r.put(&sender);
    r.put("\nSubject: Delivery Status Notification\n");
    r.put(generated::from_original(ctx));
    r.mime();
    r.put("\n");
    r.text_part();
    r.put("This message was created automatically by mail delivery software.\n ----- The following addresses had successful delivery notifications -----\n");
    for a in &wanted {
        let how = match a.dsn_aware {
            _ if lasthop(a) => "via non DSN router",
            Some(false) => "to non-DSN-aware mailer",
            _ => "via non \"Remote SMTP\" router",
        };
        r.put("<");
        r.put(&a.original().address);
        r.put(format!("> (relayed {how})\n\n"));
    }
    r.status_part(ctx);
    for a in &wanted {
        r.fields(a, "delivered", "2.0.0");
        match a.host_used.as_deref().filter(|h| !h.name.is_empty()) {
            Some(h) => {
                r.put("Remote-MTA: dns; ");
                r.put(&h.name);
                r.put("\nDiagnostic-Code: smtp; 250 Ok\n\n");
            }
            None => {
                r.put(format!("Diagnostic-Code: X-Exim; relayed via non {} router\n\n", if lasthop(a) { "DSN" } else { "SMTP" }))
            }
        }
    }
    r.copy_part(ctx, true);
    r.copy(ctx, d.data.file(), true, b"");
    r.end();
    // A report that cannot be sent is lost; the program that could not take it has logged why.
    let _ = generated::send(ctx, &r.text);
}
