//! Tests of list items that need no DNS.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::*;
use crate::config::{Config, ListKind, NamedList};
use crate::context::Run;

fn context() -> Context {
    let mut config = Config::default();
    config.site.primary_hostname = "my.host.ex".into();
    let named = |text: &str, id| Arc::new(NamedList { text: Template::new(text.as_bytes()), hidden: false, id, cache: false });
    let domains =
        BTreeMap::from([("local".into(), named("a.ex : !b.ex : *.ex", 0)), ("both".into(), named("+local : c.com", 1))]);
    config.named_lists.insert(ListKind::Domain, domains);
    Context::for_tests(Arc::new(config), Arc::new(Run::default()))
}

fn list(s: &str) -> Text {
    Text::clean(s)
}

#[test]
fn domains() {
    let ctx = &mut context();
    for (domain, items, want) in [
        ("a.ex", "a.ex", true),
        ("A.Ex", "a.EX", true),
        ("x.a.ex", "*.a.ex", true),
        ("a.ex", "*.a.ex", false),
        ("b.ex", "!b.ex", false),
        ("c.ex", "!b.ex", true),
        ("c.ex", "!b.ex : x", false),
        ("x", "<; a ; x", true),
        ("my.host.ex", "@", true),
        ("abc", "^a.c$", true),
        ("ABC", "^a.c$", true),
        ("b.ex", "+local", false),
        ("q.ex", "+local", true),
        ("c.com", "+both", true),
        ("b.ex", "+both", false),
        ("b.ex", "! +both : *", true),
        ("a.ex", "", false),
    ] {
        let got = match_ready(ctx, Subject::Domain(&list(domain)), &list(items), None);
        assert_eq!(got, if want { Match::Yes } else { Match::No }, "{domain} in {items}");
    }
    let unknown = match_ready(ctx, Subject::Domain(&list("x")), &list("+none"), None);
    assert_eq!(unknown, Match::Defer("unknown named domain list \"+none\"".into()));
    let mut data = None;
    match_ready(ctx, Subject::Domain(&list("q.ex")), &list("+both"), Some(&mut data));
    assert_eq!(data.as_ref().map(|d| d.to_string()), Some("*.ex".to_string()));
    data = None;
    match_ready(ctx, Subject::Domain(&list("q.ex")), &list("+both"), Some(&mut data));
    assert_eq!(data.map(|d| d.to_string()), Some("*.ex".to_string()), "from the cache");
}

#[test]
fn addresses() {
    let ctx = &mut context();
    for (address, items, want) in [
        ("Joe@A.ex", "joe@a.ex", true),
        ("Joe@A.ex", "+caseful : joe@a.ex", false),
        ("Joe@A.ex", "+caseful : Joe@a.ex", true),
        ("joe@q.ex", "*@+local", true),
        ("joe@b.ex", "*@+local", false),
        ("x-joe@a.ex", "*joe@a.ex", true),
        ("joe@a.ex", "a.ex", true),
        ("joe@x.a.ex", "*.a.ex", true),
        ("joe@my.host.ex", "joe@@", true),
        ("", "", false),
        ("", ":", true),
        ("", "*", false),
        ("", "*@*", false),
        ("joe@a.ex", "^joe@", true),
    ] {
        let subject = Subject::Address { address: &list(address), caseless: true };
        let got = match_ready(ctx, subject, &list(items), None);
        assert_eq!(got, if want { Match::Yes } else { Match::No }, "{address} in {items}");
    }
    let item = Template::new(b"*-x@*.ex");
    assert_eq!(match_address_item(ctx, &list("ab-x@cd.ex"), &item), Match::Yes);
    let numeric: Vec<_> = ctx.scratch.numeric.iter().flatten().map(|t| t.to_string()).collect();
    assert_eq!(numeric, ["ab-x@cd.ex", "ab", "cd"]);
}

#[test]
fn hosts() {
    let ctx = &mut context();
    let name = list("mail.test.ex");
    let ip: IpAddr = "10.1.2.3".parse().unwrap();
    for (items, want) in [
        ("10.1.2.3", true),
        ("10.1.0.0/16", true),
        ("!10.1.0.0/16 : *", false),
        ("*.test.ex", true),
        ("^mail", true),
        ("10.1.2", false),
        ("+include_unknown : 10.1.2", true),
        ("+ignore_unknown : 10.1.2 : 10.1.2.3", true),
        (":", false),
        ("*", true),
        ("<; ::ffff:10.1.2.3", true),
    ] {
        let subject = Subject::Host { name: &name, address: Some(ip) };
        let got = match_ready(ctx, subject, &list(items), None);
        assert_eq!(got, if want { Match::Yes } else { Match::No }, "{items}");
    }
    assert_eq!(match_ready(ctx, Subject::SessionHost, &list("1.2.3.4 : :"), None), Match::Yes);
    assert_eq!(match_ready(ctx, Subject::SessionHost, &list("1.2.3.4"), None), Match::No);
    assert_eq!(match_ready(ctx, Subject::Ip(b"10.1.2.3"), &list("a.b : 10.1.2.3"), None), Match::No);
}
