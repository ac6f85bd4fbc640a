//! The `appendfile` transport (manual chapter 26): mailbox files, maildirs, and directories of files.
//!
//! Runs as the recipient. Each failure leaves the mailbox as it was.

mod comsat;
mod directory;
mod lockfile;
mod locks;
mod maildir;
mod maildirsize;
mod mbox;
mod mbx;
mod options;
mod place;
mod quota;
mod usage;

use std::fs::File;

use bstr::{BString, ByteSlice};

use super::options::TransportOptions;
use super::{Kind, Transport, TransportInstance};
use crate::config::Config;
use crate::config::options::{OptionSet, Str};
use crate::context::Context;
use crate::deliver::local::{Begun, DeliveryStatus, LocalJob, LocalTransport, Prepared};
use crate::deliver::transport_write::{Counted, FileOutput, Output, WriteError, WriteSpec, write_message};
use crate::expand::{self, Template};
use crate::retry::errors;
use crate::route::{Address, AddressKind};
use crate::text::Text;
pub use options::AppendfileOptions;

/// `message_prefix` of mailbox files.
const MBOX_PREFIX: &str = "From ${if def:return_path{$return_path}{MAILER-DAEMON}} ${tod_bsdinbox}\n";

/// The default of `quota_warn_message`.
const QUOTA_WARNING: &str = "To: $local_part@$domain\nSubject: Your mailbox\n\n\
    This message is automatically created by mail delivery software (Exim).\n\n\
    The size of your mailbox has exceeded a warning threshold that is\n\
    set by the system administrator.\n";

/// The driver.
#[derive(Debug, Default)]
pub struct Appendfile {
    options: AppendfileOptions,
    format: Format,
    create: place::CreateFile,
}

/// What is delivered into.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Format {
    /// One file, appended to.
    #[default]
    Mbox,
    /// A directory, one file for each message.
    Directory,
    /// A directory in maildir form.
    Maildir,
    /// A directory in mailstore form: two files for each message.
    Mailstore,
}

/// A delivery that did not happen.
#[derive(Debug)]
pub(super) struct Failure {
    status: DeliveryStatus,
    errno: i32,
    message: String,
    /// For the bounce, if the log's text is not for users.
    user_message: Option<String>,
    /// For quota errors: seconds since the mailbox was read.
    more: i32,
    /// The message is frozen.
    freeze: bool,
}

impl Failure {
    fn defer(errno: i32, message: impl Into<String>) -> Self {
        Failure { status: DeliveryStatus::Defer, errno, message: message.into(), user_message: None, more: 0, freeze: false }
    }

    /// A transport filter's.
    pub(super) fn of_filter(errno: i32, message: String) -> Self {
        Self::defer(errno, message)
    }

    /// A system call's error.
    fn io(e: &std::io::Error, message: impl Into<String>) -> Self {
        Self::defer(e.raw_os_error().unwrap_or(errors::UNKNOWN), message)
    }
}

impl Transport for Appendfile {
    fn options(&self) -> &dyn OptionSet {
        &self.options
    }
    fn options_mut(&mut self) -> &mut dyn OptionSet {
        &mut self.options
    }

    fn init(&mut self, name: &BString, _: &mut TransportOptions, set: &[String], _: &Config) -> Result<(), String> {
        let o = &mut self.options;
        let is_set = |name: &str| set.iter().any(|s| s == name);
        if o.file.is_set() && o.directory.is_set() {
            return Err("only one of \"file\" or \"directory\" can be specified".into());
        }
        // A setting that is empty is as good as none.
        let given = |s: &Str| s.raw().is_some_and(|r| !r.trim().is_empty() && r != b"0");
        if given(&o.quota_filecount) {
            if !given(&o.quota) {
                return Err("quota must be set if quota_filecount is set".into());
            }
            if o.file.is_set() {
                return Err("quota_filecount must not be set without \"directory\"".into());
            }
        }
        self.format = match (o.maildir_format, o.mailstore_format, o.mbx_format, o.directory.is_set()) {
            (true, true, ..) | (true, _, true, _) | (_, true, true, _) => {
                return Err("only one of maildir_format, mailstore_format, and mbx_format may be specified".into());
            }
            (true, ..) => Format::Maildir,
            (_, true, ..) => Format::Mailstore,
            (.., true) => Format::Directory,
            _ => Format::Mbox,
        };
        self.create = place::CreateFile::parse(o.create_file.raw().unwrap_or(b"anywhere"), name.as_bstr())?;
        // The defaults depend on where the message goes.
        if self.format == Format::Mbox && !o.use_bsmtp {
            default(&mut o.check_string, is_set("check_string"), "From ");
            default(&mut o.escape_string, is_set("escape_string"), ">From ");
            default(&mut o.message_prefix, is_set("message_prefix"), MBOX_PREFIX);
            default(&mut o.message_suffix, is_set("message_suffix"), "\n");
        }
        if o.use_bsmtp {
            default(&mut o.check_string, false, ".");
            default(&mut o.escape_string, false, "..");
        }
        choose_locks(o, &is_set);
        if self.format == Format::Mbox && !(o.use_lockfile || o.use_fcntl_lock || o.use_flock_lock || o.use_mbx_lock) {
            return Err("no locking configured".into());
        }
        Ok(())
    }

    fn kind(&self) -> Kind<'_> {
        Kind::Local(self)
    }
    fn as_appendfile(&self) -> Option<&Appendfile> {
        Some(self)
    }
}

/// The locks that are not set depend on those that are, and on the format.
fn choose_locks(o: &mut AppendfileOptions, is_set: &dyn Fn(&str) -> bool) {
    let any = ["use_lockfile", "use_fcntl_lock", "use_flock_lock", "use_mbx_lock"].into_iter().any(is_set);
    o.use_mbx_lock = if is_set("use_mbx_lock") { o.use_mbx_lock } else { o.mbx_format && !any };
    if !is_set("use_lockfile") {
        o.use_lockfile = !o.use_mbx_lock;
    }
    if !is_set("use_fcntl_lock") {
        o.use_fcntl_lock = !o.use_flock_lock;
    }
}

fn default(option: &mut Str, given: bool, value: &str) {
    if !given {
        *option = Str::fixed(value);
    }
}

impl LocalTransport for Appendfile {
    fn batch_max(&self) -> usize {
        usize::try_from(self.options.batch_max.0).unwrap_or(1).max(1)
    }
    fn batch_id(&self) -> Option<&Template> {
        self.options.batch_id.get()
    }
    /// Quotas may come from where only root can look.
    fn setup(&self, ctx: &mut Context, transport: &TransportInstance, batch: &mut [Address]) -> Result<Prepared, String> {
        let limits = quota::Limits::of(ctx, &self.options, transport).map_err(|f| {
            for a in batch.iter_mut() {
                a.failure.basic_errno = f.errno;
            }
            f.message
        })?;
        Ok(Some(Box::new(limits)))
    }

    /// Only a maildir, where nothing is measured.
    fn begin(&self, ctx: &mut Context, job: &mut LocalJob<'_>) -> Begun {
        if self.format != Format::Maildir {
            return None;
        }
        let limits = job.prepared.as_ref().and_then(|p| p.downcast_ref::<quota::Limits>()).filter(|l| l.none())?;
        let begun = match place::find(ctx, job, self) {
            Ok((path, Format::Maildir)) if path != "/dev/null" => {
                let begun = maildir::begin(self, ctx, job, &path, limits);
                name_file(job, &path);
                begun
            }
            // What is wrong shows again.
            _ => return None,
        };
        Some(Box::new(begun))
    }

    fn deliver(&self, ctx: &mut Context, job: &mut LocalJob<'_>) -> Vec<DeliveryStatus> {
        let begun = job.begun.take().and_then(|b| b.downcast::<Result<maildir::Begun, Failure>>().ok());
        let result = match begun {
            Some(begun) => begun.and_then(|b| self.finish(ctx, job, b)),
            None => self.run(ctx, job),
        };
        let status = match &result {
            Ok(()) => DeliveryStatus::Ok,
            Err(f) => f.status,
        };
        if let Err(f) = result {
            for a in job.batch.iter_mut() {
                a.failure.basic_errno = f.errno;
                a.failure.more_errno = f.more;
                a.failure.message = Some(Text::clean(f.message.clone()));
                a.failure.user_message = f.user_message.clone().map(Text::clean);
                a.flags.freeze |= f.freeze;
            }
        }
        vec![status; job.batch.len()]
    }
}

impl Appendfile {
    /// Is there room in the mailbox (`verify = recipient/quota`)? `Err(None)`: no; else why that is not known. Nothing is
    /// written.
    pub fn quota(&self, ctx: &mut Context, job: &mut LocalJob<'_>) -> Result<(), Option<String>> {
        let answer = |f: Failure| if f.errno == crate::retry::errors::QUOTA { None } else { Some(f.message) };
        let (path, format) = place::find(ctx, job, self).map_err(answer)?;
        let limits = self.limits(ctx, job).map_err(answer)?;
        let account = match format {
            Format::Mbox => {
                let size = crate::sys::file::stat(&path).ok().and_then(|s| u64::try_from(s.size).ok()).unwrap_or(0);
                Ok(limits.of_file(size))
            }
            _ => limits.of_directory(&path, format),
        };
        account.and_then(|mut a| a.check(&path, quota::LastRead::Unknown)).map_err(answer)
    }

    /// The limits, as they were prepared.
    fn limits(&self, ctx: &mut Context, job: &mut LocalJob<'_>) -> Result<quota::Limits, Failure> {
        match job.prepared.take().and_then(|p| p.downcast::<quota::Limits>().ok()) {
            Some(limits) => Ok(*limits),
            None => quota::Limits::of(ctx, &self.options, job.transport),
        }
    }

    /// The mode of the file: a filter's `save` command may set one, which is then forced.
    fn mode(&self, job: &LocalJob<'_>) -> (u32, bool) {
        match job.batch.first().and_then(|a| a.mode) {
            Some(mode) => (mode, true),
            None => (self.options.mode.0, false),
        }
    }

    fn run(&self, ctx: &mut Context, job: &mut LocalJob<'_>) -> Result<(), Failure> {
        let (path, format) = place::find(ctx, job, self)?;
        if path == "/dev/null" {
            return Ok(());
        }
        if format == Format::Mbox
            && let Some(other) = self.other_format(ctx, &path)?
            && other.name != job.transport.name
        {
            let Some(driver) = other.driver.as_appendfile() else {
                return Err(Failure::defer(errors::BAD_TRANSPORT, format!("{} is not an appendfile transport", other.name)));
            };
            for a in job.batch.iter_mut() {
                a.transport = Some(other.clone());
            }
            let mut handed = LocalJob {
                transport: &other,
                batch: &mut *job.batch,
                data: job.data,
                uid: job.uid,
                gid: job.gid,
                home: job.home.clone(),
                directory: job.directory.clone(),
                output: job.output,
                prepared: None,
                begun: None,
                directories: job.directories,
                sent: job.sent,
            };
            let quota = quota::Limits::of(ctx, &driver.options, &other)?;
            return driver.write_into(ctx, &mut handed, &path, format, &quota);
        }
        let quota = self.limits(ctx, job)?;
        self.write_into(ctx, job, &path, format, &quota)
    }

    /// Ends what `begin` has begun.
    fn finish(&self, ctx: &mut Context, job: &mut LocalJob<'_>, begun: maildir::Begun) -> Result<(), Failure> {
        let (limits, leaf) = (self.limits(ctx, job)?, begun.leaf());
        maildir::finish(self, ctx, job, begun).map(drop).map_err(|f| limits.explain(f, &leaf))
    }

    /// `file_format`: the transport for what the file holds already; `None`: this one.
    fn other_format(&self, ctx: &Context, path: &[u8]) -> Result<Option<std::sync::Arc<TransportInstance>>, Failure> {
        use std::io::Read;
        let Some(list) = self.options.file_format.raw() else { return Ok(None) };
        // What cannot be opened fails below, with the right words.
        let Ok(fd) = crate::sys::file::open(path, crate::sys::file::Flags::READ | crate::sys::file::Flags::NONBLOCK, 0) else {
            return Ok(None);
        };
        let mut start = Vec::new();
        if File::from(fd).take(256).read_to_end(&mut start).is_err() || start.is_empty() {
            return Ok(None);
        }
        let items: Vec<BString> = crate::parse::list::items(list).collect();
        for pair in items.chunks(2) {
            let [test, name] = pair else { break };
            if !start.starts_with(test) {
                continue;
            }
            return match ctx.config.transport(name) {
                Some(t) => Ok(Some(t.clone())),
                None => Err(Failure::defer(errors::BAD_TRANSPORT, format!("{name} transport (for {test} format) not found"))),
            };
        }
        Err(Failure::defer(errors::FORMAT_UNKNOWN, "mailbox file format unrecognized"))
    }

    /// Delivers into what has been found, and asks for a quota warning if the mailbox has grown past its threshold.
    fn write_into(
        &self,
        ctx: &mut Context,
        job: &mut LocalJob<'_>,
        path: &BString,
        format: Format,
        quota: &quota::Limits,
    ) -> Result<(), Failure> {
        name_file(job, path);
        let past_threshold = match format {
            Format::Mbox => mbox::deliver(self, ctx, job, path, quota),
            Format::Directory => directory::deliver(self, ctx, job, path, quota),
            Format::Maildir => maildir::deliver(self, ctx, job, path, quota),
            Format::Mailstore => directory::deliver_mailstore(self, ctx, job, path, quota),
        }?;
        if past_threshold {
            let warning =
                self.options.quota_warn_message.get().cloned().unwrap_or_else(|| Template::new(QUOTA_WARNING.as_bytes()));
            match expand::expand(ctx, &warning) {
                Ok(text) => {
                    if let Some(first) = job.batch.first_mut() {
                        first.warn_message = Some(text);
                    }
                }
                Err(e) => {
                    let line = format!(
                        "Failed to expand \"{}\" (warning message for {} transport): {e}",
                        warning.raw().as_bstr(),
                        job.transport.name
                    );
                    crate::log::write(ctx, None, crate::log::Which::MAIN.and(crate::log::Which::PANIC), line.as_bytes());
                }
            }
        }
        Ok(())
    }

    /// Writes prefix, message and suffix.
    fn write_all(&self, ctx: &mut Context, job: &LocalJob<'_>, file: &File) -> Result<(), Failure> {
        let o = &self.options;
        let mut out = FileOutput(file);
        let mut out = Counted(&mut out, job.sent);
        if let Some(prefix) = &o.message_prefix.get() {
            self.put_expanded(ctx, job, &mut out, "message_prefix", prefix)?;
        }
        if o.use_bsmtp {
            self.put_envelope(ctx, job, &mut out)?;
        }
        let mut spec = WriteSpec::of_transport(job.transport, job.batch);
        spec.crlf = o.use_crlf || o.mbx_format;
        spec.filter = crate::transports::filter::prepare(ctx, job)?;
        if let (Some(check), Some(escape)) = (o.check_string.raw(), o.escape_string.raw()) {
            spec.check = Some((check, escape));
        }
        spec.escape_headers = o.use_bsmtp;
        write_message(ctx, &spec, job.data, &mut out).map_err(|e| write_failure(&e))?;
        if let Some(suffix) = &o.message_suffix.get() {
            self.put_expanded(ctx, job, &mut out, "message_suffix", suffix)?;
        }
        if o.use_bsmtp {
            let end: &[u8] = if o.use_crlf { b".\r\n" } else { b".\n" };
            out.put(end).map_err(|e| write_failure(&WriteError::Output(e)))?;
        }
        Ok(())
    }

    fn put_expanded(
        &self,
        ctx: &mut Context,
        job: &LocalJob<'_>,
        out: &mut dyn Output,
        option: &str,
        template: &Template,
    ) -> Result<(), Failure> {
        let text = expand::expand(ctx, template).map_err(|e| Failure {
            status: DeliveryStatus::Panic,
            ..Failure::defer(
                errors::UNKNOWN,
                format!(
                    "Expansion of \"{}\" ({option} for {} transport) failed: {e}",
                    template.raw().as_bstr(),
                    job.transport.name
                ),
            )
        })?;
        out.put(&text).map_err(|e| write_failure(&WriteError::Output(e)))
    }

    /// The SMTP commands of a batch.
    fn put_envelope(&self, ctx: &mut Context, job: &LocalJob<'_>, out: &mut dyn Output) -> Result<(), Failure> {
        let mut text = Vec::new();
        let sender =
            job.batch.first().and_then(|a| a.return_path.clone()).or_else(|| ctx.message.sender.clone()).unwrap_or_default();
        text.extend_from_slice(format!("MAIL FROM:<{sender}>\n").as_bytes());
        for a in job.batch.iter() {
            text.extend_from_slice(format!("RCPT TO:<{}>\n", super::rcpt_address(job.transport, a)).as_bytes());
        }
        text.extend_from_slice(b"DATA\n");
        let result = if self.options.use_crlf { out.put(&text.replace("\n", "\r\n")) } else { out.put(&text) };
        result.map_err(|e| write_failure(&WriteError::Output(e)))
    }
}

/// The log shows where the file of a `.forward` really is.
fn name_file(job: &mut LocalJob<'_>, path: &BString) {
    for a in job.batch.iter_mut().filter(|a| a.kind == AddressKind::File && !a.local_part.starts_with(b"/")) {
        a.local_part = a.local_part.piece(path.as_slice());
    }
}

/// The failure that writing gave.
fn write_failure(e: &WriteError) -> Failure {
    match e {
        WriteError::Output(io) => Failure::io(io, "error while writing the message"),
        WriteError::Spool(io) => Failure::io(io, "error while reading the spool file"),
        WriteError::Header(m) => Failure::defer(errors::HEADER_FAIL, m.clone()),
        WriteError::Filter(m) => Failure::defer(errors::FILTER_FAIL, m.clone()),
        WriteError::FilterTimeout => Failure::defer(libc::ETIMEDOUT, "transport filter timed out"),
    }
}
