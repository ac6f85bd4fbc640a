//! smtp_ratelimit_mail and smtp_ratelimit_rcpt: growing delays for peers that send many commands.

use bstr::ByteSlice;

use super::host_is_in;
use crate::context::Context;
use crate::log;

/// The settings `threshold,delay,factor,maximum`, and the delay that comes next.
#[derive(Clone, Debug, PartialEq)]
pub struct Rate {
    threshold: u32,
    first: f64,
    factor: f64,
    maximum: f64,
    next: f64,
}

impl Rate {
    /// Reads an option. The error text follows the option's name.
    pub fn parse(name: &str, value: &[u8]) -> Result<Rate, String> {
        let bad = || format!("\"{}\" is not a valid value for the \"{name}\" option", value.as_bstr());
        let parts: Vec<&str> = value.to_str().map_err(|_| bad())?.split(',').map(str::trim).collect();
        let [threshold, first, factor, maximum] = parts.as_slice() else { return Err(bad()) };
        let first = seconds(first).ok_or_else(bad)?;
        Ok(Rate {
            threshold: threshold.parse().map_err(|_| bad())?,
            first,
            factor: factor.parse().map_err(|_| bad())?,
            maximum: seconds(maximum).ok_or_else(bad)?,
            next: first,
        })
    }

    /// Has this count passed the threshold?
    pub fn passed(&self, count: u32) -> bool {
        count > self.threshold
    }

    /// The delay for now, in seconds; the next one is longer.
    pub fn take(&mut self) -> f64 {
        let now = self.next;
        self.next = (self.next * self.factor).min(self.maximum);
        now
    }

    /// Begins again with the first delay.
    pub fn restart(&mut self) {
        self.next = self.first;
    }
}

/// `1.5s`, `4m`
fn seconds(s: &str) -> Option<f64> {
    let (number, unit) = match s.char_indices().last()? {
        (at, c) if c.is_ascii_alphabetic() => (s.get(..at)?, c),
        _ => (s, 's'),
    };
    let scale = match unit {
        'w' => 604_800.0,
        'd' => 86_400.0,
        'h' => 3600.0,
        'm' => 60.0,
        's' => 1.0,
        _ => return None,
    };
    let n: f64 = number.parse().ok()?;
    (n.is_finite() && n >= 0.0).then_some(n * scale)
}

/// Applies the delay when the count is past the threshold and the host is a limited one.
pub fn apply(ctx: &mut Context, rate: &mut Option<Rate>, count: u32, what: &str) {
    let Some(r) = rate.as_mut().filter(|r| r.passed(count)) else { return };
    let option = ctx.config.main.smtp_ratelimit_hosts.clone();
    if !host_is_in(ctx, "smtp_ratelimit_hosts", &option) {
        return;
    }
    let delay = r.take();
    log::hdebug!(ctx, RECEIVE, "smtp_ratelimit_{}: delay {delay:.3} sec", what.to_ascii_lowercase());
    super::flush(ctx);
    if delay > 0.0 {
        std::thread::sleep(std::time::Duration::from_secs_f64(delay.min(3600.0)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow() {
        let mut r = Rate::parse("x", b"2, 0.5s, 2, 1.5s").unwrap();
        assert!(!r.passed(2) && r.passed(3));
        assert_eq!([r.take(), r.take(), r.take(), r.take()], [0.5, 1.0, 1.5, 1.5]);
        assert!(Rate::parse("x", b"1,2").is_err());
    }
}
