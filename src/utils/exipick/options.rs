//! The command line of exipick.

use super::message::Reader;
use crate::sys::pcre::{Options as RegexOptions, Regex};

pub(super) const HELP: &str = "Usage:
    exipick [<options>] [<criterion> [<criterion> ...]]

Criteria:
    '$variable <operator> value', with
      < <= > >= == !=   numbers; units d h m s (time), M K B (size)
      eq ne             the text itself
      =~ !~             a pattern, /between slashes/; /i behind it: any case
      =                 a pattern without slashes, any case (but --caseful)
    '$variable'         true
    '!' before it: not. Any message variable of Exim, and
      $body_path $data_path $header_path $deliver_freeze $deliver_frozen_at
      $dont_deliver $each_recipients $each_recipients_del
      $each_recipients_undel $first_delivery $host_lookup_deferred
      $host_lookup_failed $local_error_message $manually_thawed $message_age
      $message_body (all of it) $message_body_missing $originator_login
      $recipients $recipients_count $recipients_del $recipients_del_count
      $recipients_undel $recipients_undel_count $sender_local
      $sender_set_untrusted $shown_message_size $warning_count

Options:
    --and --or --not        all criteria (default), any, each of them negated
    --caseful               = honours case
    -f <regexp> -r <regexp> sender, recipients
    -s <size>               size as the listing shows it
    -o <secs> -y <secs>     older, younger than
    -z -x                   frozen, not frozen
    -bp -l (default) -bpa -bpu -bpr -bpra -bpru
    -b -c -bpc -i --flatq   brief, count, ids only, one line for each message
    --size                  the bytes of all messages shown, and nothing else
    --show-vars <v>[,<v>]   values of variables, too; ^pattern: all such
    --show-rules            what each criterion was taken for
    --show-tests            what each criterion gives for each message
    --sort <v>[,<v>] --unsorted --reverse -R --random
    --spool <directory>, --queue <name> -G <name>
    --input-dir <name>      instead of \"input\"; --finput: \"Finput\"
    -C --config <file>      whose spool directory it is
    --freeze <file>         writes what is known of the messages that are shown
    --thaw <file>           reads that file instead of a queue
    --charset <name>        what header lines are shown in, if not UTF-8
";

/// What is printed of a message.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Listing,
    Brief,
    Count,
    /// The number alone.
    Number,
    Ids,
    Flat,
}

/// Variables to show.
pub(super) enum Show {
    One(String),
    Matching(Regex),
}

impl Show {
    /// What a pattern finds is shown if it has a value, or may well be empty.
    pub(super) fn shows(&self, name: &str, value: &[u8]) -> bool {
        matches!(self, Show::One(_)) || !value.is_empty() || name.starts_with("sender_address")
    }

    /// The names, for the message that has been read.
    pub(super) fn names(&self, reader: &Reader) -> Vec<String> {
        match self {
            Show::One(name) => vec![name.clone()],
            Show::Matching(r) => reader.names().into_iter().filter(|n| r.is_match(n.as_bytes())).collect(),
        }
    }
}

pub(super) struct Wanted {
    pub form: Form,
    /// `--or`
    pub any: bool,
    pub negated: bool,
    pub caseful: bool,
    /// Addresses that were made of others, too.
    pub generated: bool,
    /// Only recipients that are left.
    pub undelivered: bool,
    pub unsorted: bool,
    pub reverse: bool,
    pub random: bool,
    pub size: bool,
    pub show: Vec<Show>,
    pub show_rules: bool,
    pub show_tests: bool,
    pub sort: Vec<String>,
    pub spool: Option<String>,
    pub queue: Option<String>,
    pub input: String,
    pub criteria: Vec<String>,
    pub freeze: Option<String>,
    pub thaw: Option<String>,
    pub charset: String,
}

/// `--name=value` as two words.
fn words(args: &[String]) -> Vec<String> {
    let split = |a: &String| match a.split_once('=') {
        Some((name, value)) if name.starts_with("--") => vec![name.to_string(), value.to_string()],
        _ => vec![a.clone()],
    };
    args.iter().flat_map(split).collect()
}

pub(super) fn parse(args: &[String]) -> Result<Wanted, String> {
    let mut w = Wanted {
        form: Form::Listing,
        any: false,
        negated: false,
        caseful: false,
        generated: false,
        undelivered: false,
        unsorted: false,
        reverse: false,
        random: false,
        size: false,
        show: Vec::new(),
        show_rules: false,
        show_tests: false,
        sort: Vec::new(),
        spool: None,
        queue: None,
        input: "input".into(),
        criteria: Vec::new(),
        freeze: None,
        thaw: None,
        charset: "UTF-8".into(),
    };
    let args = words(args);
    let mut it = args.iter();
    while let Some(a) = it.next() {
        let mut value = || it.next().cloned().ok_or_else(|| format!("a value is needed after {a}"));
        match a.as_str() {
            "--and" => w.any = false,
            "--or" => w.any = true,
            "--not" => w.negated = true,
            "--caseful" => w.caseful = true,
            "-bp" | "-l" => w.form = Form::Listing,
            "-bpu" => w.undelivered = true,
            "-bpa" => w.generated = true,
            "-bpr" | "--unsorted" => w.unsorted = true,
            "-bpra" => (w.unsorted, w.generated) = (true, true),
            "-bpru" => (w.unsorted, w.undelivered) = (true, true),
            "-b" => w.form = Form::Brief,
            "-c" => w.form = Form::Count,
            "-bpc" => w.form = Form::Number,
            "-i" => w.form = Form::Ids,
            "--flatq" => w.form = Form::Flat,
            "--size" => w.size = true,
            "--reverse" | "-R" => w.reverse = true,
            "--random" => w.random = true,
            "-z" => w.criteria.push("$deliver_freeze".into()),
            "-x" => w.criteria.push("!$deliver_freeze".into()),
            // The sender is given with angle brackets around it to exiqgrep.
            "-f" => w.criteria.push(format!("$sender_address =~ /{}/", value()?.replace(['<', '>'], ""))),
            "-r" => w.criteria.push(format!("$recipients =~ /{}/", value()?)),
            "-s" => w.criteria.push(format!("$shown_message_size eq {}", value()?)),
            "-o" => w.criteria.push(format!("$message_age > {}", value()?)),
            "-y" => w.criteria.push(format!("$message_age < {}", value()?)),
            "--show-vars" => {
                for v in value()?.split(',') {
                    w.show.push(match v.strip_prefix('^') {
                        Some(_) => Show::Matching(pattern(v, RegexOptions::NONE)?),
                        None => Show::One(v.trim_start_matches('$').to_string()),
                    });
                }
            }
            "--show-rules" => w.show_rules = true,
            "--show-tests" => w.show_tests = true,
            "--sort" => w.sort.extend(value()?.split(',').map(|v| v.trim_start_matches('$').to_string())),
            "--spool" => w.spool = Some(value()?),
            "--queue" | "-G" => w.queue = Some(value()?).filter(|q| !q.is_empty()),
            "--input-dir" => w.input = value()?,
            "--finput" => w.input = "Finput".into(),
            "--freeze" => w.freeze = Some(value()?),
            "--thaw" => w.thaw = Some(value()?),
            "--charset" => w.charset = value()?,
            other if other.starts_with('-') => return Err(format!("there is no option {other}")),
            other => w.criteria.push(other.to_string()),
        }
    }
    if w.queue.as_ref().is_some_and(|q| q.contains('/')) {
        return Err("the name of a queue has no slash in it".into());
    }
    Ok(w)
}

/// A pattern, or what is wrong with it.
pub(super) fn pattern(text: &str, options: RegexOptions) -> Result<Regex, String> {
    Regex::new(text.as_bytes(), options).map_err(|e| format!("bad pattern \"{text}\": {e}"))
}
