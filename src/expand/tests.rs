//! Expansions as a whole, and what must never happen: panics, endless nesting, expansion of tainted strings.

use std::sync::Arc;

use super::*;
use crate::config::Config;
use crate::context::{Header, HeaderKind, Run};

fn context() -> Context {
    let mut config = Config::default();
    config.site.primary_hostname = "host.test.ex".into();
    Context::for_tests(Arc::new(config), Arc::new(Run::default()))
}

fn shown(ctx: &mut Context, s: &str) -> String {
    match expand_once(ctx, s.as_bytes()) {
        Ok(t) => t.to_string(),
        Err(e) => format!("{}: {e}", if matches!(e, ExpandError::Forced(_)) { "forced" } else { "failed" }),
    }
}

#[test]
fn the_manuals_examples() {
    let mut ctx = context();
    for (string, wanted) in [
        ("$primary_hostname ${lc:AbC}", "host.test.ex abc"),
        ("${extract{gid}{uid=1984 gid=2001}}", "2001"),
        ("${extract{-4}{:}{x:42:99:& Mailer::/bin/bash}}", "99"),
        ("${map{a:b:c}{[$item]}} ${map{<- x-y-z}{($item)}}", "[a]:[b]:[c] (x)-(y)-(z)"),
        ("${reduce {3:0:9:4:6}{0}{${if >{$item}{$value}{$item}{$value}}}}", "9"),
        ("${sg{1=A 4=D 3=C}{\\N(\\d+)=\\N}{K\\$1=}}", "K1=A K4=D K3=C"),
        ("${tr{abcdea}{ac}{13}}", "1b3de1"),
        ("${hmac{md5}{somesecret}{mail.example.com 2002-10-17 11:30:59}}", "dd97e3ba5d1a61b5006108f8c8252953"),
        ("${mask:10.111.131.206/28}", "10.111.131.192/28"),
        ("${if eq{a}{b}{x}fail}", "forced: \"if\" failed and \"fail\" requested"),
        ("${if eq{1}{1}{a}{${badop:x}}}", "failed: unknown expansion operator \"badop\""),
        ("${if eq {$h_xyz}{1}{y}{n}}", "failed: missing } at end of string - could be header name not terminated by colon"),
        ("${map{a,1:b,2}{${extract{1}{,}{$item}{$value}{x}{y}}}}", "failed: missing '}' closing extract inside \"map\" item"),
    ] {
        assert_eq!(shown(&mut ctx, string), wanted, "{string}");
    }
}

#[test]
fn what_stands_before_a_syntax_error_comes_first() {
    let mut ctx = context();
    assert_eq!(shown(&mut ctx, "${if eq{a}{b}{x}fail} ${if"), "forced: \"if\" failed and \"fail\" requested");
    assert_eq!(shown(&mut ctx, "x ${if"), "failed: condition name expected, but found \"\"");
}

#[test]
fn nothing_nests_for_ever() {
    let mut ctx = context();
    for s in ["${lc:".repeat(100_000), "${if and{{".repeat(50_000), "${if !".repeat(10) + &"!".repeat(100_000)] {
        assert!(shown(&mut ctx, &s).starts_with("failed: "));
    }
    let deep = "${lc:".repeat(150) + &"}".repeat(150);
    assert_eq!(shown(&mut ctx, &deep), "");
    // A string that expands itself by way of an ACL variable.
    ctx.acl.message.insert("0".into(), Text::clean("${expand:$acl_m0}"));
    assert!(shown(&mut ctx, "$acl_m0 ${expand:$acl_m0}").contains("nested too deeply"));
}

#[test]
fn tainted_strings_are_not_expanded() {
    let mut ctx = context();
    let text = "X: ${readfile{/etc/passwd}}\n".into();
    ctx.message.headers.push(Header { kind: HeaderKind::Other, text });
    assert_eq!(shown(&mut ctx, "$h_x:"), "${readfile{/etc/passwd}}");
    assert!(shown(&mut ctx, "${expand:$h_x:}").contains("attempt to expand tainted string"));
    assert!(shown(&mut ctx, "${if >{$h_x:}{0}}").starts_with("failed: integer expected"));
    assert_eq!(shown(&mut ctx, "${sort{$h_x:}{lt}{$item}}"), "${readfile{/etc/passwd}}");
    let tainted = expand(&mut ctx, &Template::new(b"a${lc:$h_x:}")).map(|t| t.is_tainted());
    assert_eq!(tainted, Ok(true));
    assert_eq!(expand(&mut ctx, &Template::new(b"${strlen:$h_x:}")).map(|t| t.is_tainted()), Ok(false));
}

/// A small generator of damaged strings: none may panic.
#[test]
fn damaged_strings_only_fail() {
    let mut ctx = context();
    let seeds = [
        "${if and{{eq{a}{b}}{!match{abc}{(.)}}}{yes$1}{no}}",
        "${extract{2}{:}{a:b}{$value}fail}${substr{-3}{2}{abcdef}}",
        "${filter{a:b}{eq{$item}{a}}}${sort{b:a}{lt}{$item}}${reduce{1:2}{0}{${eval:$value+$item}}}",
        "${listextract{-1}{<;a;b}}${hash_3_62:abcdefgh}${nhash_8_64:xyz}${extract json{a}{\\{\"a\":[1,\"x\"]\\}}}",
        "${prvscheck{${prvs{u@d}{s}}}{s}{$prvscheck_result}}${sg{abc}{b*}{-}}${tr{abc}{b}{}}\\N$x\\N\\x4\\12",
    ];
    let mut state: u32 = 7;
    let mut next = |n: usize| {
        state = state.wrapping_mul(1_103_515_245).wrapping_add(12_345);
        (state >> 16) as usize % n.max(1)
    };
    for round in 0..20_000 {
        let mut s = seeds[round % seeds.len()].as_bytes().to_vec();
        for _ in 0..1 + next(4) {
            let at = next(s.len());
            match next(4) {
                0 => drop(s.remove(at)),
                1 => s.insert(at, b"{}$:\\\xff\0- "[next(9)]),
                2 => s.truncate(at),
                _ => s[at] = b"{}$:\\\xff0~("[next(9)],
            }
            if s.is_empty() {
                break;
            }
        }
        let _ = expand(&mut ctx, &Template::new(&s));
    }
}

/// Names are found by halving.
#[test]
fn tables_are_sorted() {
    assert!(items::ITEMS.is_sorted_by_key(|i| i.name));
    assert!(operators::OPERATORS.is_sorted_by_key(|o| o.name));
    assert!(conditions::CONDITIONS.is_sorted_by_key(|c| c.name));
    for v in variables::groups() {
        assert!(variables::resolve(v.name.as_bytes()).is_some(), "{}", v.name);
    }
}
