//! The script language: a test's file, taken apart into the commands to execute.

use std::sync::LazyLock;

use regex::Regex;

use crate::subst::Substitution;

#[derive(Debug, Default, Clone, PartialEq)]
pub struct Flags {
    pub no_message_check: bool,
    pub no_msglog_check: bool,
    pub no_munge: bool,
    pub no_stderr_check: bool,
    pub no_stdout_check: bool,
    pub rmfiltertest: bool,
    pub sortlog: bool,
    pub need_ipv6: bool,
    /// The last `munge NAME`.
    pub munge: Option<String>,
}

#[derive(Debug)]
pub struct Item {
    pub line: usize,
    pub expect: Expect,
    /// `NAME=value` for this command's environment.
    pub variable: Option<String>,
    pub command: Command,
}

/// The exit status that a command is to have.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
pub struct Expect {
    pub status: i32,
    pub other: bool,
}

pub type Lines = Vec<Vec<u8>>;

#[derive(Debug, PartialEq)]
pub enum Command {
    Marker(Vec<u8>),
    Echo,
    Sleep(u64),
    Need(String),
    DbmBuild(String, String),
    Dump(String),
    Lock(String),
    /// A utility and its arguments.
    Utility(String, String),
    Gnutls,
    KillDaemon,
    Shell(String),
    Cat2(String),
    Write {
        show: bool,
        file: String,
        sizes: Vec<Block>,
        head: Lines,
        tail: Lines,
    },
    /// A program fed with the (substituted) data.
    Fed(String, Lines),
    Server(String, Lines),
    Background(String),
    Mta(Mta),
}

/// `CxL=TEXT` of a `write` command.
#[derive(Debug, PartialEq)]
pub struct Block {
    pub count: usize,
    pub length: usize,
    pub text: String,
}

#[derive(Debug, PartialEq)]
pub struct Mta {
    pub assignments: String,
    /// Seconds to wait before closing the MTA's input.
    pub wait: u64,
    pub sudo: String,
    pub suffix: String,
    pub args: String,
    pub data: Lines,
}

impl Mta {
    fn word(&self, word: &str) -> bool {
        self.args.split_ascii_whitespace().any(|w| w == word)
    }

    pub fn is_server(&self) -> bool {
        self.word("-DSERVER=server")
    }

    pub fn is_daemon(&self) -> bool {
        self.is_server() && !self.word("-DNOTDAEMON")
    }

    pub fn is_inetd_wait(&self) -> bool {
        self.args.split_ascii_whitespace().any(|w| w.starts_with("-DSERVER=wait:"))
    }
}

macro_rules! pattern {
    ($name:ident, $pattern:expr) => {
        static $name: LazyLock<Regex> = LazyLock::new(|| Regex::new($pattern).expect("a pattern"));
    };
}

pattern!(STATUS, r"^(~?)(\d+)\s*([A-Z]+=\S+)?$");
pattern!(NEED, r"^need_(ipv4|ipv6|largefiles|move_frozen_messages)");
pattern!(UTILITY, r"^(exinext|exigrep|eximstats|exiqgrep|exim_id_update)(?:\s+(.*))?$");
pattern!(SHELL, r"^(?:ln|ls|du|mkdir|mkfifo|touch|cp|cat)\b");
pattern!(SUDO_SHELL, r"^sudo\s+(?:mkdir|rmdir|rm|mv|cp|chown|chmod)\b");
pattern!(WRITE, r"^(cat)?write\s+(\S+)((?:\s+\d+x\d+(?:=\S+)?)*)\s*$");
pattern!(BLOCK, r"(\d+)x(\d+)(?:=(\S+))?");
pattern!(MTA, r"^((?:[A-Za-z0-9_]+=\S*\s+)*)(?:(\d+)\s+)?(sudo\s+(?:-u\s+\S+\s+)?)?exim(_\w+)?\s+(.+)$");

/// Does the script use a word? (Asked for `PORT_DYNAMIC` before there is a substitution.)
pub fn mentions(script: &[u8], word: &str) -> bool {
    let pattern = format!(r"(?-u)\b{word}\b");
    regex::bytes::Regex::new(&pattern).expect("a pattern").is_match(script)
}

/// The flags act wherever they stand, even among data.
pub fn flags(script: &[u8]) -> Flags {
    let mut flags = Flags::default();
    for line in script.split(|&b| b == b'\n') {
        for (name, flag) in [
            ("no_message_check", &mut flags.no_message_check),
            ("no_msglog_check", &mut flags.no_msglog_check),
            ("no_munge", &mut flags.no_munge),
            ("no_stderr_check", &mut flags.no_stderr_check),
            ("no_stdout_check", &mut flags.no_stdout_check),
            ("rmfiltertest", &mut flags.rmfiltertest),
            ("sortlog", &mut flags.sortlog),
            ("need_ipv6", &mut flags.need_ipv6),
        ] {
            *flag |= line.starts_with(name.as_bytes());
        }
        if let Some(name) = line.strip_prefix(b"munge ") {
            flags.munge = Some(String::from_utf8_lossy(name).trim().to_string());
        }
    }
    flags
}

pub fn parse(script: &[u8], substitution: &Substitution) -> Result<Vec<Item>, String> {
    let mut lines: Vec<&[u8]> = script.split(|&b| b == b'\n').collect();
    if lines.last().is_some_and(|l| l.is_empty()) {
        lines.pop();
    }
    if !lines.first().is_some_and(|line| line.starts_with(b"#")) {
        return Err("the script does not begin with a title line".into());
    }
    let mut parser = Parser { lines, at: 1, substitution };
    let mut items = Vec::new();
    while let Some(item) = parser.item()? {
        items.push(item);
    }
    Ok(items)
}

struct Parser<'a> {
    lines: Vec<&'a [u8]>,
    at: usize,
    substitution: &'a Substitution,
}

impl Parser<'_> {
    fn error<T>(&self, message: &str) -> Result<T, String> {
        Err(format!("script line {}: {message}", self.at))
    }

    fn next(&mut self) -> Option<&[u8]> {
        self.at += 1;
        self.lines.get(self.at - 1).copied()
    }

    /// The next command line: continued, and with its tokens replaced.
    fn command_line(&mut self) -> Option<String> {
        let mut text = self.next()?.trim_ascii_end().to_vec();
        while text.last() == Some(&b'\\') {
            text.pop();
            text.extend_from_slice(self.next().unwrap_or_default().trim_ascii());
        }
        let text = self.substitution.apply(&text);
        Some(String::from_utf8_lossy(&text).into_owned())
    }

    fn data(&mut self) -> Lines {
        let mut data = Lines::new();
        while let Some(line) = self.next() {
            if line.trim_ascii_end() == b"****" && line.starts_with(b"****") {
                break;
            }
            data.push(line.to_vec());
        }
        data
    }

    fn substituted_data(&mut self) -> Lines {
        let data = self.data();
        data.iter().map(|line| self.substitution.apply(line)).collect()
    }

    fn item(&mut self) -> Result<Option<Item>, String> {
        let mut expect = Expect::default();
        let mut variable = None;
        let mut bound = false;
        loop {
            let Some(text) = self.command_line() else {
                return if bound { self.error("status at the end") } else { Ok(None) };
            };
            let line = self.at;
            let skipped = text.is_empty() || (text.starts_with('#') && !is_marker(&text));
            if skipped || is_flag(&text) {
                if text == "###" {
                    return self.error("a marker without text");
                }
                if bound {
                    return self.error("a command must follow the status");
                }
                continue;
            }
            if let Some(status) = STATUS.captures(&text) {
                bound = true;
                expect.other = &status[1] == "~";
                expect.status = status[2].parse().or(self.error("status too big"))?;
                variable = status.get(3).map(|v| v.as_str().to_string());
                continue;
            }
            let command = self.command(&text)?;
            return Ok(Some(Item { line, expect, variable, command }));
        }
    }

    fn command(&mut self, text: &str) -> Result<Command, String> {
        let word = text.split_ascii_whitespace().next().unwrap_or_default();
        let rest = text.get(word.len()..).unwrap_or_default().trim().to_string();
        let number = || rest.parse::<u64>().map_err(|e| format!("{text}: {e}"));
        Ok(match word {
            "###" => Command::Marker(text.as_bytes().to_vec()),
            "echo" | "munge" => Command::Echo,
            "sleep" => Command::Sleep(number()? * 1000),
            "millisleep" => Command::Sleep(number()?),
            "killdaemon" => Command::KillDaemon,
            "dump" => Command::Dump(rest),
            "exim_lock" => Command::Lock(rest),
            "cat2" => Command::Cat2(rest),
            "dbmbuild" => match rest.split_once(char::is_whitespace) {
                Some((from, to)) => Command::DbmBuild(from.into(), to.trim().into()),
                None => return self.error("dbmbuild needs two files"),
            },
            "server" => Command::Server(rest, self.data()),
            "background" => {
                let line = self.command_line().unwrap_or_default();
                self.data();
                Command::Background(line)
            }
            _ if word.starts_with("gnutls") => Command::Gnutls,
            "perl" => Command::Fed(text.into(), self.substituted_data()),
            "sudo" if rest.split(' ').next() == Some("perl") => Command::Fed(text.into(), self.substituted_data()),
            _ if word.starts_with("client") => Command::Fed(format!("./bin/{text}"), self.substituted_data()),
            _ => return self.matched_command(text),
        })
    }

    fn matched_command(&mut self, text: &str) -> Result<Command, String> {
        if let Some(need) = NEED.captures(text) {
            return Ok(Command::Need(need[1].to_string()));
        }
        if let Some(utility) = UTILITY.captures(text) {
            let args = utility.get(2).map_or("", |a| a.as_str());
            return Ok(Command::Utility(utility[1].to_string(), args.to_string()));
        }
        if SHELL.is_match(text) || SUDO_SHELL.is_match(text) {
            return Ok(Command::Shell(text.into()));
        }
        if let Some(write) = WRITE.captures(text) {
            let block = |b: regex::Captures| {
                let text = b.get(3).map_or(String::new(), |t| t.as_str().replace('_', " "));
                Some(Block { count: b[1].parse().ok()?, length: b[2].parse().ok()?, text })
            };
            let sizes: Option<Vec<Block>> = BLOCK.captures_iter(&write[3]).map(block).collect();
            let Some(sizes) = sizes else {
                return self.error("a size is too big");
            };
            let data = self.data();
            let (show, file) = (write.get(1).is_some(), write[2].to_string());
            return Ok(write_command(show, file, sizes, data));
        }
        if let Some(mta) = MTA.captures(text) {
            let part = |n| mta.get(n).map_or(String::new(), |m| m.as_str().to_string());
            return Ok(Command::Mta(Mta {
                assignments: part(1),
                wait: part(2).parse().unwrap_or(0),
                sudo: part(3),
                suffix: part(4),
                args: part(5),
                data: self.substituted_data(),
            }));
        }
        self.error(&format!("unknown command: {text}"))
    }
}

/// Lines are generated where `++++` stands; without it, nothing is.
fn write_command(show: bool, file: String, sizes: Vec<Block>, mut data: Lines) -> Command {
    let split = data.iter().position(|line| line.trim_ascii_end() == b"++++");
    match split.filter(|_| !sizes.is_empty()) {
        Some(at) => {
            let tail = data.split_off(at + 1);
            data.pop();
            Command::Write { show, file, sizes, head: data, tail }
        }
        None => Command::Write { show, file, sizes: Vec::new(), head: data, tail: Lines::new() },
    }
}

fn is_marker(text: &str) -> bool {
    text.strip_prefix("###").is_some_and(|rest| rest.starts_with(char::is_whitespace))
}

fn is_flag(text: &str) -> bool {
    let names = ["no_message_check", "no_msglog_check", "no_munge", "no_stderr_check"];
    let more = ["no_stdout_check", "rmfiltertest", "sortlog"];
    names.iter().chain(&more).any(|name| text.starts_with(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Facts;

    fn commands(text: &str) -> Vec<Item> {
        let facts = Facts { root: "/srv".into(), ..Facts::default() };
        let substitution = Substitution::new(&facts, "0042", None);
        parse(text.as_bytes(), &substitution).unwrap()
    }

    #[test]
    fn status_variable_and_data() {
        let items = commands("# t\n~1 TZ=GB\nexim -bs \\\n   -odi  CALLER\nto CALLER\n****\n");
        assert_eq!(items[0].expect, Expect { status: 1, other: true });
        assert_eq!(items[0].variable.as_deref(), Some("TZ=GB"));
        let Command::Mta(mta) = &items[0].command else { panic!("{items:?}") };
        assert_eq!(mta.args, "-bs -odi  oximtest");
        assert_eq!(mta.data, [b"to oximtest".to_vec()]);
        assert_eq!(items[0].line, 4);
    }

    #[test]
    fn all_parts_of_an_mta_command() {
        let items = commands("# t\nA=1 b_2=x 3 sudo -u root exim_exim -DSERVER=server -bd\n****\n");
        let Command::Mta(mta) = &items[0].command else { panic!("{items:?}") };
        assert_eq!(mta.assignments, "A=1 b_2=x ");
        assert_eq!((mta.wait, mta.sudo.as_str()), (3, "sudo -u root "));
        assert_eq!(mta.suffix, "_exim");
        assert!(mta.is_daemon() && !mta.is_inetd_wait());
    }

    #[test]
    fn server_and_write_data_stay_as_they_are() {
        let items = commands("# t\nserver PORT_S\n250 CALLER\n****\nwrite f\nCALLER\n****\n");
        assert_eq!(items[0].command, Command::Server("1224".into(), vec![b"250 CALLER".into()]));
        let Command::Write { head, .. } = &items[1].command else { panic!() };
        assert_eq!(head[0], b"CALLER");
    }

    #[test]
    fn write_needs_its_separator() {
        let sizes = || vec![Block { count: 2, length: 10, text: "ab ".into() }];
        let data = |text: &str| text.split(' ').map(|l| l.as_bytes().to_vec()).collect::<Lines>();
        let command = write_command(false, "f".into(), sizes(), data("first ++++ last"));
        let Command::Write { sizes: generated, head, tail, .. } = command else { panic!() };
        assert_eq!((generated, head, tail), (sizes(), data("first"), data("last")));
        let command = write_command(false, "f".into(), sizes(), data("first"));
        let Command::Write { sizes: generated, .. } = command else { panic!() };
        assert!(generated.is_empty());
    }

    #[test]
    fn markers_comments_and_flags() {
        let items = commands("# t\n#### row\n### text\nno_msglog_check\n\n# c\nneed_ipv4\n");
        assert_eq!(items[0].command, Command::Marker(b"### text".into()));
        assert_eq!(items[1].command, Command::Need("ipv4".into()));
        assert_eq!(items.len(), 2);
        assert!(flags(b"# t\nno_munge\nmunge dnssec\n").no_munge);
        assert_eq!(flags(b"munge a\nmunge b\n").munge.as_deref(), Some("b"));
    }

    #[test]
    fn what_is_unknown_is_refused() {
        let substitution = Substitution::new(&Facts::default(), "0042", None);
        for script in ["exim -bV\n", "# t\nrm x\n", "# t\n###\n", "# t\n1\n", "# t\n1\n# c\nexim x\n"] {
            assert!(parse(script.as_bytes(), &substitution).is_err(), "{script}");
        }
    }
}
