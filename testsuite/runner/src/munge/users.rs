//! Users, groups and process ids.

use super::rule::{Builder, Verdict};
use super::sequence::Counter;

pub fn rules(b: &mut Builder) {
    b.all("%HOME%", "CALLER_HOME");
    b.all(r"\b%CALLER%\b", "CALLER");
    b.all(r"\b%CALLERGROUP%\b", "CALLER");
    b.all(r"uid=%CALLERID%\b", "uid=CALLER_UID");
    b.all(r"gid=%CALLERID%\b", "gid=CALLER_GID");
    b.all(r#"name=["']*%GECOS%["']*"#, "name=CALLER_GECOS");
    b.first(r"^CALLER %CALLERID% \d+$", "CALLER UID GID");
    b.first(r"^spaced user %CALLERID% \d+$", "CALLER UID GID");
    exim_user(b);
    for id in ["uid", "euid", "gid", "egid"] {
        b.first(&format!(r"\b{id}=4294967295"), format!("{id}=-1"));
    }
    b.first(r"\bgid=\d+", "gid=gggg");
    b.first(r"\begid=\d+", "egid=gggg");
    process_ids(b);
    b.first(r"\buid=\d+", "uid=uuuu");
    b.first(r"\beuid=\d+", "euid=uuuu");
    more_process_ids(b);
    debug_prefix(b);
    b.first(r"(waiting for children of )\d+", "${1}pppp");
    b.first(r"(waiting for \S+ [\[(])\d+([\])])", "${1}pppp${2}");
    b.drop(r"^calling local_scan\(\); timeout=300$");
    b.drop(r"^local_scan\(\) returned 0 NULL$");
}

fn exim_user(b: &mut Builder) {
    b.first(r"(U=|user=|login=)%EXIMUSER%\b", "${1}EXIMUSER");
    b.first(r"(Received: from )%EXIMUSER% ", "${1}EXIMUSER ");
    b.first(r"(Running as: )%EXIMUSER%\b", "${1}EXIMUSER");
    b.first(r"\b%EXIMUSER%@", "EXIMUSER@");
    b.first(r"\b%EXIMUSER%\.lock\.", "EXIMUSER.lock.");
    b.all(r"uid=%EXIMUID%\b", "uid=EXIM_UID");
    b.all(r"gid=%EXIMGID%\b", "gid=EXIM_GID");
    b.first(r"^%EXIMUSER% %EXIMUID% %EXIMGID%", "EXIMUSER EXIM_UID EXIM_GID");
}

fn process_ids(b: &mut Builder) {
    b.sequence_all(r"\b(?:pid=|pid\s|PID:\s|Process\s|child\s)(?<key>\d+)", "p%", Counter::Pid);
    b.sequence_all(r"Ci=(?<key>\d+)", "p%", Counter::Pid);
}

fn more_process_ids(b: &mut Builder) {
    b.first(r"(set_process_info:)\s+\d+", "${1} pppp");
    b.first(r"(process )\d+( (?:running as|writing to) transport filter)", "${1}pppp${2}");
    b.first(r"(reading pipe for subprocess )\d+", "${1}pppp");
    b.first(r"(remote delivery process )\d+( ended)", "${1}pppp${2}");
    b.first(r"(test-mail/(?:subdir/)?temp\.)\d+\.", "${1}pppp.");
    b.sequence(r"^%DATETIME%(?:\.\d{3})?(?:\s[-+]\d{4})?(?<key>\s\[\d+\])", " [%]", Counter::Pid);
    b.sequence(
        r"^SYSLOG:\s'(?:\d{4}-\d\d-\d\d\s)?(?:\d\d:\d\d:\d\d(?:\.\d{3})?\s)?(?:[-+]\d{4}\s)?(?<key>\[\d+\])",
        "[%]",
        Counter::Pid,
    );
}

/// A daemon's debugging output may begin with its process id, in all of the lines that follow.
fn debug_prefix(b: &mut Builder) {
    b.call(
        r"^(\s*\d+)(?: listening| LOG: MAIN| daemon_smtp_port overridden by| local_interfaces overridden by)",
        |found, _, state, _| {
            state.prefix = Some(found[1].to_vec());
            Verdict::Keep
        },
    );
    b.call(r"^\s*\d+ ", |_, line, state, _| {
        let prefix = state.prefix.as_deref();
        if let Some(rest) = prefix.and_then(|p| line.strip_prefix(p)?.strip_prefix(b" ")) {
            *line = rest.to_vec();
        }
        Verdict::Keep
    });
}
