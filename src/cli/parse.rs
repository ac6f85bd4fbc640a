//! The command line's own syntax (manual section 5.3): not getopt's, since `-bd`, `-q5m` and `-oMa` are not.
//!
//! Called once, before anything else is done with the arguments. Knows nothing of who calls; rights are checked later.

use bstr::{BString, ByteSlice};

use super::modes;
use super::options::{Daemon, Delivery, ErrorReport, InputMode, MessageAction, Options, Refusal, Test};
use crate::config::macros;
use crate::config::values::parse_interval;
use crate::daemon::Schedule;
use crate::log::trace;
use crate::queue::list::ListOptions;
use crate::queue::run::RunOptions;

/// Most arguments, and most bytes of one, that are looked at (CVE-2017-1000369 and others).
const MAX_ARGUMENTS: usize = 50_000;
/// See above. The kernel's own limit for one is 128K.
const MAX_ARGUMENT: usize = 131_072;
/// Most `-D` options.
const MAX_MACROS: usize = 300;

/// Where parsing stands.
pub struct Words<'a> {
    all: &'a [BString],
    at: usize,
}

impl<'a> Words<'a> {
    /// The next word, if there is one.
    pub fn take(&mut self) -> Option<&'a BString> {
        let w = self.all.get(self.at)?;
        self.at += 1;
        Some(w)
    }
    /// The next word, without taking it.
    pub fn peek(&self) -> Option<&'a BString> {
        self.all.get(self.at)
    }
    /// All the rest.
    pub fn rest(&mut self) -> Vec<BString> {
        let r = self.all.get(self.at..).unwrap_or_default().to_vec();
        self.at = self.all.len();
        r
    }
}

/// The message for an option that makes no sense.
pub fn unknown(option: &[u8]) -> Refusal {
    Refusal::Message(format!("exim abandoned: unknown, malformed, or incomplete option {}", option.as_bstr()))
}

/// A message after `exim: `.
pub fn refuse(text: impl std::fmt::Display) -> Refusal {
    Refusal::Message(format!("exim: {text}"))
}

/// Checks the length of a value.
pub fn limited(value: &[u8], max: usize, what: &str) -> Result<BString, Refusal> {
    if value.len() > max {
        return Err(refuse(format!("length limit exceeded ({} > {max}) for: {what}", value.len())));
    }
    Ok(value.into())
}

/// Reads a command line; `arguments` begins after the program's name.
pub fn parse(program: &[u8], arguments: &[BString]) -> Result<Options, Refusal> {
    if arguments.len() > MAX_ARGUMENTS {
        return Err(refuse("too many arguments"));
    }
    for a in arguments {
        limited(a, MAX_ARGUMENT, "argument")?;
    }
    let mut o = Options::default();
    by_name(program, &mut o);
    let mut words = Words { all: arguments, at: 0 };
    while let Some(word) = words.peek() {
        if word.first() != Some(&b'-') || word.as_slice() == b"-" {
            break;
        }
        words.at += 1;
        if word.as_slice() == b"--" {
            break;
        }
        option(&mut o, word, &mut words)?;
    }
    o.arguments.extend(words.rest());
    modes::check(&o)?;
    Ok(o)
}

/// What the program's name implies.
fn by_name(program: &[u8], o: &mut Options) {
    let base = program.rfind_byte(b'/').map_or(program, |i| program.get(i + 1..).unwrap_or_default());
    match base {
        b"mailq" => o.list_queue = Some(ListOptions::default()),
        b"rsmtp" => o.input = InputMode::Batch,
        b"rmail" => {
            o.dot_is_data = true;
            o.errors = ErrorReport::MailQuiet;
            o.input = InputMode::Message;
        }
        b"runq" => o.queue_runs.push(Schedule { interval: 0, options: RunOptions::default() }),
        b"newaliases" => o.rebuild_aliases = true,
        _ => {}
    }
}

/// A value that is attached to its option, or else is the next word.
fn value<'a>(option: &[u8], attached: &'a [u8], words: &mut Words<'a>) -> Result<&'a [u8], Refusal> {
    if !attached.is_empty() {
        return Ok(attached);
    }
    words.take().map(|w| w.as_slice()).ok_or_else(|| unknown(option))
}

fn time(option: &[u8], attached: &[u8], words: &mut Words<'_>) -> Result<i64, Refusal> {
    let bad = |t: &[u8]| refuse(format!("bad time value {}: abandoned", t.as_bstr()));
    if !attached.is_empty() {
        return parse_interval(attached).ok_or_else(|| bad(attached));
    }
    match words.take() {
        Some(w) => parse_interval(w).ok_or_else(|| bad(w)),
        None => Err(bad(option)),
    }
}

fn option<'a>(o: &mut Options, word: &'a BString, words: &mut Words<'a>) -> Result<(), Refusal> {
    let letter = word.get(1).copied().unwrap_or_default();
    let rest = word.get(2..).unwrap_or_default();
    match word.as_slice() {
        b"--help" => return Err(Refusal::Help),
        b"--version" => {
            o.version = true;
            return Ok(());
        }
        b"-tls-on-connect" => {
            o.tls_on_connect = true;
            return Ok(());
        }
        // Both do nothing: bare CRs are dealt with without being asked.
        b"-dropcr" => return Ok(()),
        b"-atrn" => {
            let (Some(host), Some(domains)) = (words.take(), words.take()) else { return Err(unknown(word)) };
            o.atrn = Some((host.clone(), domains.clone()));
            return Ok(());
        }
        _ => {}
    }
    match letter {
        b'A' if matches!(rest, b"c" | b"m") => {}
        b'B' => {
            if rest.is_empty() {
                words.take();
            }
        }
        b'b' => return modes::option_b(o, word, rest, words),
        b'C' => {
            let files = value(word, rest, words)?;
            o.config_files = Some(limited(files, 4096 * 8, "-C")?);
        }
        b'D' => {
            let m = macros::command_line(rest).map_err(refuse)?;
            if o.macros.iter().any(|(_, old)| old.name == m.name) {
                return Err(refuse("duplicated -D in command line"));
            }
            if o.macros.len() >= MAX_MACROS {
                return Err(refuse("too many -D options on command line"));
            }
            o.macros.push((rest.into(), m));
        }
        b'd' => return debug(o, word, rest),
        b'E' => {
            if !rest.is_empty() && !crate::spool::is_message_id(rest) {
                return Err(refuse(format!("malformed message id {} after -E option", rest.as_bstr())));
            }
            o.bounce_of = Some(rest.into());
        }
        b'e' => return errors(o, word, rest),
        b'F' => o.full_name = Some(limited(value(word, rest, words)?, 256, "-F")?),
        b'f' | b'r' => o.sender = Some(limited(value(word, rest, words)?, 1024, "-f")?),
        b'G' if rest.is_empty() => o.suppress_fixups = true,
        b'h' => {
            if rest.is_empty() {
                words.take();
            }
        }
        b'i' if rest.is_empty() => o.dot_is_data = true,
        b'L' => {
            let tag = value(word, rest, words)?;
            if tag.len() > 32 {
                return Err(refuse(format!("the -L syslog name is too long: \"{}\"", tag.as_bstr())));
            }
            if tag.is_empty() {
                return Err(refuse("the -L syslog name is too short"));
            }
            o.syslog_name = Some(tag.into());
        }
        b'M' => return modes::option_m(o, word, rest, words),
        b'm' | b'U' | b'x' if rest.is_empty() => {}
        b'N' if rest.is_empty() => {
            o.dont_deliver = true;
            o.verbose = true;
            o.debug |= trace::V;
        }
        b'n' if rest.is_empty() => o.bare_values = true,
        b'O' => {
            if rest.is_empty() && words.take().is_none() {
                return Err(refuse("string expected after -O"));
            }
        }
        b'o' => return option_o(o, word, rest, words),
        b'p' if matches!(rest, b"s" | b"d") => o.perl_at_start = Some(rest == b"s"),
        b'p' => {
            let v = limited(value(word, rest, words)?, 512, "-p")?;
            match v.find_byte(b':') {
                Some(i) => {
                    o.given.protocol = Some(v.get(..i).unwrap_or_default().into());
                    o.given.host_name = Some(v.get(i + 1..).unwrap_or_default().into());
                }
                None => o.given.protocol = Some(v),
            }
        }
        b'q' => return modes::option_q(o, word, rest, words),
        b'R' | b'S' => return modes::option_select(o, word, letter == b'R', rest, words),
        b'T' => {
            let Some(times) = rest.strip_prefix(b"qt").filter(|_| crate::version::test_harness()) else {
                return Err(unknown(word));
            };
            let list = value(word, times, words)?;
            for t in list.split_str("/").filter(|t| !t.is_empty()) {
                let t = parse_interval(t).ok_or_else(|| refuse(format!("bad time value {}: abandoned", t.as_bstr())))?;
                o.fudged_queue_times.push(t);
            }
        }
        b't' if rest.is_empty() => o.extract_recipients = true,
        b't' if rest == b"i" => {
            o.extract_recipients = true;
            o.dot_is_data = true;
        }
        b'v' if rest.is_empty() => {
            o.verbose = true;
            o.debug |= trace::V;
        }
        b'X' => {
            if rest.is_empty() && words.take().is_none() {
                return Err(refuse("string expected after -X"));
            }
        }
        b'z' if rest.is_empty() => {
            let Some(text) = words.take() else { return Err(refuse("file name expected after -z")) };
            o.log_text = Some(limited(text, 2048, "-z logtext")?);
        }
        _ => return Err(unknown(word)),
    }
    Ok(())
}

fn debug(o: &mut Options, word: &[u8], rest: &[u8]) -> Result<(), Refusal> {
    let selectors = match rest.first() {
        Some(b'd') => {
            o.debug_daemon = true;
            rest.get(1..).unwrap_or_default()
        }
        Some(b'p' | b't' | b'S') => {
            return Err(refuse(format!("{} is not implemented", word.as_bstr())));
        }
        _ => rest,
    };
    let bits = if selectors.is_empty() { trace::default_categories() } else { trace::parse(selectors).map_err(refuse)? };
    o.debug = bits;
    o.verbose |= bits & trace::V != 0;
    Ok(())
}

fn errors(o: &mut Options, word: &[u8], letters: &[u8]) -> Result<(), Refusal> {
    o.errors = match letters {
        b"e" => ErrorReport::MailQuiet,
        b"m" | b"w" => ErrorReport::Mail,
        b"p" | b"q" => ErrorReport::Stderr,
        _ => return Err(unknown(word)),
    };
    Ok(())
}

/// `-o...`
fn option_o<'a>(o: &mut Options, word: &'a BString, rest: &'a [u8], words: &mut Words<'a>) -> Result<(), Refusal> {
    let after = |n: usize| rest.get(n..).unwrap_or_default();
    match rest {
        b"i" | b"itrue" => o.dot_is_data = true,
        b"m" | b"o" => {}
        b"v" => {
            o.verbose = true;
            o.debug |= trace::V;
        }
        b"db" => o.delivery = Some(Delivery::Background),
        b"df" | b"di" => o.delivery = Some(Delivery::Foreground),
        b"dq" => o.delivery = Some(Delivery::Queue),
        b"dqs" => o.delivery = Some(Delivery::QueueSmtp),
        b"dd" => o.no_delays = true,
        b"PX" => o.remove_pid_file = true,
        b"Y" => o.no_notifier = true,
        [b'e', letters @ ..] => return errors(o, word, letters),
        [b'A', ..] => {
            let v = if after(1).is_empty() { words.take().map(|w| w.as_slice()) } else { Some(after(1)) };
            o.alias_file = Some(limited(v.ok_or_else(|| refuse("string expected after -oA"))?, 4096, "-oA")?);
        }
        [b'B', ..] => {
            let next = words.peek().filter(|w| w.first().is_some_and(u8::is_ascii_digit));
            let v = match (after(1), next) {
                (b"", Some(w)) => {
                    words.take();
                    w.as_slice()
                }
                (b"", None) => b"1",
                (v, _) => v,
            };
            let n = v.to_str().ok().and_then(|s| s.parse().ok());
            o.max_messages = Some(n.ok_or_else(|| refuse("number expected after -oB"))?);
        }
        [b'M', name @ ..] => return given(o, name, words),
        [b'P', ..] => o.pid_file = Some(limited(value(word, after(1), words)?, 4096, "-oP")?),
        [b'r', ..] => o.receive_timeout = Some(time(word, after(1), words)?),
        [b's', ..] => o.smtp_timeout = Some(time(word, after(1), words)?),
        [b'X', ..] => o.interfaces = Some(limited(value(word, after(1), words)?, 1024, "-oX")?),
        _ => return Err(unknown(word)),
    }
    Ok(())
}

/// `-oM...`
fn given(o: &mut Options, name: &[u8], words: &mut Words<'_>) -> Result<(), Refusal> {
    let Some(data) = words.take() else {
        return Err(refuse(format!("data expected after -oM{}", name.as_bstr())));
    };
    let data = limited(data, 1024, &format!("-oM{}", name.as_bstr()))?;
    let g = &mut o.given;
    match name {
        b"a" => {
            check_address(&data)?;
            g.host_address = Some(data);
        }
        b"i" => {
            check_address(&data)?;
            g.interface = Some(data);
        }
        b"aa" => g.authenticator = Some(data),
        b"ai" => g.authenticated_id = Some(data),
        b"as" => g.authenticated_sender = Some(data),
        b"m" => {
            if !crate::spool::is_message_id(&data) {
                return Err(refuse(format!("malformed message id {data} after -oMm option")));
            }
            g.reference = Some(data);
        }
        b"r" => g.protocol = Some(data),
        b"s" => g.host_name = Some(data),
        b"t" => g.ident = Some(data),
        _ => return Err(unknown(&[b"-oM", name].concat())),
    }
    Ok(())
}

/// An address, perhaps with a port: `1.2.3.4`, `1.2.3.4.25`, `[::1]:25`, `::1.25`.
pub fn split_address(text: &[u8]) -> Option<(std::net::IpAddr, u16)> {
    let s = text.to_str().ok()?;
    if let Some(inner) = s.strip_prefix('[') {
        let (ip, port) = inner.split_once(']')?;
        let port = match port.strip_prefix(':') {
            Some(p) => p.parse().ok()?,
            None if port.is_empty() => 0,
            None => return None,
        };
        return Some((ip.parse().ok()?, port));
    }
    if let Ok(ip) = s.parse() {
        return Some((ip, 0));
    }
    let (ip, port) = s.rsplit_once('.')?;
    Some((ip.parse().ok()?, port.parse().ok()?))
}

/// The reference's complaint about something that should be an address.
pub fn check_address(text: &BString) -> Result<(), Refusal> {
    match split_address(text) {
        Some(_) => Ok(()),
        None => Err(Refusal::Message(format!("exim abandoned: \"{text}\" is not an IP address"))),
    }
}

/// For the daemon, and for tests.
pub fn daemon(o: &mut Options) -> &mut Daemon {
    o.daemon.get_or_insert_default()
}

/// Marks that a filter is tested.
pub fn filter_test(o: &mut Options, user: Option<BString>, system: Option<BString>) {
    match &mut o.test {
        Some(Test::Filter { user: u, system: s }) => {
            *u = user.or(u.take());
            *s = system.or(s.take());
        }
        _ => o.test = Some(Test::Filter { user, system }),
    }
}

/// Sets what is done to messages, with their ids.
pub fn set_action(o: &mut Options, action: MessageAction, ids: Vec<BString>) {
    o.action = Some((action, ids));
}
