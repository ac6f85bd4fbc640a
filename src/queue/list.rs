//! `-bp` and its variants (manual section 5.3): one pass over the queue, printing as it goes.

use std::io::{self, BufWriter, Write};

use bstr::{BString, ByteSlice};

use super::age;
use crate::context::Context;
use crate::spool::{self, Found, Journal, SpoolError};

/// What to list, from the letters after `-bp`.
#[derive(Clone, Debug, Default)]
pub struct ListOptions {
    /// `a`: generated addresses that have been delivered, too.
    pub generated: bool,
    /// `c`: only the number of messages.
    pub count: bool,
    /// `i`: only the ids.
    pub ids: bool,
    /// `r`: unsorted.
    pub unsorted: bool,
    /// `u`: only recipients that are undelivered.
    pub undelivered: bool,
    /// The queue; empty is the default one.
    pub queue_name: BString,
    /// Only these messages; empty is all.
    pub messages: Vec<BString>,
}

/// Prints the list on standard output. Gives the exit status.
pub fn list(ctx: &mut Context, options: &ListOptions) -> i32 {
    match try_list(ctx, options) {
        Ok(()) => 0,
        Err(e) => {
            eprintln!("exim: {e}");
            1
        }
    }
}

fn try_list(ctx: &mut Context, options: &ListOptions) -> Result<(), SpoolError> {
    let queue = ctx.services.spool.queue(&options.queue_name)?;
    let mut found = if options.messages.is_empty() {
        spool::scan(&queue)?
    } else {
        options.messages.iter().map(|id| Found { id: id.clone(), letter: None }).collect()
    };
    let mut out = BufWriter::new(io::stdout().lock());
    let result = (|| -> io::Result<()> {
        if options.count {
            return writeln!(out, "{}", found.len());
        }
        if !options.unsorted {
            found.sort_by(|a, b| a.id.cmp(&b.id));
        }
        for f in &found {
            if options.ids {
                writeln!(out, "{}", f.id)?;
                continue;
            }
            message(ctx, options, &f.id, &mut out)?;
        }
        out.flush()
    })();
    // The reader may have gone away (`| head`): that is no error.
    match result {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => Err(SpoolError::Io("write the list", e)),
        _ => Ok(()),
    }
}

/// One message; one that vanishes meanwhile has been delivered and is passed over.
fn message(ctx: &mut Context, options: &ListOptions, id: &[u8], out: &mut impl Write) -> io::Result<()> {
    let place = match super::load(ctx, &options.queue_name, id) {
        Ok(place) => Some(place),
        Err(SpoolError::NotFound) => return Ok(()),
        Err(e) => return broken(ctx, options, id, &e, out),
    };
    let Some(place) = place else { return Ok(()) };
    let data = place.dir.stat_at(&[id, b"-D"].concat()).map(|s| u64::try_from(s.size).unwrap_or(0)).unwrap_or(0);
    ctx.message.measure(data.saturating_sub(id.len() as u64 + 3));
    let m = &ctx.message;
    write!(out, "{} ", show_age(age(ctx)))?;
    write!(out, "{} {} <{}>", show_size(m.size), id.as_bstr(), m.sender.as_ref().map(|s| s.as_bstr()).unwrap_or_default())?;
    if m.sender_set_untrusted {
        write!(out, " ({})", m.originator_login)?;
    }
    if m.frozen {
        write!(out, " *** frozen ***")?;
    }
    writeln!(out)?;
    let done = Journal::read(&place, id).unwrap_or_default();
    let is_done = |a: &[u8]| m.nonrecipients.contains(a) || done.iter().any(|d| d == a);
    for r in &m.recipients {
        let delivered = is_done(&r.address);
        if !(options.undelivered && delivered) {
            writeln!(out, "        {} {}", if delivered { 'D' } else { ' ' }, r.address)?;
        }
    }
    if options.generated {
        let mut names: Vec<_> = m.nonrecipients.preorder().into_iter().map(|(_, _, name)| name).collect();
        names.sort_unstable();
        for name in names {
            if !m.recipients.iter().any(|r| r.address.as_bytes() == name.as_bytes()) {
                writeln!(out, "       +D {name}")?;
            }
        }
    }
    writeln!(out)
}

fn broken(ctx: &Context, options: &ListOptions, id: &[u8], e: &SpoolError, out: &mut impl Write) -> io::Result<()> {
    let size = ctx
        .services
        .spool
        .queue(&options.queue_name)
        .ok()
        .and_then(|q| q.place_of(id).ok())
        .and_then(|p| p.dir.stat_at(&[id, b"-H"].concat()).ok())
        .map_or(0, |s| s.size);
    write!(out, "{} {} {}", show_age(crate::sys::time::unix_time() - spool::id::time_of(id)), show_size(0), id.as_bstr())?;
    if e.is_format() {
        if size == 0 {
            writeln!(out, "\n          *** spool format error: size=0 ***")?;
        } else {
            writeln!(out, "\n          *** spool format error: size={size} ***")?;
        }
    } else {
        writeln!(out, "\n          *** spool read error: {e} ***")?;
    }
    writeln!(out)
}

/// ` 5m`, `12h`, ` 3d`.
pub fn show_age(seconds: i64) -> String {
    let minutes = seconds.max(0) / 60;
    if minutes <= 90 {
        return format!("{minutes:2}m");
    }
    let hours = (minutes + 30) / 60;
    if hours <= 72 {
        return format!("{hours:2}h");
    }
    format!("{:2}d", (hours + 12) / 24)
}

/// A size in five places, as the reference shows it.
pub fn show_size(n: u64) -> String {
    match n {
        0 => "     ".into(),
        1..1024 => format!("{n:5}"),
        1024..10_240 => format!("{:4.1}K", n as f64 / 1024.0),
        10_240..1_048_576 => format!("{:4}K", (n + 512) / 1024),
        1_048_576..10_485_760 => format!("{:4.1}M", n as f64 / 1_048_576.0),
        _ => format!("{:4}M", (n + 512 * 1024) / 1_048_576),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns() {
        assert_eq!(show_age(0), " 0m");
        assert_eq!(show_age(91 * 60), " 2h");
        assert_eq!(show_age(80 * 3600), " 3d");
        assert_eq!(show_size(317), "  317");
        assert_eq!(show_size(2970), " 2.9K");
        assert_eq!(show_size(200_000), " 195K");
    }
}
