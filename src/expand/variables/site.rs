//! Variables of the configuration, the build, the process and the machine.

use super::{VarDef, num, own, v};
use crate::context::Context;
use crate::expand::hooks;
use crate::sys::{file, process, system};
use crate::text::Text;

/// The directory of the configuration file.
fn config_dir(c: &Context) -> Option<Text> {
    let path = &c.config.file;
    match path.iter().rposition(|b| *b == b'/') {
        Some(n) => path.get(..n).map(Text::clean),
        None => Some(Text::clean(".")),
    }
}

fn version(c: &Context) -> Option<Text> {
    match c.config.main.exim_version.raw() {
        Some(v) if !v.is_empty() => Some(Text::clean(v)),
        _ => own(&hooks::version()),
    }
}

fn exim_path(c: &Context) -> Option<Text> {
    match c.config.main.exim_path.raw() {
        Some(p) => Some(Text::clean(p)),
        None => own(&c.run.exim_path),
    }
}

/// Free kilobytes, or inodes, where the log files are; -1 if they are not in files.
fn log_place(c: &Context) -> Option<Vec<u8>> {
    let list = &c.config.site.log_file_path;
    let default = || [&c.config.site.spool_directory[..], b"/log"].concat();
    let mut result = None;
    for item in crate::parse::list::items(list) {
        match item.as_slice() {
            b"syslog" => (),
            b"" => result = Some(default()),
            path => {
                let end = path.iter().rposition(|b| *b == b'/').unwrap_or(0);
                result = path.get(..end).map(<[u8]>::to_vec);
            }
        }
    }
    if list.is_empty() { Some(default()) } else { result }
}

fn space(place: Option<&[u8]>) -> Option<Text> {
    let free = place.and_then(|p| file::space(p).ok()).map(|s| s.free_bytes / 1024);
    free.map_or_else(|| num(-1), num)
}

fn inodes(place: Option<&[u8]>) -> Option<Text> {
    let free = place.and_then(|p| file::space(p).ok()).and_then(|s| s.free_inodes);
    free.map_or_else(|| num(-1), num)
}

/// This group.
pub static VARIABLES: &[VarDef] = &[
    v("bounce_return_size_limit", |c| num(c.config.main.bounce_return_size_limit.0)),
    v("caller_gid", |c| num(c.run.real_gid)),
    v("caller_uid", |c| num(c.run.real_uid)),
    v("compile_date", |_| Some(Text::clean(hooks::compile_date()))),
    v("compile_number", |_| num(hooks::compile_number())),
    v("config_dir", |c| config_dir(c)),
    v("config_file", |c| own(&c.config.file)),
    v("exim_gid", |c| num(c.config.site.exim_gid)),
    v("exim_path", |c| exim_path(c)),
    v("exim_uid", |c| num(c.config.site.exim_uid)),
    v("exim_version", |c| version(c)),
    v("initial_cwd", |c| own(&c.run.initial_cwd)),
    v("load_average", |_| system::load_average_thousandths().map_or_else(|| num(-1), num)),
    v("localhost_number", |c| num(c.config.site.localhost_number.unwrap_or(0))),
    v("log_inodes", |c| inodes(log_place(c).as_deref())),
    v("log_space", |c| space(log_place(c).as_deref())),
    v("pid", |_| num(process::getpid())),
    v("primary_hostname", |c| own(&c.config.site.primary_hostname)),
    v("qualify_domain", |c| own(&c.config.site.qualify_domain)),
    v("qualify_recipient", |c| own(&c.config.site.qualify_recipient)),
    v("queue_size", hooks::queue_size),
    v("return_size_limit", |c| num(c.config.main.bounce_return_size_limit.0)),
    v("spool_directory", |c| own(&c.config.site.spool_directory)),
    v("spool_inodes", |c| inodes(Some(&c.config.site.spool_directory))),
    v("spool_space", |c| space(Some(&c.config.site.spool_directory))),
    v("version_number", |c| version(c)),
];
