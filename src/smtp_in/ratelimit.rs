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
    /// Reads an option.
    pub fn parse(value: &[u8]) -> Result<Rate, String> {
        Self::read(value).ok_or_else(|| format!("malformed ratelimit data: {}", value.as_bstr()))
    }

    fn read(value: &[u8]) -> Option<Rate> {
        let mut parts = value.to_str().ok()?.trim_end().split(',');
        // Blanks may come after a comma, not before it.
        let mut part = || parts.next().map(str::trim_start);
        let threshold = part()?.parse().ok()?;
        let first = seconds(part()?)?;
        let factor = decimal(part()?)?;
        let maximum = seconds(part()?)?;
        part().is_none().then_some(Rate { threshold, first, factor, maximum, next: first })
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

/// Digits, perhaps with a point among them.
fn decimal(s: &str) -> Option<f64> {
    s.bytes().all(|c| c.is_ascii_digit() || c == b'.').then(|| s.parse().ok()).flatten()
}

/// `1.5s`, `4m`, `1m30s`: each number has its unit.
fn seconds(s: &str) -> Option<f64> {
    let mut total = 0.0;
    let mut rest = s;
    while !rest.is_empty() {
        let (number, after) = rest.split_at(rest.find(|c: char| c.is_ascii_alphabetic())?);
        let scale = match after.as_bytes().first()? {
            b'w' => 604_800.0,
            b'd' => 86_400.0,
            b'h' => 3600.0,
            b'm' => 60.0,
            b's' => 1.0,
            _ => return None,
        };
        if !number.starts_with(|c: char| c.is_ascii_digit()) {
            return None;
        }
        total += decimal(number)? * scale;
        rest = after.get(1..)?;
    }
    (!s.is_empty() && total.is_finite()).then_some(total)
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
        let mut r = Rate::parse(b"2, 0.5s, 2, 1.5s").unwrap();
        assert!(!r.passed(2) && r.passed(3));
        assert_eq!([r.take(), r.take(), r.take(), r.take()], [0.5, 1.0, 1.5, 1.5]);
        assert_eq!(Rate::parse(b"1,1m5s,1.05,1d ").unwrap().take(), 65.0);
        for bad in [
            &b""[..],
            b"1,2",
            b"1 ,1s,1,1m",
            b"1,1,1,1m",
            b"1,.5s,1,1m",
            b"1,5q,1,1m",
            b"1.5,1s,1,1m",
            b"-1,1s,1,1m",
            b"1,1s,1,1m,",
            b"1,s,1,1m",
            b"1,1s,nan,1m",
            b"1,1e9s,1,1m",
            b"1,1s,inf,1m",
            b"\xff",
        ] {
            assert!(Rate::parse(bad).is_err(), "{}", bad.as_bstr());
        }
    }
}
