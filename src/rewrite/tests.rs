//! Tests of rules and of header lines. Replacements here have no expansions but `$1`.

use std::sync::Arc;

use super::*;
use crate::config::Config;
use crate::context::Run;

fn context(rules: &[&str]) -> Context {
    let mut config = Config::default();
    config.site.qualify_domain = "test.ex".into();
    config.site.qualify_recipient = "test.ex".into();
    config.rewrite = rules.iter().map(|r| parse_rule(&BString::from(*r)).unwrap()).collect();
    Context::for_tests(Arc::new(config), Arc::new(Run::default()))
}

#[test]
fn rules() {
    let r = |s: &str| parse_rule(&BString::from(s));
    let rule = r("*@x.y  \"a b\"  hFq w").unwrap();
    assert_eq!((rule.pattern.raw(), rule.replacement.raw()), (&b"*@x.y"[..], &b"a b"[..]));
    assert!(rule.whole && rule.quit && !rule.repeat && rule.uses == Uses(63 | 64));
    assert_eq!(r("*@x.y").err().unwrap(), "missing rewrite replacement string");
    assert_eq!(r("a@b c S").err().unwrap(), "rewrite rule has the S flag but is not a regular expression");
    assert!(r("a@b c k").err().unwrap().starts_with("unknown rewrite flag character 'k'"));
    assert!(parse_transport_rule(&BString::from("a@b c@d F")).is_err());
}

#[test]
fn header_lines() {
    let ctx = &mut context(&["a@b a-new@b h", "w@b \"Long Name <w-new@b> (c)\" hw"]);
    ctx.session.allow_unqualified_sender = true;
    ctx.session.allow_unqualified_recipient = true;
    let mut one = |text: &str, kind| {
        let header = Header { kind, text: format!("{text}\n").into() };
        header_line(ctx, &header).map(|t| t.to_string())
    };
    let long = format!("To: {} <a@b>, x@b", "a".repeat(25));
    assert_eq!(one(&long, HeaderKind::To).unwrap(), format!("To: {} <a-new@b>, \n\tx@b\n", "a".repeat(25)));
    let short = format!("To: {} <a@b>, x@b", "a".repeat(24));
    assert_eq!(one(&short, HeaderKind::To).unwrap(), format!("To: {} <a-new@b>, x@b\n", "a".repeat(24)));
    assert_eq!(one("Sender: x (c), \"y\" <yy>", HeaderKind::Sender).unwrap(), "Sender: x@test.ex (c), \"y\" <yy@test.ex>\n");
    assert_eq!(one("From: w@b", HeaderKind::From).unwrap(), "From: Long Name <w-new@b> (c)\n");
    assert_eq!(one("To: g: w@b;", HeaderKind::To).unwrap(), "To: g: Long Name <w-new@b> (c);\n");
    assert_eq!(one("To: c@d (x)", HeaderKind::To), None);
    assert_eq!(one("To: a@b,\n  x@b, a@b", HeaderKind::To).unwrap(), "To: a-new@b,\n  x@b, a-new@b\n");
}

#[test]
fn qualification() {
    let ctx = &context(&[]);
    assert_eq!(qualify(ctx, &Text::clean("a"), true), "a@test.ex");
    assert_eq!(qualify(ctx, &Text::clean("\"a@b\""), true), "\"a@b\"@test.ex");
    assert_eq!(qualify(ctx, &Text::clean("a@b"), true), "a@b");
    assert_eq!(qualify(ctx, &Text::clean(""), true), "");
}
