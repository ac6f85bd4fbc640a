//! The options that choose a mode: `-b...`, `-M...`, `-q...`, `-R`, `-S`; and which of them go together.
//!
//! Part of the parser; only `parse` calls it.

use bstr::{BString, ByteSlice};

use super::options::{InputMode, MessageAction, Options, Refusal, Test};
use super::parse::{Words, check_address, daemon, filter_test, limited, refuse, set_action, unknown};
use crate::config::values::parse_interval;
use crate::daemon::Schedule;
use crate::queue::actions::Action;
use crate::queue::list::ListOptions;
use crate::queue::run::RunOptions;
use crate::queue::view::What;

/// `-b...`
pub fn option_b<'a>(o: &mut Options, word: &'a BString, rest: &'a [u8], words: &mut Words<'a>) -> Result<(), Refusal> {
    let mut file = |option: &str| {
        let name = words.take().ok_or_else(|| refuse(format!("file name expected after {option}")))?;
        limited(name, 4096, option)
    };
    match rest {
        b"d" => drop(daemon(o)),
        b"df" => daemon(o).foreground = true,
        b"e" => set_expand(o, None, None),
        b"em" => {
            let name = words.take().ok_or_else(|| unknown(word))?;
            set_expand(o, Some(limited(name, 4096, "-bem")?), None);
        }
        b"F" => {
            let name = file("-bF")?;
            filter_test(o, None, Some(name));
        }
        b"f" => {
            let name = file("-bf")?;
            filter_test(o, Some(name), None);
        }
        [b'f', which @ (b'd' | b'l' | b'p' | b's')] => {
            let Some(text) = words.take() else {
                return Err(refuse(format!("string expected after -bf{}", char::from(*which))));
            };
            let text = Some(limited(text, 256, "-bf")?);
            match which {
                b'd' => o.filter_domain = text,
                b'l' => o.filter_local_part = text,
                b'p' => o.filter_prefix = text,
                _ => o.filter_suffix = text,
            }
        }
        b"h" | b"hc" => {
            let address = limited(words.take().ok_or_else(|| unknown(word))?, 256, "-bh")?;
            check_address(&address)?;
            o.test = Some(Test::Host { address, callouts: rest == b"hc" });
        }
        b"i" => o.rebuild_aliases = true,
        [b'I', what @ ..] => o.info = Some(what.strip_prefix(b":").unwrap_or(what).into()),
        b"m" => o.input = InputMode::Message,
        b"malware" => {
            let name = words.take().ok_or_else(|| unknown(word))?;
            o.test = Some(Test::Malware(limited(name, 4096, "-bmalware")?));
        }
        b"nq" => o.no_qualify = true,
        b"P" => o.show = Some(words.rest()),
        [b'p', letters @ ..] => {
            let mut list = ListOptions::default();
            let mut left = letters;
            if let Some(more) = left.strip_prefix(b"r") {
                list.unsorted = true;
                left = more;
            }
            match left {
                b"" => {}
                b"a" => list.generated = true,
                b"i" => list.ids = true,
                b"u" => list.undelivered = true,
                b"c" if letters == b"c" => list.count = true,
                _ => return Err(unknown(word)),
            }
            o.list_queue = Some(list);
        }
        b"rt" => o.test = Some(Test::Retry),
        b"rw" => o.test = Some(Test::Rewrite),
        b"S" => o.input = InputMode::Batch,
        b"s" => o.input = InputMode::Smtp,
        b"t" => only_test(o, Test::Address)?,
        b"V" => o.version = true,
        b"v" => only_test(o, Test::Verify { sender: false })?,
        b"vs" => only_test(o, Test::Verify { sender: true })?,
        [b'w', time @ ..] => {
            let seconds = if time.is_empty() {
                0
            } else {
                parse_interval(time).ok_or_else(|| refuse(format!("bad time value {word}: abandoned")))?
            };
            daemon(o).inetd_wait = Some(seconds);
        }
        _ => return Err(unknown(word)),
    }
    Ok(())
}

fn set_expand(o: &mut Options, message: Option<BString>, id: Option<BString>) {
    match &mut o.test {
        Some(Test::Expand { message: m, id: i }) => {
            *m = message.or(m.take());
            *i = id.or(i.take());
        }
        _ => o.test = Some(Test::Expand { message, id }),
    }
}

/// `-M...`
pub fn option_m<'a>(o: &mut Options, word: &'a BString, rest: &'a [u8], words: &mut Words<'a>) -> Result<(), Refusal> {
    if let Some(internal) = rest.strip_prefix(b"C") {
        return internal_option(o, word, internal, words);
    }
    let needs_id = |words: &mut Words<'_>| -> Result<BString, Refusal> {
        let id = words.take().ok_or_else(|| refuse(format!("no message ids given after {word} option")))?;
        check_id(id, word)?;
        Ok(id.clone())
    };
    if rest == b"S" {
        o.requiretls = true;
        return Ok(());
    }
    let one = |a| MessageAction::Act(a);
    let (action, ids) = match rest {
        b"ar" => {
            let id = needs_id(words)?;
            (one(Action::AddRecipients(words.rest())), vec![id])
        }
        b"md" => {
            let id = needs_id(words)?;
            (one(Action::MarkDelivered(words.rest())), vec![id])
        }
        b"es" => {
            let id = needs_id(words)?;
            (one(Action::EditSender(words.rest())), vec![id])
        }
        b"set" => {
            let id = needs_id(words)?;
            set_expand(o, None, Some(id));
            return Ok(());
        }
        b"vb" | b"vc" | b"vh" | b"vl" => {
            let what = match rest {
                b"vb" => What::Body,
                b"vc" => What::Copy,
                b"vh" => What::Header,
                _ => What::Log,
            };
            let mut ids = vec![needs_id(words)?];
            let more = words.rest();
            if what != What::Copy && !more.is_empty() {
                return Err(Refusal::Said("*** Only one message can be listed at once".into()));
            }
            for id in more {
                check_id(&id, word)?;
                ids.push(id);
            }
            (MessageAction::View(what), ids)
        }
        b"G" => {
            let queue = words.take().ok_or_else(|| unknown(word))?;
            (one(Action::Move(limited(queue, 255, "-MG")?)), ids_of(word, words)?)
        }
        _ => {
            let action = match rest {
                b"" => Action::Deliver,
                b"c" => Action::DeliverConditionally,
                b"f" => Action::Freeze,
                b"g" => Action::GiveUp,
                b"mad" => Action::MarkAllDelivered,
                b"rm" => Action::Remove,
                b"t" => Action::Thaw,
                _ => return Err(unknown(word)),
            };
            (one(action), ids_of(word, words)?)
        }
    };
    set_action(o, action, ids);
    Ok(())
}

fn ids_of(word: &[u8], words: &mut Words<'_>) -> Result<Vec<BString>, Refusal> {
    let ids = words.rest();
    if ids.is_empty() {
        return Err(refuse(format!("no message ids given after {} option", word.as_bstr())));
    }
    for id in &ids {
        check_id(id, word)?;
    }
    Ok(ids)
}

fn check_id(id: &BString, word: &[u8]) -> Result<(), Refusal> {
    if crate::spool::is_message_id(id) {
        return Ok(());
    }
    Err(refuse(format!("malformed message id {id} after {} option", word.as_bstr())))
}

/// `-MC...`: how the reference's processes talk to each other. Ours do it without running a program again, so only
/// what scripts may use is there.
fn internal_option(o: &mut Options, word: &BString, rest: &[u8], words: &mut Words<'_>) -> Result<(), Refusal> {
    let mut take = || words.take().cloned().ok_or_else(|| unknown(word));
    match rest {
        b"G" => o.queue_name = limited(&take()?, 255, "-MCG")?,
        b"q" => {
            let address = limited(&take()?, 1024, "-MCq")?;
            let size = take()?.to_str().ok().and_then(|s| s.parse().ok()).ok_or_else(|| unknown(word))?;
            o.quota_of = Some((address, size));
        }
        b"d" => o.purpose = Some(limited(&take()?, 255, "-MCd")?),
        _ => return Err(refuse(format!("{word} is not implemented"))),
    }
    Ok(())
}

/// `-q...`
pub fn option_q<'a>(o: &mut Options, word: &'a BString, rest: &'a [u8], words: &mut Words<'a>) -> Result<(), Refusal> {
    if let [which @ (b'R' | b'S'), more @ ..] = rest {
        return option_select(o, word, *which == b'R', more, words);
    }
    let mut run = RunOptions { queue_name: o.queue_name.clone(), ..RunOptions::default() };
    let mut s = rest;
    let mut flag = |c: u8| match s.split_first() {
        Some((first, more)) if *first == c => {
            s = more;
            true
        }
        _ => false,
    };
    run.two_stage = flag(b'q');
    run.first_only = flag(b'i');
    run.force = flag(b'f');
    run.force_frozen = run.force && flag(b'f');
    run.local_only = flag(b'l');
    if let [which @ (b'R' | b'S'), more @ ..] = s {
        o.queue_runs.push(Schedule { interval: 0, options: run });
        return option_select(o, word, *which == b'R', more, words);
    }
    if let Some(name) = s.strip_prefix(b"G") {
        let (name, time) = match name.find_byte(b'/') {
            Some(i) => (name.get(..i).unwrap_or_default(), name.get(i + 1..).unwrap_or_default()),
            None => (name, &b""[..]),
        };
        run.queue_name = limited(name, 255, "-q*G<name>")?;
        s = time;
    }
    let bad = |t: &[u8]| refuse(format!("bad time value {}: abandoned", t.as_bstr()));
    let mut interval = 0;
    if !s.is_empty() {
        interval = parse_interval(s).ok_or_else(|| bad(word))?;
    } else if let Some(next) = words.peek() {
        if crate::spool::is_message_id(next) {
            run.start_id = words.take().cloned();
            if let Some(end) = words.peek().filter(|w| crate::spool::is_message_id(w)) {
                run.end_id = Some(end.clone());
                words.take();
            }
        } else if next.first() != Some(&b'-') {
            interval = parse_interval(next).ok_or_else(|| bad(next))?;
            words.take();
        }
    }
    o.queue_runs.push(Schedule { interval, options: run });
    Ok(())
}

/// `-R`, `-S`: a queue run for some recipients or senders.
pub fn option_select<'a>(
    o: &mut Options,
    word: &'a BString,
    recipient: bool,
    rest: &'a [u8],
    words: &mut Words<'a>,
) -> Result<(), Refusal> {
    let (force, frozen, regex, text) = match rest {
        b"" => (false, false, false, None),
        b"f" => (true, false, false, None),
        b"ff" => (true, true, false, None),
        b"r" => (false, false, true, None),
        b"rf" => (true, false, true, None),
        b"rff" => (true, true, true, None),
        other => (false, false, false, Some(other)),
    };
    let text = match text {
        Some(t) => t,
        None => match words.take() {
            Some(w) => w.as_slice(),
            None => return Err(refuse(format!("string expected after {}", if recipient { "-R" } else { "-S" }))),
        },
    };
    let text = limited(text, 1024, if recipient { "-R" } else { "-S" })?;
    let _ = word;
    if !o.queue_runs.iter().any(|s| s.interval == 0) {
        o.queue_runs
            .push(Schedule { interval: 0, options: RunOptions { queue_name: o.queue_name.clone(), ..RunOptions::default() } });
    }
    if let Some(s) = o.queue_runs.iter_mut().find(|s| s.interval == 0) {
        let run = &mut s.options;
        run.force |= force;
        run.force_frozen |= frozen;
        if recipient {
            run.recipient = Some((text, regex));
        } else {
            run.sender = Some((text, regex));
        }
    }
    Ok(())
}

/// One test of addresses, not two of them.
fn only_test(o: &mut Options, test: Test) -> Result<(), Refusal> {
    if o.test.as_ref().is_some_and(|t| std::mem::discriminant(t) != std::mem::discriminant(&test)) {
        return Err(refuse("incompatible command-line options or arguments"));
    }
    o.test = Some(test);
    Ok(())
}

/// Which modes exclude each other.
pub fn check(o: &Options) -> Result<(), Refusal> {
    let incompatible = || Err(refuse("incompatible command-line options or arguments"));
    // With `-bem` the recipients come from its file.
    let from_file = matches!(o.test, Some(Test::Expand { message: Some(_), .. }));
    let message_in = o.input != InputMode::Unset || (o.extract_recipients && !from_file);
    let listening = o.daemon.is_some();
    if listening && o.single_run().is_some() {
        return incompatible();
    }
    let modes = o.modes();
    if modes > 1 && !o.version {
        return incompatible();
    }
    // A queue run's tests may be of a given sender; an expansion test reads no message from stdin.
    if modes == 1 && message_in && !o.version {
        return incompatible();
    }
    let takes_arguments = o.test.is_some() || o.show.is_some() || o.list_queue.is_some() || o.action.is_some() || o.version;
    if !o.arguments.is_empty() && modes == 1 && !takes_arguments && !o.rebuild_aliases {
        return incompatible();
    }
    // Over SMTP each message says for itself who sent it, and what it needs.
    let by_smtp = matches!(o.input, InputMode::Smtp | InputMode::Batch);
    if (by_smtp || listening) && o.sender.is_some() || by_smtp && (o.extract_recipients || o.requiretls) {
        return incompatible();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::options::Delivery;
    use super::super::parse::parse;
    use super::*;

    fn run(args: &[&str]) -> Result<Options, Refusal> {
        let args: Vec<BString> = args.iter().map(|a| BString::from(*a)).collect();
        parse(b"/usr/sbin/exim", &args)
    }

    fn message(args: &[&str]) -> String {
        match run(args) {
            Err(Refusal::Message(m) | Refusal::Said(m)) => m,
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn modes() {
        assert!(run(&["-bd", "-q5m"]).unwrap().has_schedule());
        assert_eq!(run(&["-qqff"]).unwrap().single_run().map(|r| (r.two_stage, r.force_frozen)), Some((true, true)));
        assert_eq!(run(&["-q", "30m"]).unwrap().queue_runs[0].interval, 1800);
        assert_eq!(run(&["-odi", "-oMr", "x", "a@b"]).unwrap().delivery, Some(Delivery::Foreground));
        assert_eq!(run(&["-bP", "a", "-b"]).unwrap().show.unwrap().len(), 2);
        assert_eq!(run(&["-Rff", "x"]).unwrap().single_run().unwrap().recipient, Some(("x".into(), false)));
        assert_eq!(run(&["-qGfoo/5m"]).unwrap().queue_runs[0].options.queue_name, "foo");
        assert!(run(&["-t", "-i", "x"]).unwrap().extract_recipients);
        assert!(run(&["-MS", "-t"]).unwrap().requiretls);
        assert!(run(&["-be", "-Mset", "10HmaX-000000005vi-0000", "$x"]).is_ok());
    }

    #[test]
    fn refusals() {
        assert_eq!(message(&["-bQ"]), "exim abandoned: unknown, malformed, or incomplete option -bQ");
        assert_eq!(message(&["-q5x"]), "exim: bad time value -q5x: abandoned");
        assert_eq!(message(&["-or"]), "exim: bad time value -or: abandoned");
        assert_eq!(message(&["-M"]), "exim: no message ids given after -M option");
        assert_eq!(message(&["-Mes", "x"]), "exim: malformed message id x after -Mes option");
        assert_eq!(message(&["-bf"]), "exim: file name expected after -bf");
        assert_eq!(message(&["-oMa", "x"]), "exim abandoned: \"x\" is not an IP address");
        assert_eq!(message(&["-R"]), "exim: string expected after -R");
        assert_eq!(message(&["-d+foo"]), "exim: unknown debug_selector setting: +foo");
        assert_eq!(message(&["-bt", "-bv", "x@y"]), "exim: incompatible command-line options or arguments");
        assert_eq!(message(&["-bs", "-f", "x@y"]), "exim: incompatible command-line options or arguments");
        assert_eq!(message(&["-bd", "-f", "x@y"]), "exim: incompatible command-line options or arguments");
        assert_eq!(message(&["-bs", "-MS"]), "exim: incompatible command-line options or arguments");
        assert_eq!(message(&["-bd", "-bs"]), "exim: incompatible command-line options or arguments");
        assert_eq!(message(&["-D9="]), "exim: macro name set by -D must start with an upper case letter");
    }
}
