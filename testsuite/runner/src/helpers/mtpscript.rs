//! A scripted SMTP or LMTP server on standard input and output, for pipe transports.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::fd::AsFd;
use std::process::ExitCode;
use std::time::Duration;
use std::{fs, thread};

use crate::sys;

const LIMIT: Duration = Duration::from_secs(5);

/// `mtpscript SCRIPT [+]LOG`
pub fn main(args: &[String]) -> ExitCode {
    let [script, log] = args else {
        return refuse("script and log are needed");
    };
    let Ok(script) = fs::read(script) else {
        return refuse("cannot open the script");
    };
    let log = match log.strip_prefix('+') {
        Some(path) => OpenOptions::new().append(true).create(true).open(path),
        None => File::create(log),
    };
    let Ok(log) = log else {
        return refuse("cannot open the log");
    };
    // A script that is ended by a signal leaves what it said last unwritten, as the reference's does.
    let mut log = BufWriter::new(log);
    match converse(&script, &mut log).and_then(|status| log.flush().map(|()| status)) {
        Ok(status) => status,
        Err(_) => ExitCode::FAILURE,
    }
}

fn refuse(why: &str) -> ExitCode {
    println!("500 {why}");
    ExitCode::FAILURE
}

enum Line {
    Text(Vec<u8>),
    End,
    Timeout,
}

/// A line from standard input, byte for byte: nobody else may miss what follows it.
fn read_line() -> io::Result<Line> {
    let stdin = io::stdin();
    let mut input = File::from(stdin.as_fd().try_clone_to_owned()?);
    let mut line = Vec::new();
    loop {
        if sys::wait_readable(&[0], LIMIT)?.is_none() {
            return Ok(Line::Timeout);
        }
        let mut byte = [0];
        if io::Read::read(&mut input, &mut byte)? == 0 {
            return Ok(if line.is_empty() { Line::End } else { Line::Text(line) });
        }
        if byte[0] == b'\n' {
            return Ok(Line::Text(line.trim_ascii_end().to_vec()));
        }
        line.push(byte[0]);
    }
}

fn converse(script: &[u8], log: &mut BufWriter<File>) -> io::Result<ExitCode> {
    for line in script.strip_suffix(b"\n").unwrap_or(script).split(|&b| b == b'\n') {
        let line = line.trim_ascii_end();
        if line.first().is_some_and(u8::is_ascii_digit) {
            log.write_all(&[line, b"\n"].concat())?;
            // Whoever gets the answer may end us.
            log.flush()?;
            let mut out = io::stdout().lock();
            out.write_all(&[line, b"\r\n"].concat())?;
            out.flush()?;
            continue;
        }
        if let Some(seconds) = line.strip_prefix(b"*sleep ") {
            let seconds = String::from_utf8_lossy(seconds).trim().parse().unwrap_or(0);
            thread::sleep(Duration::from_secs(seconds));
            continue;
        }
        log.write_all(&[line, b"\n"].concat())?;
        log.flush()?;
        loop {
            let got = match read_line()? {
                Line::Text(got) => got,
                Line::Timeout => {
                    log.write_all(b"Server timed out\n")?;
                    return Ok(ExitCode::from(99));
                }
                Line::End => {
                    let as_expected: &[u8] = match line {
                        b"*eof" => b"Expected EOF read from client\n",
                        _ => b"Unexpected EOF read from client\n",
                    };
                    log.write_all(as_expected)?;
                    return Ok(ExitCode::SUCCESS);
                }
            };
            log.write_all(&[b"<<< ", &got[..], b"\n"].concat())?;
            if line != b"." {
                if !got.starts_with(line) {
                    log.write_all(b"Comparison failed - bailing out\n")?;
                    return Ok(ExitCode::SUCCESS);
                }
                break;
            }
            if got == b"." {
                break;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}
