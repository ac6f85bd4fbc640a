//! What exipick prints.

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
        _ => picked.iter().for_each(|p| print!("{}", one(w, p))),
    }
}

fn one(w: &Wanted, p: &Picked) -> String {
    let shown: Vec<String> = p.shown.iter().map(|(name, value)| format!("{name}='{value}'")).collect();
    let left: Vec<&str> = p.recipients.iter().filter(|r| !r.1).map(|r| r.0.as_str()).collect();
    let frozen = if p.frozen { " *** frozen ***" } else { "" };
    match w.form {
        Form::Count | Form::Number => String::new(),
        Form::Ids if shown.is_empty() => format!("{}\n", p.id),
        Form::Ids => format!("{} {}\n", p.id, shown.join(" ")),
        Form::Brief => {
            let vars = if shown.is_empty() { String::new() } else { format!(" Vars: {}", shown.join(";")) };
            format!("{} From: <{}> To: {}{vars}\n", p.id, p.sender, left.join(";"))
        }
        Form::Flat => {
            let what = if shown.is_empty() { p.shown_size() } else { shown.join(";") };
            format!("{} {what} {} <{}>{frozen} {}\n", p.age(), p.id, p.sender, left.join(" "))
        }
        Form::Listing => listing(w, p, frozen),
    }
}

/// As `exim -bp` has it.
fn listing(w: &Wanted, p: &Picked, frozen: &str) -> String {
    let caller = p.untrusted.as_ref().map_or(String::new(), |u| format!(" ({u})"));
    let mut out = format!("{} {} {} <{}>{caller}{frozen}\n", p.age(), p.shown_size(), p.id, p.sender);
    for (name, value) in &p.shown {
        out.push_str(&format!("{name:>27} = '{value}'\n"));
    }
    for (address, done) in p.recipients.iter().filter(|r| !(w.undelivered && r.1)) {
        out.push_str(&format!("        {} {address}\n", if *done { 'D' } else { ' ' }));
    }
    if w.generated {
        for made in p.done.iter().filter(|d| !p.recipients.iter().any(|r| r.0 == **d)) {
            out.push_str(&format!("       +D {made}\n"));
        }
    }
    out.push('\n');
    out
}
