//! Rules for all files: names, ids and paths, then those of the other general tables in order.

use super::rule::{Builder, Verdict, splice};
use super::sequence::Counter;
use super::{dates, misc, tls, users};

pub fn no_munge(b: &mut Builder) {
    b.first(r"^(localhost \d+ from message-id != given number \d+ at ).*/test(/eximdir/exim_msgdate line \d+\.)", "${1}DIR${2}");
}

pub fn rules(b: &mut Builder) {
    b.all("%HOST%", "the.local.host.name");
    b.first(r"name=the\.local\.host address=127\.0\.0\.1", "name=localhost address=127.0.0.1");
    b.first(r"\s%TOP%/aux-var/sh\b", " ENV_SHELL");
    b.all("%TOP%", "TESTSUITE");
    b.sequence_all(r"(?<key>\d[[:alnum:]]{5}-[[:alnum:]]{6}-[[:alnum:]]{2})", "10Hm%-0005vi-00", Counter::OldMessageId);
    b.sequence_all(r"(?<key>\d[[:alnum:]]{5}-[[:alnum:]]{11}-[[:alnum:]]{4})", "10Hm%-000000005vi-0000", Counter::MessageId);
    b.first(r"\.lock(?:\.[-\w]+)+\.[0-9a-f]+\.[0-9a-f]+", ".lock.test.ex.dddddddd.pppppppp");
    b.first("(TlRMTVNTUAACAAAAAAAAAAAoAAABgg)[A-Za-z0-9+/=]+", "${1}AAAEbBRwqFwwIAAAAAAAAAAAAt1sgAAAAA");
    b.all("(prvs=[^/]+/)[0-9a-f]{10}@", "${1}xxxxxxxxxx@");
    b.all("(prvs=)[0-9a-f]{10}(=[^@]+@)", "${1}xxxxxxxxxx${2}");
    b.first("SSL_CTX_set_cipher_list", "SSL_connect");
    b.first(r"error=(?:authority and subject key identifier mismatch|self-signed certificate)", "error=self signed certificate");
    b.first("is not a base (?:36|62) number", "is not a base 36/62 number");
    b.first(r"forced fail after \d seconds", "forced fail after d seconds");
    b.first(r"Failed to open \S+(?: \([^)]*\))? file", "Failed to open hintsdb file");
    b.first(":[^:]+: while opening named pipe", ": Error: while opening named pipe");
    b.first(r"^(\s*\S+ %IP4% mx=\S+ sort=)\S+", "${1}xx");
    b.first(r"(myhost\.test\.ex|the\.local\.host\.name)-\d+-testing", "${1}-dddddddd-testing");
    b.first(r"^(writing data block fd=)\d+", "${1}dddd");
    b.first(r"(running as transport filter: fd_write=)\d+( fd_read=)\d+", "${1}dddd${2}dddd");
    dates::rules(b);
    tls::rules(b);
    users::rules(b);
    ports(b);
    addresses(b);
    misc::rules(b);
}

/// The parenthesised IP versions in a daemon's start-up line.
pub fn without_addresses(b: &mut Builder) {
    b.all(r"(port \d+) \([^)]*\)", "${1}");
    b.only_on("listening for SMTP on port|SMTPS on port");
}

fn ports(b: &mut Builder) {
    b.sequence(r"^Port: (?<key>\d+)", "%", Counter::Port);
    b.sequence(r"\(port=(?<key>\d+)", "%", Counter::Port);
    b.sequence(r"^Connection request from \S+ port (?<key>\d+)$", "%", Counter::Port);
    b.call(r"(?i)(\[%IP%\]:)(\d+)", |found, line, _, cache| {
        const NOT_WITH: [&[u8]; 11] = [
            b"listening for SMTP on",
            b"Connecting to",
            b"=>",
            b"->",
            b"*>",
            b"==",
            b"**",
            b"Connection refused",
            b"in response to",
            b"T:",
            b"Transport:",
        ];
        if !NOT_WITH.iter().any(|text| super::contains(line, text)) {
            let port = cache.replace(&found[2], "%", Counter::Port);
            splice(found, line, &[&found[1], &port].concat());
        }
        Verdict::Keep
    });
    b.first(r"^(--?host_address .*[:.])\d+$", "${1}9999");
    b.call(r"^(Connecting to 127\.0\.0\.1 port )(\d+)", |found, line, _, cache| {
        let port = cache.dynamic_port.map(|port| port.to_string());
        if port.is_some_and(|port| port.as_bytes() == &found[2]) {
            splice(found, line, &[&found[1], b"<dynamic port>"].concat());
        }
        Verdict::Keep
    });
}

fn addresses(b: &mut Builder) {
    b.first(r"^\s+host\s(\S+)\s+(\S+)", "  host ${1} ${2}");
    b.first(r"^\s+(host\s\S+\s\S+)\s+(port=.*)", "  host ${1} ${2}");
    b.first(r"^(\s+host\s.*?)\s+MX=", "${1} MX=");
    b.first(r"host %OWN4% \[%OWN4%\]", "host ipv4.ipv4.ipv4.ipv4 [ipv4.ipv4.ipv4.ipv4]");
    let six = ["ip6"; 8].join(":");
    b.first(r"host %OWN6% \[%OWN6%\]", format!("host {six} [{six}]"));
    b.all(r"\b%OWN4%\b", "ip4.ip4.ip4.ip4");
    b.all(r"(^|\W)%OWN6%", format!("${{1}}{six}"));
    b.all(r"\b%OWN4REV%\b", "ip4-reverse");
    b.all(r"(^|\W)%OWN6REV%", "${1}ip6-reverse");
    b.first(r"^(\s+host\s\S+\s+\[\S+\])\s+$", "${1}");
    b.all(r"(\b|_)224((?:\.\d+){3}|_|\.rbl|\.in-addr|\.test\.again\.dns)", "${1}V4NET${2}");
    b.all("(?i)ff00((?::[0-9a-f]+){3})", "V6NET${1}");
}
