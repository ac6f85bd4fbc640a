//! The small programs that tests use. They are all this one binary, by the name it is called by.

mod answers;
mod client;
mod conn;
mod fakens;
mod mtpscript;
mod server;
mod small;
mod sudo;
mod tls;
mod zone;

use std::process::ExitCode;

/// The names laid out in a test directory's `bin/`.
pub const NAMES: [&str; 10] =
    ["client", "client-ssl", "client-anytls", "server", "fakens", "mtpscript", "fd", "iefbr14", "showids", "checkaccess"];

/// Run the helper of this name, if there is one.
pub fn run(name: &str, args: &[String]) -> Option<ExitCode> {
    Some(match name {
        "client" => client::main(args, false),
        "client-ssl" | "client-anytls" => client::main(args, true),
        "server" => server::main(args),
        "fakens" => fakens::main(args),
        "mtpscript" => mtpscript::main(args),
        "fd" => small::fd(args),
        "iefbr14" => ExitCode::SUCCESS,
        "showids" => small::showids(),
        "checkaccess" => small::checkaccess(args),
        "sudo" => sudo::main(args),
        _ => return None,
    })
}

/// The escapes of the client's and the server's scripts: `\xHH` is a byte, a backslash before any
/// other character stands for that character. The client knows `\n` and `\r` as well.
fn unescaped(text: &[u8], line_ends: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        if byte != b'\\' || rest.is_empty() {
            out.push(byte);
            continue;
        }
        let hex = |b: u8| (b as char).to_digit(16).map(|d| d as u8);
        rest = match *rest {
            [b'n', ref tail @ ..] if line_ends => {
                out.push(b'\n');
                tail
            }
            [b'r', ref tail @ ..] if line_ends => {
                out.push(b'\r');
                tail
            }
            [b'x', ref tail @ ..] => match *tail {
                [a, b, ref after @ ..] if hex(a).is_some() && hex(b).is_some() => {
                    out.push(hex(a).unwrap_or(0) << 4 | hex(b).unwrap_or(0));
                    after
                }
                _ => {
                    out.push(b'x');
                    tail
                }
            },
            [other, ref tail @ ..] => {
                out.push(other);
                tail
            }
            [] => rest,
        };
    }
    out
}

#[cfg(test)]
mod tests {
    use super::unescaped;

    #[test]
    fn escapes() {
        assert_eq!(unescaped(br"a\x40b\\\n\r", true), b"a@b\\\n\r");
        assert_eq!(unescaped(br"a\x0a\n", false), b"a\nn");
        assert_eq!(unescaped(br"end\", false), b"end\\");
        assert_eq!(unescaped(br"\xzz", false), b"xzz");
    }
}
