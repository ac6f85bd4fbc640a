use super::*;
use crate::facts;

fn munger() -> Munger {
    let mut facts = Facts { root: "/srv".into(), exim_uid: 400, exim_gid: 400, ..Facts::default() };
    facts.exim_user = "exim".into();
    facts.exim_group = "exim".into();
    Munger::new(&facts)
}

fn munged_with(text: &str, kind: Kind, flags: &Flags) -> String {
    let munged = munger().munge(text.as_bytes(), kind, flags, &mut Cache::default());
    let lines = munged.lines.iter().map(|line| String::from_utf8_lossy(line).into_owned());
    lines.collect::<Vec<_>>().join("\n")
}

fn munged(text: &str, kind: Kind) -> String {
    munged_with(text, kind, &Flags::default())
}

#[test]
fn names_ids_and_paths() {
    let host = facts::fqdn();
    let text = format!("{host} /srv/test/x 1uAbCd-00000000123-4567 1uAbCd-000001-AB exim@{host}");
    assert_eq!(
        munged(&text, Kind::MainLog),
        "the.local.host.name TESTSUITE/x 10HmaX-000000005vi-0000 10HmaX-0005vi-00 \
         EXIMUSER@the.local.host.name"
    );
    let two = "1uAbCd-00000000123-4567\n1uAbCe-00000000123-4567\n1uAbCd-00000000123-4567";
    assert_eq!(munged(two, Kind::MainLog), "10HmaX-000000005vi-0000\n10HmaY-000000005vi-0000\n10HmaX-000000005vi-0000");
}

#[test]
fn a_log_line() {
    let line = "2026-11-22 02:48:01 1uAbCd-00000000123-4567 <= oximtest@x U=oximtest P=local \
        S=317 H=a [172.23.91.7]:40123 I=[127.0.0.1]:1225 QT=3s";
    assert_eq!(
        munged(line, Kind::MainLog),
        "1999-03-02 09:44:33 10HmaX-000000005vi-0000 <= CALLER@x U=CALLER P=local \
         S=sss H=a [ip4.ip4.ip4.ip4]:10001 I=[127.0.0.1]:PORT_D QT=qqs"
    );
}

#[test]
fn dates() {
    assert_eq!(munged("Date: Mon, 22 Nov 2026 02:48:01 +0000", Kind::Mail), "Date: Tue, 2 Mar 1999 09:44:33 +0000");
    assert_eq!(munged("Sun Nov 22 02:48:01 2026", Kind::Stdout), "Tue Mar 02 09:44:33 1999");
    assert_eq!(munged("2026-11-22 02:48:01\n  To: x", Kind::Mail), "1999-03-02 09:44:33   To: x");
    assert_eq!(munged("2026-11-22 02:48:01.123 +0100 x", Kind::MainLog), "2017-07-30 18:51:05.712 x");
    assert_eq!(
        munged("22-Nov-2026 02:48:01  22-Nov-2026 02:48:05  22-Nov-2026 02:58:04 *", Kind::Stdout),
        "first failed = time last try = time2 next try = time2 + 600 *"
    );
}

#[test]
fn process_ids_and_ports() {
    assert_eq!(munged("pid=12345 child 12345 pid 12346", Kind::Stdout), "pid=p1234 child p1234 pid p1235");
    assert_eq!(
        munged("2026-11-22 02:48:01 [12345] x\n2026-11-22 02:48:01 [12345] pid=12345", Kind::MainLog),
        "1999-03-02 09:44:33 [1234] x\n1999-03-02 09:44:33 [1234] pid=p1235"
    );
    assert_eq!(
        munged("Connecting to 127.0.0.1 port 1225 ... \nListening on port 1224 ... ", Kind::Stdout),
        "Connecting to 127.0.0.1 port PORT_D ... \nListening on port PORT_S ... "
    );
    assert_eq!(
        munged("from [1.2.3.4]:5000 [1.2.3.4]:6000\na => b [1.2.3.4]:5000", Kind::Stdout),
        "from [1.2.3.4]:10001 [1.2.3.4]:6000\na => b [1.2.3.4]:5000"
    );
    assert_eq!(munged("listening for SMTP on [127.0.0.1]:1225", Kind::MainLog), "listening for SMTP on [127.0.0.1]:PORT_D");
    assert_eq!(munged("listening for SMTP on port 1225 (IPv6 and IPv4)", Kind::MainLog), "listening for SMTP on port PORT_D");
}

#[test]
fn hosts_and_addresses() {
    assert_eq!(munged("    host a.b   [224.0.0.1]   MX=5", Kind::Stdout), "  host a.b [V4NET.0.0.1] MX=5");
    assert_eq!(munged("  host a.b [172.23.91.7] port=1224", Kind::Stdout), "  host host a.b [ip4.ip4.ip4.ip4] port=PORT_S");
    assert_eq!(munged("[ff00:1:2:3:4:5:6:7]", Kind::Stdout), "[V6NET:1:2:3:4:5:6:7]");
    let six = format!("[{}]", facts::IPV6);
    assert_eq!(munged(&six, Kind::Stdout), "[ip6:ip6:ip6:ip6:ip6:ip6:ip6:ip6]");
}

#[test]
fn ciphers() {
    for (from, to) in [
        ("X=TLS1.3:ECDHE-RSA-AES256-GCM-SHA384:256 C", "X=TLS1.x:ke-RSA-AES256-SHAnnn:xxx C"),
        ("X=TLS1.3:TLS_AES_256_GCM_SHA384:256 C", "X=TLS1.x:ke-RSA-AES256-SHAnnn:xxx C"),
        ("ECDHE-ECDSA-AES128-SHA", "ke-ECDSA-AES256-SHAnnn"),
        ("RSA-AES256-SHA:999", "RSA-AES256-SHA:999"),
        ("TLS_AES_256_GCM_SHA384", "ke-RSA-AES256-SHAnnn"),
    ] {
        assert_eq!(munged(from, Kind::MainLog), to);
    }
    assert_eq!(
        munged("\tby a.b with esmtps  (TLS1.3) tls TLS_AES_256_GCM_SHA384", Kind::Mail),
        "\tby a.b with esmtps (TLS1.x:ke-RSA-AES256-SHAnnn:xxx)"
    );
}

#[test]
fn errors_and_sizes() {
    assert_eq!(munged("a (111): Connection refused errno=4", Kind::MainLog), "a (dd): Connection refused errno=dd");
    assert_eq!(munged("-rw-r--r--.  1 root   root", Kind::Stdout), "-rw-r--r-- 1 root root");
    assert_eq!(munged("MAIL FROM:<> SIZE=1234", Kind::Stdout), "MAIL FROM:<> SIZE=ssss");
    assert_eq!(munged(" 5m  317 1uAbCd-00000000123-4567 <a@b>", Kind::Stdout), "TTT   sss 10HmaX-000000005vi-0000 <a@b>");
    assert_eq!(munged("100S,3C\n10 1\n20 2\nx 1", Kind::Mail), "100S,3C\nddd d\nddd d\nx 1");
}

#[test]
fn dropped_lines() {
    assert_eq!(munged("a\nSSL info: x\nb", Kind::Stdout), "a\nb");
    assert_eq!(munged("X-Exim-Diagnostic: a\n b\nc\n d", Kind::Mail), "c\n d");
    assert_eq!(munged("\tt=1; x=5; b=ab\n two\n three\nfour", Kind::Mail), "\tt=T; x=T+4; b=bbbb;\nfour");
    let flags = Flags { rmfiltertest: true, ..Flags::default() };
    assert_eq!(munged_with("Testing Exim filter file\nx\ny", Kind::Stdout, &flags), "y");
}

#[test]
fn flags_change_rules() {
    let flags = Flags { no_munge: true, ..Flags::default() };
    assert_eq!(munged_with("/srv/test/x", Kind::Stdout, &flags), "/srv/test/x");
    let flags = Flags { munge: Some("loopback".into()), ..Flags::default() };
    assert_eq!(munged_with("[::1]", Kind::Stdout, &flags), "[IP_LOOPBACK_ADDR]");
    assert_eq!(munged_with("[::1]", Kind::MainLog, &flags), "[::1]");
}

#[test]
fn standard_error() {
    assert_eq!(
        munged("check_dir_size: b\ncheck_dir_size: a\nx", Kind::Stderr),
        "MUNGED: the check_dir_size lines have been sorted to ensure consistency\n\
         check_dir_size: a\ncheck_dir_size: b\nx"
    );
    let lists = ">>> host in limits_advertise_hosts?\n>>>  list element: !*\n\
        >>> host in x?\n>>>  list element: !*";
    assert_eq!(munged(lists, Kind::Stderr), ">>> host in x?\n>>>  list element: !*");
    assert_eq!(munged("Exim version 4.99 uid=1", Kind::Stderr), "Exim version x.yz ....");
}
