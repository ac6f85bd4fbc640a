//! `exim_msgdate`: the time that a message id stands for (manual section 54.13).

use super::support::Exim;

/// What is printed of each id.
struct Output {
    unix: bool,
    zulu: bool,
    local: bool,
    pid: bool,
    base: u64,
    host_number: Option<u64>,
}

/// See the module.
pub fn run(args: &[String]) -> i32 {
    let (exim, args) = Exim::from_arguments(args);
    // Long names may have one hyphen.
    let long = |a: &String| a.len() > 2 && a.starts_with('-') && a.as_bytes()[1].is_ascii_alphabetic();
    let args: Vec<String> = args.iter().map(|a| if long(a) { format!("-{a}") } else { a.clone() }).collect();
    let mut o = getopts::Options::new();
    o.optflag("u", "unix", "seconds since 1970").optflag("z", "zulu", "UTC");
    o.optflag("", "GMT", "UTC").optflag("", "UTC", "UTC").optflag("l", "local", "local time");
    o.optopt("b", "base", "base of the numbers: 36 or 62", "N")
        .optflag("", "base36", "")
        .optflag("", "base62", "")
        .optflag("", "b36", "")
        .optflag("", "b62", "");
    o.optflag("", "pid", "the process id, too").optopt("", "localhost_number", "", "N").optflag("", "no-localhost_number", "");
    o.optflag("h", "help", "this text").optflag("", "man", "this text").optflag("", "debug", "");
    let usage = o.usage("Usage: exim_msgdate [options] message-id ...");
    let m = match o.parse(&args) {
        Ok(m) if m.opt_present("h") || m.opt_present("man") => {
            print!("{usage}");
            return 0;
        }
        Ok(m) => m,
        Err(e) => {
            eprintln!("exim_msgdate: {e}\n{usage}");
            return 1;
        }
    };
    let base = match m.opt_str("base").as_deref() {
        None if m.opt_present("base36") || m.opt_present("b36") => 36,
        None | Some("62") => 62,
        Some("36") => 36,
        Some(other) => {
            eprintln!("unknown base option {other}");
            return REFUSED;
        }
    };
    let host_number = if m.opt_present("no-localhost_number") {
        None
    } else {
        match m.opt_str("localhost_number").map_or_else(|| configured(&exim), |n| Ok(Some(n))) {
            Ok(None) => None,
            Err(max) => {
                eprintln!("localhost_number > {max}");
                return REFUSED;
            }
            Ok(Some(text)) => {
                let max = if base == 36 { 10 } else { 16 };
                match text.parse::<u64>() {
                    Ok(n) if n <= max => Some(n),
                    Ok(_) => {
                        eprintln!("localhost_number > {max}");
                        return REFUSED;
                    }
                    Err(_) => {
                        eprintln!("localhost_number must be a number >=0");
                        return REFUSED;
                    }
                }
            }
        }
    };
    let zulu = m.opt_present("z") || m.opt_present("GMT") || m.opt_present("UTC");
    let out = Output {
        unix: m.opt_present("u"),
        zulu,
        local: m.opt_present("l") || !(m.opt_present("u") || zulu),
        pid: m.opt_present("pid"),
        base,
        host_number,
    };
    for id in &m.free {
        match show(id, &out) {
            Ok(()) => {}
            Err(Bad::Form) => eprintln!("{id} not parsed"),
            Err(Bad::Digits(part)) => {
                eprintln!("{part} is not base {base}");
                return REFUSED;
            }
        }
    }
    0
}

/// `localhost_number` of the configuration, if it has one and can be read. Exim refuses one that is too big itself: then the
/// error is the limit.
fn configured(exim: &Exim) -> Result<Option<String>, String> {
    // -bV complains to its caller alone: no line in the panic log for our question.
    let Ok((_, errors)) = exim.ask_both(&["-bV"]) else { return Ok(None) };
    if let Some((_, rest)) = errors.split_once("localhost_number is greater than the maximum allowed value (") {
        return Err(rest.split(')').next().unwrap_or_default().to_string());
    }
    let Ok(out) = exim.ask(&["-bP", "localhost_number"]) else { return Ok(None) };
    Ok(super::support::value_of(&out, "localhost_number").filter(|v| !v.is_empty()))
}

/// The exit status for what cannot be done at all.
const REFUSED: i32 = 255;

/// Why a text is no message id.
enum Bad {
    /// It does not look like one.
    Form,
    /// A part of it has digits that the base does not have.
    Digits(String),
}

fn number(s: &str, base: u64) -> Option<u64> {
    s.bytes().try_fold(0u64, |n, c| {
        let digit = match c {
            b'0'..=b'9' => c - b'0',
            b'A'..=b'Z' => c - b'A' + 10,
            b'a'..=b'z' => c - b'a' + 36,
            _ => return None,
        };
        (u64::from(digit) < base).then_some(())?;
        n.checked_mul(base)?.checked_add(u64::from(digit))
    })
}

/// Prints the times.
fn show(text: &str, o: &Output) -> Result<(), Bad> {
    let bare = text.split_once('@').map_or(text, |(id, _)| id);
    let bare = if bare.len() > 6 { bare.strip_prefix('E').unwrap_or(bare) } else { bare };
    let parts: Vec<&str> = bare.split('-').collect();
    if !parts.iter().all(|p| p.bytes().all(|b| b.is_ascii_alphanumeric())) {
        return Err(Bad::Form);
    }
    let value = |part: &str| number(part, o.base).ok_or_else(|| Bad::Digits(part.to_string()));
    let (seconds, pid, usec) = match parts.as_slice() {
        [t] if t.len() == 6 => (value(t)?, None, 0),
        [t, p, f] if t.len() == 6 && matches!((p.len(), f.len()), (6, 2) | (11, 4)) => {
            let (seconds, pid, fraction) = (value(t)?, value(p)?, value(f)?);
            if let Some(given) = o.host_number {
                let found = host_of(fraction, f.len() == 4, o.base);
                if found != given {
                    eprintln!("localhost {found} from message-id != given number {given}");
                }
            }
            (seconds, Some(pid), microseconds(fraction, f.len() == 4, o))
        }
        _ => return Err(Bad::Form),
    };
    let pid = match pid {
        Some(p) if o.pid => format!("\tpid {p}"),
        _ => String::new(),
    };
    let t = i64::try_from(seconds).unwrap_or(i64::MAX);
    let stamp = |format: &[u8], local: bool| {
        String::from_utf8_lossy(&crate::sys::time::strftime(format, t, local).unwrap_or_default()).into_owned()
    };
    if o.unix {
        println!("{seconds}.{usec:06}{pid}");
    }
    if o.zulu {
        println!("{}.{usec:06}{pid}", stamp(b"%Y-%m-%d %H:%M:%S", false));
    }
    if o.local {
        println!("{}.{usec:06} {}{pid}", stamp(b"%Y-%m-%d %H:%M:%S", true), stamp(b"%Z", true));
    }
    Ok(())
}

/// The number of the host that the last part of an id has in it.
fn host_of(n: u64, long: bool, base: u64) -> u64 {
    match (long, base) {
        (true, _) => n / 500_000,
        (false, 36) => n / 100,
        (false, _) => n / 200,
    }
}

/// The last part of an id in microseconds. The older form counts 1/2000 s (1/1000 in base 36), less with a host number.
fn microseconds(n: u64, long: bool, o: &Output) -> u64 {
    match (long, o.host_number) {
        (true, None) => n % 1_000_000,
        (true, Some(_)) => (n % 500_000) * 2,
        (false, None) => n * if o.base == 36 { 1000 } else { 500 },
        (false, Some(_)) => {
            let per_second = if o.base == 36 { 100 } else { 200 };
            (n % per_second) * (1_000_000 / per_second)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        assert_eq!(number("zzzzzz", 62), Some(56_800_235_583));
        assert_eq!(number("ZZZZZZ", 36), Some(2_176_782_335));
        assert_eq!(number("-", 62), None);
    }
}
