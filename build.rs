//! Reads `Local/Makefile` (form: Exim's `src/EDITME`; path overridable by OXIM_LOCAL_MAKEFILE) and makes constants
//! for `src/build_options.rs` and cfgs named `oxim_<name in lower case>` of it. The names are in `build/options.tsv`.
//! An unknown or unimplemented setting stops the build with file and line.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::exit;

struct Known {
    name: String,
    kind: String,
    default: String,
    /// Nothing but the default is implemented.
    fixed: bool,
}

fn fail(message: &str) -> ! {
    eprintln!("{message}");
    println!("cargo:warning={message}");
    exit(1)
}

/// `NAME=value` settings with the line that each began on.
fn read_settings(path: &str, text: &str) -> Vec<(usize, String, String, bool)> {
    let mut out = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((n, first)) = lines.next() {
        let mut line = first.to_string();
        while line.ends_with('\\') {
            line.pop();
            match lines.next() {
                Some((_, more)) => {
                    line.truncate(line.trim_end().len());
                    line.push(' ');
                    line.push_str(more.trim_start());
                }
                None => break,
            }
        }
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let Some((name, value)) = line.split_once('=') else {
            fail(&format!("{path}, line {}: NAME=value expected, found \"{line}\"", n + 1));
        };
        let append = name.trim_end().ends_with('+');
        let name = name.trim_end().trim_end_matches(['+', ':']).trim().to_string();
        let value = value.split(" #").next().unwrap_or("").trim();
        let value = value.strip_prefix('"').and_then(|v| v.strip_suffix('"')).unwrap_or(value);
        out.push((n + 1, name, value.to_string(), append));
    }
    out
}

/// An option that brings crates is a cargo feature too: either alone is not enough to build it, or not said in full.
fn feature_agrees(values: &mut BTreeMap<String, (usize, String)>, shown: &str) {
    const NAME: &str = "SUPPORT_DNSSEC_VALIDATION";
    let feature = std::env::var_os("CARGO_FEATURE_DNSSEC_VALIDATION").is_some();
    let yes = |v: &str| ["yes", "1", "true"].contains(&v.to_ascii_lowercase().as_str());
    match values.get(NAME) {
        Some((line, v)) if yes(v) && !feature => {
            fail(&format!("{shown}, line {line}: {NAME}=yes needs --features dnssec-validation (scripts/build sees to it)"))
        }
        Some((line, v)) if !yes(v) && feature => fail(&format!("{shown}, line {line}: {NAME}={v}, but the feature is on")),
        None if feature => drop(values.insert(NAME.into(), (0, "yes".into()))),
        _ => {}
    }
}

fn main() {
    println!("cargo:rerun-if-env-changed=OXIM_LOCAL_MAKEFILE");
    println!("cargo:rerun-if-changed=build/options.tsv");
    let known: Vec<Known> = include_str!("build/options.tsv")
        .lines()
        .filter(|l| !l.starts_with('#') && !l.is_empty())
        .map(|l| {
            let mut f = l.split('\t').map(str::to_string);
            let mut next = || f.next().unwrap_or_default();
            let (name, kind, default) = (next(), next(), next());
            let free = kind.strip_prefix("fixed ").map(str::to_string);
            Known { name, fixed: free.is_some(), kind: free.unwrap_or(kind), default }
        })
        .collect();
    let root = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default());
    let given = std::env::var("OXIM_LOCAL_MAKEFILE").ok().filter(|p| !p.is_empty());
    let path = given.clone().map_or_else(|| root.join("Local/Makefile"), PathBuf::from);
    let shown = path.display().to_string();
    println!("cargo:rerun-if-changed={shown}");
    let text = match std::fs::read_to_string(&path) {
        Ok(t) => t,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound && given.is_none() => String::new(),
        Err(e) => fail(&format!("{shown}: {e}")),
    };
    let mut values: BTreeMap<String, (usize, String)> = BTreeMap::new();
    for (line, name, value, append) in read_settings(&shown, &text) {
        let base = name.strip_suffix("_PC").or(name.strip_suffix("_LIBS")).or(name.strip_suffix("_INCLUDE"));
        let of_module = base.is_some_and(|b| b.starts_with("LOOKUP_") || b.starts_with("AUTH_") || b.starts_with("SUPPORT_"));
        let Some(k) = known.iter().find(|k| k.name == name) else {
            if of_module {
                println!("cargo:warning={shown}, line {line}: {name} belongs to the C build and has no effect");
                continue;
            }
            fail(&format!("{shown}, line {line}: unknown setting {name}"));
        };
        match k.kind.as_str() {
            "tool" => {
                println!("cargo:warning={shown}, line {line}: {name} belongs to the C build and has no effect");
                continue;
            }
            "no" if value.is_empty() || value.eq_ignore_ascii_case("no") => continue,
            "no" => fail(&format!("{shown}, line {line}: {name} is not implemented")),
            _ => {}
        }
        let whole = match values.get(&name) {
            Some((_, old)) if append => format!("{old} {value}"),
            _ => value,
        };
        values.insert(name, (line, whole));
    }
    feature_agrees(&mut values, &shown);
    let mut out = String::new();
    for k in &known {
        let (line, value) = values.get(&k.name).cloned().unwrap_or((0, k.default.clone()));
        if k.fixed && !value.trim().eq_ignore_ascii_case(&k.default) {
            fail(&format!("{shown}, line {line}: {}={value} is not implemented: only {} is", k.name, k.default));
        }
        let wrong = |what: &str| -> ! { fail(&format!("{shown}, line {line}: {} must be {what}, not \"{value}\"", k.name)) };
        match k.kind.as_str() {
            "text" => writeln!(out, "pub const {}: &str = {value:?};", k.name),
            "mode" => match u32::from_str_radix(&value, 8) {
                Ok(n) => writeln!(out, "pub const {}: u32 = {n:#o};", k.name),
                Err(_) => wrong("an octal number"),
            },
            "int" => match value.parse::<i64>() {
                Ok(n) => writeln!(out, "pub const {}: i64 = {n};", k.name),
                Err(_) => wrong("a number"),
            },
            "bool" => {
                let cfg = format!("oxim_{}", k.name.to_lowercase());
                println!("cargo:rustc-check-cfg=cfg({cfg})");
                let on = match value.to_ascii_lowercase().as_str() {
                    "yes" | "1" | "true" => true,
                    "no" | "" | "0" | "false" => false,
                    "2" => fail(&format!("{shown}, line {line}: {}=2: loadable modules are not implemented, use yes", k.name)),
                    _ => wrong("yes or no"),
                };
                if on {
                    println!("cargo:rustc-cfg={cfg}");
                }
                writeln!(out, "pub const {}: bool = {on};", k.name)
            }
            _ => Ok(()),
        }
        .unwrap_or_else(|e| fail(&e.to_string()));
    }
    for (name, when) in [("EXIM_USER", "root"), ("EXIM_UID", "0")] {
        if let Some((line, v)) = values.get(name)
            && (v == when || v.trim_start_matches("ref:") == "root" || v == "0")
        {
            fail(&format!("{shown}, line {line}: {name} must not be root"));
        }
    }
    let date = std::process::Command::new("date").args(["-u", "+%d-%b-%Y %H:%M:%S"]).output();
    let date = date.ok().map(|o| String::from_utf8_lossy(&o.stdout).trim().to_string()).unwrap_or_default();
    let _ = writeln!(out, "/// When this was built.\npub const BUILD_DATE: &str = {date:?};");
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".into());
    let version = std::process::Command::new(rustc).arg("--version").output();
    let version = version.ok().map(|o| String::from_utf8_lossy(&o.stdout).trim().to_string()).unwrap_or_default();
    let _ = writeln!(out, "/// The compiler.\npub const COMPILER: &str = {version:?};");
    let target = PathBuf::from(std::env::var("OUT_DIR").unwrap_or_default()).join("build_options.rs");
    if let Err(e) = std::fs::write(&target, out) {
        fail(&format!("{}: {e}", target.display()));
    }
}
