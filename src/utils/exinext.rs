//! `exinext`: when a host, domain or address will be tried again (manual section 54.10).

use std::path::Path;

use bstr::ByteSlice;

use super::support::{Exim, show_time};
use crate::hints::records::Retry;
use crate::hints::{self, HintsStore, Mode, SqliteStore};

/// See the module.
pub fn run(args: &[String]) -> i32 {
    let (exim, args) = Exim::from_arguments(args);
    let help = args.first().is_some_and(|a| a == "--help" || a == "-h");
    if args.is_empty() || help {
        println!("Usage: exinext [-C config] [-D macro] address-or-domain ...");
        return i32::from(!help);
    }
    let spool = match exim.option("spool_directory") {
        Ok(s) if !s.is_empty() => s,
        Ok(_) => {
            eprintln!("Unable to find out the spool directory from {}", exim.path);
            return 1;
        }
        Err(e) => {
            eprintln!("exinext: {e}");
            return 1;
        }
    };
    let store = SqliteStore::new(Path::new(&spool), crate::sys::ids::geteuid(), crate::sys::ids::getegid());
    for wanted in &args {
        // The pattern of what was asked for: hosts that routing gives for it, too.
        let mut patterns = vec![wanted.clone()];
        let is_host = wanted.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok();
        let is_message = crate::spool::is_message_id(wanted.as_bytes());
        if !is_host && !is_message {
            let address = if wanted.contains('@') { wanted.clone() } else { format!("postmaster@{wanted}") };
            if let Ok(text) = exim.ask(&["-v", "-bt", &address]) {
                for line in text.lines() {
                    if let Some(host) = line.trim_start().strip_prefix("host ") {
                        patterns.extend(host.split_whitespace().next().map(str::to_string));
                    }
                }
            }
        }
        if !show(&store, &patterns) {
            println!("No retry data found for {wanted}");
        }
    }
    0
}

/// Prints the records that one of the patterns fits; true if there was one.
fn show(store: &SqliteStore, patterns: &[String]) -> bool {
    let Ok(Some(mut db)) = store.open("retry", Mode::Read) else { return false };
    let mut key: Option<Vec<u8>> = None;
    let mut any = false;
    while let Ok(Some((k, data))) = db.next(key.as_deref()) {
        let text = k.to_str_lossy().into_owned();
        if patterns.iter().any(|p| text.contains(p.as_str()))
            && let Some(r) = hints::decode::<Retry>(&data)
        {
            any = true;
            print_record(&text, &r.record);
        }
        key = Some(k);
    }
    any
}

fn print_record(key: &str, r: &Retry) {
    let (kind, rest) = match key.split_once(':') {
        Some(("R", rest)) if rest.contains('@') => ("Deliver", rest.to_string()),
        Some(("R", rest)) => ("Route", rest.to_string()),
        Some((_, rest)) => ("Transport", transport_key(rest)),
        None => ("Record", key.to_string()),
    };
    println!("{kind}: {rest} error {}: {}", r.basic_errno, r.text);
    println!("  first failed: {}", show_time(r.first_failed, false));
    println!("  last tried:   {}", show_time(r.last_try, false));
    let past = if r.expired { " (ultimate address timeout reached)" } else { "" };
    println!("  next try at:  {}{past}", show_time(r.next_try, false));
}

/// `host:ip:port:id` as `host [ip]:port id`, and `[host]:...` as `[host] ip:port id`.
fn transport_key(key: &str) -> String {
    let (name, rest) = match key.strip_prefix('[').and_then(|k| k.split_once("]:")) {
        Some((inner, rest)) => (format!("[{inner}]"), rest),
        None => match key.split_once(':') {
            Some((n, r)) => (n.to_string(), r),
            None => return key.to_string(),
        },
    };
    let (address, id) = match rest.rsplit_once(':') {
        Some((address, last)) if crate::spool::is_message_id(last.as_bytes()) => (address, format!(" {last}")),
        _ => (rest, String::new()),
    };
    let is_ip = |text: &str| text.parse::<std::net::IpAddr>().is_ok();
    match address.rsplit_once(':') {
        _ if name.starts_with('[') => format!("{name} {address}{id}"),
        _ if is_ip(address) => format!("{name} [{address}]{id}"),
        Some((ip, port)) if is_ip(ip) => format!("{name} [{ip}]:{port}{id}"),
        _ => format!("{name} {address}{id}"),
    }
}

#[cfg(test)]
mod tests {
    use super::transport_key;

    #[test]
    fn keys() {
        assert_eq!(transport_key("a.ex:192.0.2.1:26"), "a.ex [192.0.2.1]:26");
        assert_eq!(transport_key("a.ex:192.0.2.1"), "a.ex [192.0.2.1]");
        assert_eq!(transport_key("[192.0.2.1]:192.0.2.1:26:10HmaX-0005vi-00"), "[192.0.2.1] 192.0.2.1:26 10HmaX-0005vi-00");
        assert_eq!(transport_key("x@y.ex"), "x@y.ex");
    }
}
