//! Obeys a Sieve script: collects the deliveries that it asks for.

use bstr::{BString, ByteSlice};

use super::ast::{Command, Step};
use super::parse::{Disabled, parse};
use super::{notify, test, trace, vacation};
use crate::context::Context;
use crate::filter::asked::{End, Filtered, Generated, What};
use crate::text::Text;

/// What the configuration says about a run (options of the redirect router).
#[derive(Clone, Debug, Default)]
pub struct Job {
    /// `sieve_inbox`: where `keep` files messages.
    pub inbox: Text,
    /// `sieve_useraddress`, `sieve_subaddress`: the parts of the recipient's local part.
    pub user_address: Option<Text>,
    /// See above.
    pub subaddress: Option<Text>,
    /// `sieve_vacation_directory`
    pub vacation_directory: Option<Text>,
    /// `sieve_enotify_mailto_owner`
    pub enotify_owner: Option<Text>,
    /// Only a test: nothing is sent, and no file touched.
    pub testing: bool,
    /// The message is being delivered: notifications go out.
    pub delivering: bool,
}

/// The state of a run.
pub(super) struct Runner<'a> {
    pub(super) ctx: &'a mut Context,
    pub(super) job: &'a Job,
    keep: bool,
    pub(super) vacation_done: bool,
    pub(super) notified: Vec<(BString, Option<BString>)>,
    pub(super) items: Vec<Generated>,
}

/// Why a run is over.
pub(super) enum Over {
    Stopped,
    Mistake(String, u32),
}

/// A result, and whether the script left the message to be kept. After a mistake that is all that happens.
pub struct Outcome {
    /// The deliveries.
    pub filtered: Filtered,
    /// The implicit keep is in force.
    pub implicit_keep: bool,
    /// The mistake, with its line.
    pub mistake: Option<String>,
}

/// Reads and obeys a script.
pub fn run(ctx: &mut Context, text: &[u8], job: &Job) -> Outcome {
    let disabled = Disabled { enotify: job.enotify_owner.is_none(), vacation: job.vacation_directory.is_none() && !job.testing };
    let script = parse(text, disabled);
    let mut r = Runner { ctx, job, keep: true, vacation_done: false, notified: Vec::new(), items: Vec::new() };
    let mistake = match r.obey(&script.steps) {
        Err(Over::Stopped) => None,
        Err(Over::Mistake(message, line)) => Some((message, line)),
        Ok(()) => script.mistake,
    };
    if mistake.is_some() {
        r.items.clear();
        r.keep = true;
    }
    if r.keep {
        r.file(r.job.inbox.clone());
    }
    let (implicit_keep, items) = (r.keep, r.items);
    Outcome {
        filtered: Filtered { end: End::Delivered, items, n: [0; 10] },
        implicit_keep,
        mistake: mistake.map(|(message, line)| format!("{message} in line {line}")),
    }
}

impl Runner<'_> {
    fn obey(&mut self, steps: &[Step]) -> Result<(), Over> {
        steps.iter().try_for_each(|s| self.step(s))
    }

    fn step(&mut self, step: &Step) -> Result<(), Over> {
        let mistake = |message: &str| Err(Over::Mistake(message.into(), step.line));
        match &step.command {
            Command::Keep => {
                self.file(self.job.inbox.clone());
                self.keep = false;
            }
            Command::Discard => self.keep = false,
            Command::Stop => return Err(Over::Stopped),
            Command::Redirect(to, copy) => {
                if !to.contains(&b'@') {
                    return mistake("unqualified recipient address");
                }
                // Only routing knows whether the domain is one.
                if !to.iter().all(|c| c.is_ascii_graphic() || *c >= 0x80) {
                    return mistake("malformed recipient address");
                }
                self.redirect(to);
                self.keep &= *copy;
            }
            Command::FileInto(folder, copy) => {
                if folder.contains_str("..") || folder.is_empty() || folder.contains(&0) {
                    return mistake("invalid folder");
                }
                // The user's own word.
                self.file(Text::clean(folder.to_vec()));
                self.keep &= *copy;
            }
            Command::Vacation(v) => vacation::obey(self, v).map_err(|m| Over::Mistake(m, step.line))?,
            Command::Notify(n) => notify::obey(self, n).map_err(|m| Over::Mistake(m, step.line))?,
            Command::If(arms, otherwise) => {
                let mut chosen = otherwise;
                for (i, (t, steps)) in arms.iter().enumerate() {
                    let result = test::holds(self.ctx, self.job, t);
                    let word = if i == 0 { "if" } else { "elsif" };
                    trace::line(self.ctx, self.job, &[format!("{word} {result}").as_bytes()]);
                    if result {
                        chosen = steps;
                        break;
                    }
                }
                self.obey(chosen)?;
            }
        }
        Ok(())
    }

    fn file(&mut self, path: Text) {
        let same = |w: &What| matches!(w, What::File { path: p, .. } if *p == path);
        self.once("fileinto", &path, same, What::File { path: path.clone(), mode: None });
    }

    fn redirect(&mut self, to: &BString) {
        let same = |w: &What| matches!(w, What::Address { address, .. } if address == to);
        self.once("redirect", to, same, What::Address { address: to.clone(), qualified: true });
    }

    /// Adds a delivery, unless the script has asked for it already.
    fn once(&mut self, action: &str, to: &[u8], same: impl Fn(&What) -> bool, what: What) {
        if self.items.iter().any(|g| same(&g.what)) {
            trace::line(self.ctx, self.job, &[b"Repeated ", action.as_bytes(), b" `", to, b"' ignored."]);
        } else {
            trace::line(self.ctx, self.job, &[action.as_bytes(), b" `", to, b"'"]);
            self.add(what);
        }
    }

    pub(super) fn add(&mut self, what: What) {
        self.items.push(Generated { what, of_filter: true, ..Generated::default() });
    }
}
