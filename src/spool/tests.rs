//! What is written is what is read, whatever the bytes.

use std::sync::Arc;

use bstr::ByteSlice;

use super::*;
use crate::config::Config;
use crate::context::message::Recipient;
use crate::context::session::HostName;
use crate::context::{Context, Header, HeaderKind, Run};
use crate::text::Text;

fn context() -> Context {
    Context::for_tests(Arc::new(Config::default()), Arc::new(Run::default()))
}

/// A message whose every text is as nasty as a peer can make it.
fn nasty() -> Context {
    let mut ctx = context();
    let evil = "x\n-host_auth root\nXX\n1\nroot@localhost\0 1,2#3";
    ctx.message.id = "1aBcDe-00000000001-0000".into();
    ctx.message.originator_login = evil.into();
    ctx.message.sender = Some(Text::tainted(evil));
    ctx.message.authenticated_sender = Some(Text::tainted(evil));
    ctx.session.helo_name = Some(Text::tainted(evil));
    ctx.session.host_address = Some(Text::tainted("192.0.2.1"));
    ctx.session.host_port = 25;
    ctx.session.host_name = HostName::Found(Text::tainted(evil));
    ctx.message.dsn_envid = Some(Text::tainted(evil));
    ctx.acl.message.insert("_x".into(), Text::tainted(evil));
    ctx.acl.connection.insert("1".into(), Text::clean("a\nb"));
    ctx.message.recipients = vec![
        Recipient {
            errors_to: Some(Text::tainted(evil)),
            orcpt: Some(Text::tainted(evil)),
            dsn_flags: 6,
            parent: 0,
            address: Text::tainted(evil),
            bmi_optin: None,
        },
        Recipient::new(Text::tainted("\"a b\"@c")),
    ];
    ctx.message.nonrecipients.insert(evil.as_bytes());
    ctx.message.nonrecipients.insert(b"a@b");
    ctx.message.headers = vec![Header { kind: HeaderKind::To, text: "To: a@b,\n  c@d\n".into() }];
    ctx
}

#[test]
fn nothing_escapes_its_line() {
    let ctx = nasty();
    let (bytes, size) = format_header_file(&ctx);
    let mut back = context();
    parse_header_file(&mut back, &ctx.message.id, &bytes).unwrap();
    assert_eq!(size, 15);
    assert_eq!(back.message.recipients.len(), 2);
    assert_eq!(back.session.authenticated_by, None);
    assert_eq!(
        back.message.recipients[0].errors_to.as_ref().unwrap().as_bytes(),
        ctx.message.recipients[0].errors_to.as_ref().unwrap().replace("\n", " ").replace("\0", " ")
    );
    assert_eq!(back.message.recipients[1], ctx.message.recipients[1]);
    assert_eq!(back.acl.message.get("_x".as_bytes().as_bstr()), ctx.acl.message.get("_x".as_bytes().as_bstr()));
    assert_eq!(back.message.headers, ctx.message.headers);
    let (again, _) = format_header_file(&back);
    assert_eq!(again.as_bstr(), bytes.as_bstr());
}

#[test]
fn a_cut_file_is_an_error() {
    let ctx = nasty();
    let (bytes, _) = format_header_file(&ctx);
    for end in 0..bytes.len() {
        let cut = parse_header_file(&mut context(), &ctx.message.id, &bytes[..end]);
        assert!(cut.is_err() || bytes[..end].ends_with(b"#3\n\n") || bytes[..end].ends_with(b"c\n\n"), "cut at {end}");
    }
}
