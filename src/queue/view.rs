//! `-Mvh`, `-Mvb`, `-Mvl`, `-Mvc`: the files of a message, on standard output.

use std::fs::File;
use std::io::{self, Read, Write};

use crate::context::{Context, HeaderKind};
use crate::spool::SpoolError;
use crate::sys::file::Flags;

/// Which file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// `-Mvh`
    Header,
    /// `-Mvb`
    Body,
    /// `-Mvl`
    Log,
    /// `-Mvc`: the whole message, as it would be sent.
    Copy,
}

/// Prints it. Gives the exit status.
pub fn view(ctx: &mut Context, queue_name: &[u8], id: &[u8], what: What) -> i32 {
    match try_view(ctx, queue_name, id, what) {
        Ok(()) => 0,
        Err(e) => {
            if what == What::Copy && matches!(e, SpoolError::NotFound) {
                println!("{}", super::actions::refusal(ctx, id, &e));
                return 1;
            }
            let text = match &e {
                SpoolError::NotFound => "No such file or directory".to_string(),
                SpoolError::Io(_, e) => crate::sys::error_text(e),
                other => other.to_string(),
            };
            let (kind, which) = match what {
                What::Header => ("input", "-H"),
                What::Body | What::Copy => ("input", "-D"),
                What::Log => ("msglog", ""),
            };
            println!("Failed to open {kind} file for {}{which}: {text}", bstr::BStr::new(id));
            1
        }
    }
}

fn try_view(ctx: &mut Context, queue_name: &[u8], id: &[u8], what: What) -> Result<(), SpoolError> {
    let queue = ctx.services.spool.queue(queue_name)?;
    let out = &mut io::stdout().lock();
    let place = queue.place_of(id);
    match what {
        What::Log => {
            for letter in queue.letters_for(id) {
                if let Ok(fd) = queue
                    .beside(b"msglog", letter)
                    .and_then(|d| d.open_at(id, Flags::READ, 0).map_err(SpoolError::io("open the message log")))
                {
                    return copy(&mut File::from(fd), out);
                }
            }
            Err(SpoolError::NotFound)
        }
        What::Header | What::Body => {
            let suffix: &[u8] = if what == What::Header { b"-H" } else { b"-D" };
            let fd = place?.dir.open_at(&[id, suffix].concat(), Flags::READ, 0).map_err(SpoolError::io("open the spool file"))?;
            copy(&mut File::from(fd), out)
        }
        What::Copy => {
            let place = super::load(ctx, queue_name, id)?;
            let written = (|| {
                for h in ctx.message.headers.iter().filter(|h| h.kind != HeaderKind::Old) {
                    out.write_all(&h.text)?;
                }
                out.write_all(b"\n")
            })();
            written.map_err(SpoolError::io("write the message"))?;
            let fd = place.dir.open_at(&[id, b"-D"].concat(), Flags::READ, 0).map_err(SpoolError::io("open the spool file"))?;
            let mut file = File::from(fd);
            let mut first = vec![0; id.len() + 3];
            file.read_exact(&mut first).map_err(|_| SpoolError::Data("it is shorter than its first line"))?;
            copy(&mut file, out)
        }
    }
}

fn copy(from: &mut File, to: &mut impl Write) -> Result<(), SpoolError> {
    io::copy(from, to).and_then(|_| to.flush()).map_err(SpoolError::io("write the file"))
}
