//! Tests of the parsers; the expected texts are what the reference says.

use super::forward::{ForwardEnd, ForwardItem, ForwardOptions, parse_forward_list};
use super::*;

fn ok(text: &str) -> String {
    let mut rules = Rules { allow_domain_literals: true, ..Rules::default() };
    extract_address(&mut rules, text.as_bytes()).map_or_else(|e| format!("!{e}"), |a| a.address.to_string())
}

#[test]
fn addresses() {
    for (text, want) in [
        ("a..b@c", "a..b@c"),
        (".a@b", ".a@b"),
        ("x y <a@b> (c)", "a@b"),
        ("\"Foo, Bar\" <a@b.c>", "a@b.c"),
        ("a (c) @ (d) b . c", "a@b.c"),
        ("a\\,b@c", "a\\,b@c"),
        ("\"a b\"@c.d", "\"a b\"@c.d"),
        ("@a,@b:c@d", "c@d"),
        ("<@a,@b:c@d>", "c@d"),
        ("a@[1.2.3.4]", "a@[1.2.3.4]"),
        ("user", "user"),
        ("", "!empty address"),
        ("a@b.", "!domain missing or malformed"),
        ("a@-b", "!domain missing or malformed"),
        ("a@b_c", "!malformed address: _c may not follow a@b"),
        ("foo: a@b;", "!missing or malformed local part (expected word or \"<\")"),
        ("<<a@b>>", "!missing or malformed local part"),
        ("<a@b", "!'>' missing at end of address"),
        ("<>", "!missing or malformed local part"),
        ("@@test.ex", "!domain missing or malformed"),
        ("@", "!domain missing or malformed"),
        ("@test.ex", "!no local part"),
        ("<bad", "!\"@\" or \".\" expected after \"bad\""),
        ("<bad x>", "!\"@\" or \".\" expected after \"bad\""),
        ("<a@b> c", "!malformed address: c may not follow <a@b> "),
        ("\"a", "!unmatched doublequote in local part"),
    ] {
        assert_eq!(ok(text), want, "{text}");
    }
}

#[test]
fn groups_go_on_over_calls() {
    let mut rules = Rules { allow_group: true, ..Rules::default() };
    let text = b"list: a@b, c@d; , e@f";
    let mut found = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let end = at + find_address_end(&text[at..], false);
        found.push(extract_address(&mut rules, &text[at..end]).unwrap().address.to_string());
        at = end + 1;
    }
    assert_eq!(found, ["a@b", "c@d", "e@f"]);
    assert!(!rules.found_group && rules.allow_group);
    assert_eq!(extract_address(&mut rules, b"x:;").unwrap_err(), "empty address");
    let mut rules = Rules { allow_null: true, ..Rules::default() };
    assert_eq!(extract_address(&mut rules, b"<>").unwrap().address, "");
}

#[test]
fn ends() {
    assert_eq!(find_address_end(b"\"a,b\" <c@d>, e", false), 11);
    assert_eq!(find_address_end(b"a (x,(y) \\),) b, c", false), 15);
    assert_eq!(find_address_end(b"<@a,@b:c@d>,x", false), 11);
    assert_eq!(find_address_end(b"abc\ndef", true), 3);
    assert_eq!(find_address_end(b"\"abc", false), 4);
    assert_eq!(find_address_end(b"\\", false), 1);
}

#[test]
fn phrases() {
    for (text, want) in [
        ("John Q. Doe", "\"John Q. Doe\""),
        ("J \"x\" y.z b", "J \"x\" \"y.z\" b"),
        ("a\\b c", "\"a\\b c\""),
        ("x (comment) y", "x (comment) y"),
        (".(", "\".(\""),
        ("x \"y\" (a b) c@d e", "x \"y\" (a b) \"c@d\" e"),
        ("a. \"b c\" d", "\"a.\" \"b c\" d"),
        ("J (a\"b\") c.d e", "J (a\"b\") \"c.d\" e"),
        ("x \"unclosed", "x \"unclosed\""),
        ("x.y \"z", "\"x.y\" \"z\""),
        ("x. (com) y", "\"x. (com) y\""),
        ("", ""),
    ] {
        assert_eq!(fix_phrase(text.as_bytes(), b"UTF-8"), want, "{text}");
    }
}

#[test]
fn encoded_words() {
    assert_eq!(quote_2047(b"hello world", b"UTF-8", false), "hello world");
    let long = format!("caf\u{e9} {}\u{e9}\u{e9}\u{e9}{}", "a".repeat(60), "b".repeat(53));
    assert_eq!(
        quote_2047(long.as_bytes(), b"UTF-8", false),
        format!(
            "=?UTF-8?Q?caf=C3=A9_{}?= =?UTF-8?Q?{}=C3=A9=C3=A9=C3=A9{}?= =?UTF-8?Q?{}?=",
            "a".repeat(48),
            "a".repeat(12),
            "b".repeat(28),
            "b".repeat(25)
        )
    );
    let d = |s: &str| decode_2047(s.as_bytes(), true, Some(b"UTF-8"), Some(b'?')).map(|b| b.to_string());
    assert_eq!(d("=?utf-8?Q?caf=C3=A9?= =?utf-8?B?Y2Fmw6k=?= x =?utf-8?Q?bad=ZZ?=").unwrap(), "cafécafé x =?utf-8?Q?bad=ZZ?=");
    assert_eq!(d("=?iso-8859-1?q?a_b=E9?=").unwrap(), "a bé");
    assert!(d("=?nonesuch?Q?x?=").unwrap_err().starts_with("iconv_open(\"UTF-8\", \"nonesuch\") failed:"));
}

#[test]
fn forward_lists() {
    let options = ForwardOptions { incoming_domain: b"test.ex", allow_fail: true, ..ForwardOptions::default() };
    let text = b"# comment\nuser, \\me\n\"|/bin/x \\\"a\\\"\", /tmp/f, (nothing)\n/X=x/@y.z";
    let list = parse_forward_list(&options, text).unwrap();
    let address = |a: &str, qualified| ForwardItem::Address { address: a.into(), qualified };
    assert_eq!(
        list.items,
        [
            address("user", false),
            address("me@test.ex", true),
            ForwardItem::Pipe("|/bin/x \"a\"".into()),
            ForwardItem::File("/tmp/f".into()),
            address("/X=x/@y.z", true)
        ]
    );
    assert_eq!(parse_forward_list(&options, b":fail:  no, way\nx"), Err(ForwardEnd::Fail("no, way".into())));
    assert_eq!(parse_forward_list(&options, b":defer: x"), Err(ForwardEnd::Error("\":defer: x\" is not permitted".into())));
    assert_eq!(
        parse_forward_list(&options, b"@@test.ex (This)"),
        Err(ForwardEnd::Error("domain missing or malformed in \"@@test.ex (This)\"".into()))
    );
}

#[test]
fn dates_xtext_ids_folding() {
    assert_eq!(date::read_date(b"Fri, 7 Apr 2000 14:25:48 +0100 (BST)"), Some(955_113_948));
    assert_eq!(date::read_date(b"7 Apr 00 13:25 GMT"), Some(955_113_900));
    assert_eq!(date::read_date(b"Xxx, 7 Apr 2000 14:25:48 +0100"), None);
    assert_eq!(date::show_date(955_113_948, true), "Fri, 07 Apr 2000 13:25:48 +0000");
    assert_eq!(xtext::encode(b"a+b=c d"), "a+2Bb+3Dc+20d");
    assert_eq!(xtext::decode(b"a+2Bb").unwrap(), "a+b");
    assert!(xtext::decode(b"a+2").is_none() && xtext::decode(b"a=b").is_none());
    assert_eq!(message_id::read_all(b"<a@b.c> (x) <d@[1.2.3.4]> x"), ["<a@b.c>", "<d@[1.2.3.4]>"]);
    for (value, id) in [
        (&b" <a@[odd]>\n"[..], Some("a@[odd]")),
        (b"(c) <a@b> ", Some("a@b")),
        (b"<x S=1>", None),
        (b"", None),
        (b"<a@b> c", None),
    ] {
        assert_eq!(message_id::shown(value), id.map(Into::into));
    }
    assert_eq!(unfold(b"a\r\n b\n\tc\nd"), "a b\tc\nd");
}
