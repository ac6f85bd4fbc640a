//! System errors, sizes, messages of OpenSSL, and what fits nowhere else.

use super::rule::{Builder, Verdict, splice};

pub fn rules(b: &mut Builder) {
    errors(b);
    sizes(b);
    openssl(b);
    b.all(r"(timestamp=|\(timestamp_only\): )\d+", "${1}ddddddd");
    b.first(r"writing to (?:file )?tmp/\d+\.[^.]+\.", "writing to tmp/MAILDIR.");
    b.first(r"renamed tmp/\d+\.[^.]+\.(\S+) as new/\d+\.[^.]+\.(\S+)", "renamed tmp/MAILDIR.${1} as new/MAILDIR.${2}");
    b.first(r"\b\d+\.M\d+P\d+\b", "dddddddddd.HddddddPddddd");
    b.call(r"^", |_, line, state, _| {
        if is_size_line(line) {
            state.in_sizes = true;
            return Verdict::Final;
        } else if state.in_sizes {
            let two = |text: &[u8]| text.split(|&b| b == b' ').map(digits).collect::<Vec<_>>();
            state.in_sizes = two(line) == [true, true];
            if state.in_sizes {
                *line = b"ddd d".to_vec();
            }
        }
        Verdict::Keep
    });
    b.all(r"(?i)SRS0=.{4}=.{1,2}(=[^=]+=[^@]+@\S+)", "SRS0=ZZZZ=YY${1}");
    b.first(r"(max fd = )\d+", "${1}dddd");
    b.all(r"status=[0-9a-f]+ (?:RDONLY|WRONLY|RDWR)", "STATUS");
    b.first(r"^\d{3}([PFS*])", "ddd${1}");
    b.first(r"\d{8,10}-eximdsn-\d+", "NNNNNNNNNN-eximdsn-MMMMMMMMMM");
    b.first("(Cyrus SASL permanent failure: )user not found$", "${1}generic failure");
    b.first(r"(unexpected disconnection while reading SMTP command from \S+ \S* )\([^)]*\) (D=)", "${1}${2}");
}

fn digits(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(u8::is_ascii_digit)
}

/// The first line of a maildir size file: `numberS,numberC`.
fn is_size_line(line: &[u8]) -> bool {
    let number = |part: &[u8], mark: u8| part.split_last().is_some_and(|(last, rest)| *last == mark && digits(rest));
    let parts: Vec<&[u8]> = line.split(|&b| b == b',').collect();
    matches!(parts[..], [size, count] if number(size, b'S') && number(count, b'C'))
}

fn errors(b: &mut Builder) {
    b.first("(?:Can't|Cannot) assign requested address|Address not available", "Netwk addr not available");
    b.first("Operation timed out", "Connection timed out");
    b.first("Address family not supported by protocol family|Network (?:is )?unreachable|Invalid argument", "Network Error");
    b.first(r"\(\d+\): (Network|Connection refused|Connection timed out)", "(dd): ${1}");
    b.first(r"\d+ 65 Connection refused", "dd 65 Connection refused");
    b.first(r"\d+ 321 Connection timed out", "dd 321 Connection timed out");
    b.all(r"errno=\d+", "errno=dd");
    b.first(r" is not a regular file| has too many links \(\d+\)", " not a regular file or too many links");
    // The lines of ls.
    b.call(r"^([-d](?:[-r][-w][-xsStT]){3})[.+@]?(?:\s|$)", |found, line, _, _| {
        let mode_end = found[1].len();
        let rest = line[mode_end..].to_vec();
        let rest = match rest.first() {
            Some(b'.' | b'+' | b'@') => &rest[1..],
            _ => &rest[..],
        };
        let mut out = found[1].to_vec();
        let mut blank = false;
        for &byte in rest {
            let is_blank = byte.is_ascii_whitespace();
            match is_blank {
                true if blank => {}
                true => out.push(b' '),
                false => out.push(byte),
            }
            blank = is_blank;
        }
        *line = out;
        Verdict::Keep
    });
}

fn sizes(b: &mut Builder) {
    b.first(r"(\s|,)S=\d+\b", "${1}S=sss");
    b.first(r":S\d+\b", ":Ssss");
    b.first(r"\sSIZE=\d+\b", " SIZE=ssss");
    b.first(r"(old size = )\d+", "${1}sssss");
    for text in ["message size = ", "this message = ", "Size of headers = "] {
        b.first(&format!(r"({text})\d+"), "${1}sss");
    }
    b.first(r"sum=[1-9]\d*", "sum=dddd");
    b.first(r"(sum=(?:dddd|0) )count=\d+", "${1}count=dd");
    b.first(r",S is \d+", ",S is ddddd");
    b.first(r"\+0100,\d+;", "+0100,ddd;");
    b.first(r"\(\d+ bytes written\)", "(ddd bytes written)");
    b.first(r"added '\d+ 1'", "added 'ddd 1'");
    b.first(r"Received\s+\d+", format!("Received{}nnn", " ".repeat(15)));
    b.first(r"Delivered\s+\d+", format!("Delivered{}nnn", " ".repeat(14)));
    b.first(r"space=\d+ inodes=[-+]?\d+", "space=xxxxx inodes=xxxxx");
    b.first(r"^\d+( (?:\(tainted\) )?bytes read from )", "ssss${1}");
}

fn openssl(b: &mut Builder) {
    b.first(r"(TLS session: \(SSL_\w+\): error:).*", "${1} <<detail omitted>>");
    b.first(
        r"(TLS error on connection from .* )\(SSL_accept\): error:.*:unexpected eof while reading",
        "${1}(tls lib accept fn): TCP connection closed by peer",
    );
    b.first(r"(TLS error on connection from .* \(SSL_\w+\): error:).*", "${1} <<detail omitted>>");
    b.drop("SSL verify error: depth=0 error=certificate not trusted");
    b.drop("(?:dh key too small|unknown security bits)$");
    // The codes of version 1.1.1 become those of version 3.
    b.call("error:(?:0B080074|02001002|0906D06C):", |found, line, _, _| {
        let new: &[u8] = match &found[0][6..14] {
            b"0B080074" => b"error:05800074:",
            b"02001002" => b"error:80000002:",
            _ => b"error:0480006C:",
        };
        splice(found, line, new);
        Verdict::Keep
    });
}
