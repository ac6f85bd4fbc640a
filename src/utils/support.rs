//! What several utilities need.

use std::process::Command;

/// `07-Mar-2000 12:21:52`, in local time or UTC.
pub fn show_time(t: i64, utc: bool) -> String {
    crate::sys::time::strftime(b"%d-%b-%Y %H:%M:%S", t, !utc)
        .map(|s| String::from_utf8_lossy(&s).into_owned())
        .unwrap_or_default()
}

/// Takes options that the test suite passes to everything (`-DEXIM_PATH=path`, `-C file`) out of the arguments.
pub struct Exim {
    /// The program to ask.
    pub path: String,
    /// `-C file`, and macros.
    pub options: Vec<String>,
}

impl Exim {
    /// The options found, and the other arguments.
    pub fn from_arguments(args: &[String]) -> (Self, Vec<String>) {
        let mut exim = Exim { path: own_path(), options: Vec::new() };
        let mut rest = Vec::new();
        let mut it = args.iter();
        while let Some(a) = it.next() {
            if let Some(path) = a.strip_prefix("-DEXIM_PATH=") {
                exim.path = path.to_string();
                exim.options.push(a.clone());
            } else if a.starts_with("-D") {
                exim.options.push(a.clone());
            } else if a == "-C" {
                exim.options.push(a.clone());
                exim.options.extend(it.next().cloned());
            } else {
                rest.push(a.clone());
            }
        }
        (exim, rest)
    }

    /// What the program prints when it is called with these arguments. The error is for people.
    pub fn ask(&self, args: &[&str]) -> Result<String, String> {
        let out = Command::new(&self.path)
            .args(&self.options)
            .args(args)
            .output()
            .map_err(|e| format!("cannot run {}: {e}", self.path))?;
        Ok(String::from_utf8_lossy(&out.stdout).into_owned())
    }

    /// A main option's value.
    pub fn option(&self, name: &str) -> Result<String, String> {
        let text = self.ask(&["-bP", name])?;
        let line = text.lines().find(|l| l.starts_with(name)).unwrap_or_default();
        Ok(line.split_once('=').map_or("", |(_, v)| v.trim()).to_string())
    }
}

/// `exim` in the directory of this program.
fn own_path() -> String {
    std::env::current_exe()
        .ok()
        .and_then(|p| p.parent().map(|d| d.join("exim").to_string_lossy().into_owned()))
        .unwrap_or_else(|| "exim".into())
}
