//! The `queuefile` transport (experimental): copies the spool files of the message into a directory.

mod options;

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;

use bstr::{BString, ByteSlice};

use super::options::TransportOptions;
use super::{Kind, Transport};
use crate::config::Config;
use crate::config::options::OptionSet;
use crate::context::Context;
use crate::deliver::local::{DeliveryStatus, LocalJob, LocalTransport};
use crate::expand;
use crate::retry::errors;
use crate::sys::file::{Dir, Flags};
use crate::text::Text;
pub use options::QueuefileOptions;

/// Mode of the copies.
const MODE: u32 = 0o640;

/// The driver.
#[derive(Debug, Default)]
pub struct Queuefile {
    options: QueuefileOptions,
}

impl Transport for Queuefile {
    fn options(&self) -> &dyn OptionSet {
        &self.options
    }
    fn options_mut(&mut self) -> &mut dyn OptionSet {
        &mut self.options
    }
    fn init(&mut self, name: &BString, _: &mut TransportOptions, _: &[String], _: &Config) -> Result<(), String> {
        if self.options.directory.is_set() { Ok(()) } else { Err(format!("directory must be set for the {name} transport")) }
    }
    fn kind(&self) -> Kind<'_> {
        Kind::Local(self)
    }
}

impl LocalTransport for Queuefile {
    fn deliver(&self, ctx: &mut Context, job: &mut LocalJob<'_>) -> Vec<DeliveryStatus> {
        let status = match self.run(ctx, job) {
            Ok(()) => DeliveryStatus::Ok,
            Err((status, errno, text)) => {
                for a in job.batch.iter_mut() {
                    a.failure.basic_errno = errno;
                    a.failure.message = Some(Text::clean(text.clone()));
                }
                status
            }
        };
        vec![status; job.batch.len()]
    }
}

impl Queuefile {
    fn run(&self, ctx: &mut Context, job: &LocalJob<'_>) -> Result<(), (DeliveryStatus, i32, String)> {
        let name = &job.transport.name;
        let panic = |text: String| (DeliveryStatus::Panic, 0, text);
        let Some(t) = self.options.directory.get() else { return Err(panic(format!("{name} transport has no directory"))) };
        let path = expand::expand(ctx, t)
            .map_err(|e| panic(format!("Expansion of \"{}\" (directory for {name} transport) failed: {e}", t.raw().as_bstr())))?;
        if path.is_tainted() {
            return Err(panic(format!("Tainted '{path}' (file or directory name for {name} transport) not permitted")));
        }
        if !path.starts_with(b"/") {
            return Err((DeliveryStatus::Panic, errors::UNKNOWN, format!("{name} transport directory: {path} is not absolute")));
        }
        let io = |what: &str, e: &io::Error| {
            (
                DeliveryStatus::Panic,
                e.raw_os_error().unwrap_or(0),
                format!("{name} transport {what}: {}", crate::sys::error_text(e)),
            )
        };
        let target = Dir::open(&path).map_err(|e| io(&format!("accessing directory: {path} failed with error"), &e))?;
        let queue = ctx.services.spool.queue(&ctx.message.queue_name).map_err(|e| panic(e.to_string()))?;
        let place = queue.place_of(&ctx.message.id).map_err(|e| panic(e.to_string()))?;
        for suffix in ["-D", "-H"] {
            let file = BString::from(format!("{}{suffix}", ctx.message.id));
            if let Err(e) = copy(&place.dir, job.data, &target, &file) {
                // Half a message is worse than none.
                let _ = target.unlink(&BString::from(format!("{}-D", ctx.message.id)));
                return Err(io(&format!("error copying file: {file}"), &e));
            }
        }
        target.sync().map_err(|e| io("error syncing directory", &e))
    }
}

/// Links the file if that is possible, else copies it.
fn copy(from: &Dir, data: &File, to: &Dir, name: &BString) -> io::Result<()> {
    if from.link(name, to, name).is_ok() {
        return Ok(());
    }
    let mut source = match from.open_at(name, Flags::READ | Flags::NOFOLLOW, 0) {
        Ok(fd) => File::from(fd),
        // As the recipient we may not be able to open it again, but it is open.
        Err(_) if name.ends_with(b"-D") => data.try_clone()?,
        Err(e) => return Err(e),
    };
    let fd = to.open_at(name, Flags::WRITE | Flags::CREATE | Flags::EXCLUSIVE | Flags::NOFOLLOW, MODE)?;
    let mut target = File::from(fd);
    let mut block = vec![0; 64 * 1024];
    use std::os::unix::fs::FileExt;
    if name.ends_with(b"-D") {
        let mut at = 0u64;
        loop {
            let n = source.read_at(&mut block, at)?;
            if n == 0 {
                break;
            }
            target.write_all(block.get(..n).unwrap_or_default())?;
            at += n as u64;
        }
    } else {
        loop {
            let n = source.read(&mut block)?;
            if n == 0 {
                break;
            }
            target.write_all(block.get(..n).unwrap_or_default())?;
        }
    }
    crate::sys::file::fsync(target.as_fd())
}
