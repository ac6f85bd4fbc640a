//! Obeys the commands of an Exim filter: collects the deliveries that it asks for, writes its log, changes the header.
//!
//! Runs with the rights of the process that it is in; the caller has chosen them. A test obeys nothing but shows it all.

use std::io::Write;
use std::os::fd::OwnedFd;

use bstr::{BString, ByteSlice};

use super::ast::{Command, Step, Stop};
use super::parse::{Allowed, parse};
use super::{command_mail, headers, test_condition};
use crate::context::Context;
use crate::expand::{self, ExpandError, Template};
use crate::filter::asked::{End, Filtered, Generated, What};
use crate::log::{escape, trace};
use crate::parse::{Rules, extract_address};
use crate::sys::file::{self, Flags};
use crate::text::Text;

/// The longest text of `fail`, `freeze` and `defer`, bytes.
const MAX_STOP_TEXT: usize = 1024;
/// What is kept of a longer one.
const CUT_STOP_TEXT: usize = 1000;

/// What a run of a filter is about.
#[derive(Clone, Copy, Debug, Default)]
pub struct Job {
    /// What the file may do.
    pub allowed: Allowed,
    /// `$home` is put before names of files that do not begin with a slash.
    pub prepend_home: bool,
    /// Nothing is done; what would be is written to standard output.
    pub testing: bool,
    /// `logwrite` writes: the message is being delivered.
    pub writes_log: bool,
}

/// The state of a run.
pub(super) struct Runner<'a> {
    pub(super) ctx: &'a mut Context,
    pub(super) job: Job,
    /// How deep the command stands in `if` commands.
    pub(super) level: usize,
    pub(super) delivered: bool,
    pub(super) items: Vec<Generated>,
    log_name: Option<(Text, u32)>,
    log_file: Option<OwnedFd>,
}

/// Why a run is over.
pub(super) enum Over {
    /// `finish`
    Finished,
    /// `fail`, `freeze`, `defer`, or a mistake.
    Because(End),
}

/// Whether it goes on.
pub(super) type Flow = Result<(), Over>;

/// What users may not say.
const ERRORS_TO: &str = "errors_to must point to the caller's address";

/// The end with a mistake.
pub(super) fn mistake(message: impl Into<String>) -> Over {
    Over::Because(End::Error(message.into()))
}

/// The end because a value could not be expanded. A value may have several lines; what is told of it has one.
pub(super) fn not_expanded(value: &Template, place: &str, e: &ExpandError) -> Over {
    mistake(format!("failed to expand {} in {place}: {e}", escape::quoted(value.raw())))
}

/// Reads and obeys a filter.
pub fn run(ctx: &mut Context, text: &[u8], job: Job) -> Filtered {
    ctx.scratch.filter_n = [0; 10];
    let steps = match parse(text, job.allowed) {
        Ok(steps) => steps,
        Err(message) => return Filtered::error(message),
    };
    let outer = std::mem::replace(&mut ctx.scratch.filter_running, true);
    let shows_recipients = std::mem::replace(&mut ctx.scratch.shows_recipients, job.allowed.system);
    let charset = ctx.scratch.headers_charset.take();
    let mut r = Runner { ctx, job, level: 0, delivered: false, items: Vec::new(), log_name: None, log_file: None };
    let flow = r.obey(&steps);
    let (delivered, items) = (r.delivered, std::mem::take(&mut r.items));
    ctx.scratch.headers_charset = charset;
    ctx.scratch.filter_running = outer;
    ctx.scratch.shows_recipients = shows_recipients;
    let end = match flow {
        Ok(()) | Err(Over::Finished) if delivered => End::Delivered,
        Ok(()) | Err(Over::Finished) => End::NotDelivered,
        Err(Over::Because(End::Error(message))) => return Filtered::error(message),
        Err(Over::Because(end)) => end,
    };
    Filtered { end, items, n: ctx.scratch.filter_n }
}

/// A string as tests show it.
pub(super) fn shown(ctx: &Context, text: &[u8]) -> BString {
    escape::printing_with_tabs(text, ctx.config.main.print_topbitchars)
}

impl Runner<'_> {
    /// Writes a line of a test's output.
    pub(super) fn say(&self, text: impl AsRef<[u8]>) {
        let mut out = std::io::stdout().lock();
        // Nobody can be told when standard output has gone.
        let _ = out.write_all(text.as_ref()).and_then(|()| out.write_all(b"\n"));
    }

    /// Is it a test, or debugged, with conditions shown?
    pub(super) fn explains(&self) -> bool {
        let debug = self.ctx.run.debug;
        debug & trace::FILTER != 0 || (self.job.testing && debug != 0)
    }

    /// The blanks before a line about a condition, or the details of a command.
    pub(super) fn indent(&self) -> String {
        if self.ctx.run.debug == 0 { String::new() } else { "  ".repeat(self.level) }
    }

    pub(super) fn obey(&mut self, steps: &[Step]) -> Flow {
        steps.iter().try_for_each(|step| self.step(step))
    }

    fn expanded(&mut self, value: &Template, command: &str) -> Result<Text, Over> {
        expand::expand(self.ctx, value).map_err(|e| not_expanded(value, &format!("{command} command"), &e))
    }

    fn step(&mut self, step: &Step) -> Flow {
        match &step.command {
            Command::Add(amount, variable) => self.add(amount, variable),
            Command::Deliver(address, errors_to) => self.deliver(step, address, errors_to.as_ref()),
            Command::Save(path, mode) => self.save(step, path, *mode),
            Command::Pipe(command) => {
                self.pipe(step, command);
                Ok(())
            }
            Command::Mail(mail) => command_mail::obey(self, step, mail),
            Command::LogFile(path, mode) => {
                let path = self.expanded(path, "logfile")?;
                if self.job.testing {
                    self.say(format!("Logfile {path}"));
                }
                self.log_name = Some((path, mode.unwrap_or(0o600)));
                self.log_file = None;
                Ok(())
            }
            Command::LogWrite(text) => self.log_write(text),
            Command::TestPrint(text) => {
                let text = self.expanded(text, "testprint")?;
                if self.job.testing || self.explains() {
                    self.say([b"Testprint: ", shown(self.ctx, &text).as_slice()].concat());
                }
                Ok(())
            }
            Command::Headers(op, value) => headers::obey(self, *op, value),
            Command::Stop(how, text) => self.stop(*how, text.as_ref()),
            Command::Finish => {
                if self.job.testing {
                    self.say(if step.seen { "Seen finish" } else { "Finish" });
                }
                self.delivered |= step.seen;
                Err(Over::Finished)
            }
            Command::If(arms, otherwise) => {
                let (level, this_address) = (self.level, self.ctx.address.this_address.clone());
                let mut chosen = otherwise;
                for (condition, steps) in arms {
                    let yes = test_condition::holds(self, condition, true)?;
                    self.level += 1;
                    if yes {
                        chosen = steps;
                        break;
                    }
                }
                let flow = self.obey(chosen);
                self.level = level;
                self.ctx.address.this_address = this_address;
                flow
            }
        }
    }

    fn add(&mut self, amount: &Template, variable: &Template) -> Flow {
        let amount = self.expanded(amount, "add")?;
        let variable = self.expanded(variable, "add")?;
        let n = integer(&amount).ok_or_else(|| mistake(format!("malformed number \"{amount}\" in \"add\" command")))?;
        let slot = match variable.as_bytes() {
            [b'n', d @ b'0'..=b'9'] => self.ctx.scratch.filter_n.get_mut(usize::from(d - b'0')),
            [b'n', other] => {
                let other = [*other];
                return Err(mistake(format!("malformed number \"{}\" in \"add\" command", other.as_bstr())));
            }
            _ => None,
        };
        let Some(slot) = slot else {
            return Err(mistake(format!("unknown variable \"{variable}\" in \"add\" command")));
        };
        *slot = slot.wrapping_add(n);
        if self.job.testing {
            self.say(format!("Add {n} to {variable}"));
        }
        Ok(())
    }

    /// An address of the filter with a domain. `sender`: it is qualified as one.
    fn address(&self, text: &Text, sender: bool) -> Result<BString, Over> {
        let found = extract_address(&mut Rules::new(&self.ctx.config.main), text)
            .map_err(|e| mistake(format!("malformed address \"{text}\" in filter file: {e}")))?;
        let site = &self.ctx.config.site;
        let domain = if sender { &site.qualify_domain } else { &site.qualify_recipient };
        let mut address = found.address.clone();
        if !found.is_qualified() {
            address.push(b'@');
            address.extend_from_slice(domain);
        }
        Ok(address)
    }

    fn deliver(&mut self, step: &Step, address: &Template, errors_to: Option<&Template>) -> Flow {
        let address = self.expanded(address, "deliver")?;
        let errors_to = errors_to.map(|t| self.expanded(t, "deliver")).transpose()?;
        let address = self.address(&address, false)?;
        if errors_to.as_ref().is_some_and(|t| t.trim().is_empty()) && !self.job.allowed.system {
            return Err(mistake(ERRORS_TO));
        }
        let errors_to = errors_to.map(|t| self.address(&t, true)).transpose()?;
        if let Some(e) = &errors_to
            && !self.job.allowed.system
        {
            let v = &self.ctx.address;
            let own = [v.local_part.as_deref().unwrap_or_default(), b"@", v.domain.as_deref().unwrap_or_default()].concat();
            let rewritten = crate::rewrite::rewrite_in_filter(self.ctx, Text::tainted(own.clone()));
            if !e.eq_ignore_ascii_case(&own) && !e.eq_ignore_ascii_case(&rewritten) {
                return Err(mistake(ERRORS_TO));
            }
        }
        self.delivered |= step.seen;
        if self.job.testing {
            let errors = errors_to.map(|e| format!(" errors_to {e}")).unwrap_or_default();
            self.say(format!("{} message to: {address}{}{errors}", unseen(step, "Deliver"), noerror(step)));
            return Ok(());
        }
        crate::debug!(self.ctx, FILTER, "Filter: {}deliver message to: {address}", if step.seen { "" } else { "unseen " });
        let what = What::Address { address, qualified: true };
        self.items.push(Generated { what, of_filter: true, errors_to: errors_to.map(Text::tainted), ignore_error: step.noerror });
        Ok(())
    }

    fn save(&mut self, step: &Step, path: &Template, mode: Option<u32>) -> Flow {
        let mut path = self.expanded(path, "save")?;
        self.delivered |= step.seen;
        if self.job.testing {
            let mode = mode.map(|m| format!(" {m:04o}")).unwrap_or_default();
            let (lead, end) = (format!("{} message to: ", unseen(step, "Save")), format!("{mode}{}", noerror(step)));
            self.say([lead.as_bytes(), path.as_bytes(), end.as_bytes()].concat());
            return Ok(());
        }
        if self.job.prepend_home
            && path.first() != Some(&b'/')
            && let Some(home) = self.ctx.address.home.clone().filter(|h| !h.is_empty())
        {
            let mut whole = home;
            whole.push_bytes(b"/");
            whole.push(&path);
            path = whole;
        }
        crate::debug!(self.ctx, FILTER, "Filter: {}save message to: {path}", if step.seen { "" } else { "unseen " });
        self.items.push(Generated {
            what: What::File { path, mode },
            of_filter: true,
            errors_to: None,
            ignore_error: step.noerror,
        });
        Ok(())
    }

    fn pipe(&mut self, step: &Step, command: &[u8]) {
        self.delivered |= step.seen;
        if self.job.testing {
            self.say(format!("{} message to: {}{}", unseen(step, "Pipe"), command.as_bstr(), noerror(step)));
            return;
        }
        crate::debug!(
            self.ctx,
            FILTER,
            "Filter: {}pipe message to: {}",
            if step.seen { "" } else { "unseen " },
            command.as_bstr()
        );
        let expand = Some((self.ctx.scratch.numeric.clone(), self.ctx.address.this_address.clone()));
        let what = What::Pipe { command: Text::clean([b"|", command].concat()), expand };
        self.items.push(Generated { what, of_filter: true, errors_to: None, ignore_error: step.noerror });
    }

    fn log_write(&mut self, text: &Template) -> Flow {
        if !self.job.allowed.log {
            return Err(mistake("logwrite command forbidden"));
        }
        let line = self.expanded(text, "logwrite")?;
        if self.job.testing {
            let line = shown(self.ctx, &line);
            self.say(format!("Logwrite \"{line}\""));
            return Ok(());
        }
        if !self.job.writes_log {
            return Ok(());
        }
        let Some((name, mode)) = &self.log_name else {
            return Err(mistake("attempt to obey \"logwrite\" command without a previous \"logfile\""));
        };
        if self.log_file.is_none() {
            if name.is_tainted() {
                return Err(mistake(format!("tainted name \"{name}\" for filter log file is not permitted")));
            }
            let opened = file::open(name, Flags::WRITE | Flags::APPEND | Flags::CREATE, *mode);
            self.log_file =
                Some(opened.map_err(|e| mistake(crate::expand::items::open_failed(&format!("filter log file \"{name}\""), &e)))?);
        }
        if let Some(fd) = self.log_file.take() {
            let mut f = std::fs::File::from(fd);
            let written = f.write_all(&line);
            self.log_file = Some(f.into());
            written.map_err(|e| mistake(format!("error while writing filter log file: {}", crate::sys::error_text(&e))))?;
        }
        Ok(())
    }

    fn stop(&mut self, how: Stop, text: Option<&Template>) -> Flow {
        let mut text = match text {
            Some(t) => self.expanded(t, how.name())?,
            None => Text::new(),
        };
        if let Some((head, _)) = text.split_at_checked(CUT_STOP_TEXT).filter(|_| text.len() > MAX_STOP_TEXT) {
            text = text.piece([head, b" ... (truncated)"].concat());
        }
        if self.job.testing {
            let name = match how {
                Stop::Fail => "Fail",
                Stop::Freeze => "Freeze",
                Stop::Defer => "Defer",
            };
            let text = shown(self.ctx, &text);
            self.say(format!("{name} text \"{text}\""));
        } else if how == Stop::Freeze && self.ctx.message.manual_thaw {
            // Somebody has looked at it and found it good.
            crate::debug!(self.ctx, FILTER, "freeze command ignored: message was manually thawed");
            return Ok(());
        }
        Err(Over::Because(match how {
            Stop::Fail => End::Fail(text),
            Stop::Freeze => End::Freeze(text),
            Stop::Defer => End::Defer(text),
        }))
    }

    /// Expands a value for a condition.
    pub(super) fn condition_value(&mut self, value: &Template) -> Result<Text, Over> {
        expand::expand(self.ctx, value).map_err(|e| not_expanded(value, "filter file", &e))
    }
}

fn unseen(step: &Step, word: &str) -> String {
    if step.seen { word.to_string() } else { format!("Unseen {}", word.to_ascii_lowercase()) }
}

pub(super) fn noerror(step: &Step) -> &'static str {
    if step.noerror { " (noerror)" } else { "" }
}

/// A number as C reads it: decimal, octal, or hexadecimal.
fn integer(text: &[u8]) -> Option<i64> {
    let text = text.trim_start().to_str().ok()?;
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if !digits.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let value = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(hex) => i64::from_str_radix(hex, 16),
        None if digits.len() > 1 && digits.starts_with('0') => i64::from_str_radix(digits, 8),
        None => digits.parse(),
    };
    value.ok().map(|v| if negative { v.wrapping_neg() } else { v })
}
