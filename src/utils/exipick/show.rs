//! What exipick prints.

use std::io::Write;

use super::message::Picked;
use super::options::{Form, Wanted};

/// The messages that were picked, of `all` that there are.
pub(super) fn all(w: &Wanted, picked: &[Picked], all: usize) {
    let bytes: u64 = picked.iter().map(|p| p.size).sum();
    match w.form {
        Form::Number if w.size => println!("{} ({bytes})", picked.len()),
        Form::Number => println!("{}", picked.len()),
        Form::Count if w.size => println!("{} matches out of {all} messages ({bytes})", picked.len()),
        Form::Count => println!("{} matches out of {all} messages", picked.len()),
        _ if w.size => println!("{bytes}"),
        _ => {
            let mut out = std::io::stdout().lock();
            // Who has read enough ends it.
            let _ = picked.iter().try_for_each(|p| out.write_all(&one(w, p)));
        }
    }
}

/// Values of variables are in whatever character set was asked for.
fn one(w: &Wanted, p: &Picked) -> Vec<u8> {
    let shown = |between: &str| {
        let each: Vec<Vec<u8>> = p.shown.iter().map(|(n, v)| [n.as_bytes(), b"='", v, b"'"].concat()).collect();
        each.join(between.as_bytes())
    };
    let left: Vec<&str> = p.recipients.iter().filter(|r| !r.1).map(|r| r.0.as_str()).collect();
    let frozen = if p.frozen { " *** frozen ***" } else { "" };
    match w.form {
        Form::Count | Form::Number => Vec::new(),
        Form::Ids if p.shown.is_empty() => format!("{}\n", p.id()).into(),
        Form::Ids => [p.id().as_bytes(), b" ", &shown(" "), b"\n"].concat(),
        Form::Brief => {
            let vars = if p.shown.is_empty() { Vec::new() } else { [b" Vars: ", shown(";").as_slice()].concat() };
            [format!("{} From: <{}> To: {}", p.id(), p.sender, left.join(";")).as_bytes(), &vars, b"\n"].concat()
        }
        Form::Flat => {
            let what = if p.shown.is_empty() { p.shown_size().into() } else { shown(";") };
            let rest = format!(" {} <{}>{frozen} {}\n", p.id(), p.sender, left.join(" "));
            [p.age().as_bytes(), b" ", &what, rest.as_bytes()].concat()
        }
        Form::Listing => listing(w, p, frozen),
    }
}

/// As `exim -bp` has it.
fn listing(w: &Wanted, p: &Picked, frozen: &str) -> Vec<u8> {
    let caller = p.untrusted.as_ref().map_or(String::new(), |u| format!(" ({u})"));
    let mut out = format!("{} {} {} <{}>{caller}{frozen}\n", p.age(), p.shown_size(), p.id(), p.sender).into_bytes();
    for (name, value) in &p.shown {
        out.extend([format!("{name:>27} = '").as_bytes(), value, b"'\n"].concat());
    }
    for (address, done) in p.recipients.iter().filter(|r| !(w.undelivered && r.1)) {
        out.extend(format!("        {} {address}\n", if *done { 'D' } else { ' ' }).into_bytes());
    }
    if w.generated {
        for made in p.done.iter().filter(|d| !p.recipients.iter().any(|r| r.0 == **d)) {
            out.extend(format!("       +D {made}\n").into_bytes());
        }
    }
    out.push(b'\n');
    out
}
