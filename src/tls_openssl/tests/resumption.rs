//! Session tickets: taken up again, renewed, refused.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use super::super::*;
use super::support::*;

/// One connection with some data both ways; gives what the client may keep.
fn talk(
    ctx: &Arc<ServerContext>,
    cs: &ClientSetup,
    session: Option<SavedSession>,
    adjust: impl FnOnce(&mut ClientParams<'_>),
) -> (TlsFacts, TlsFacts, Option<SavedSession>) {
    let (c, _, (s, _)) = pair(ctx, cs, |p| {
        p.session = session;
        adjust(p);
    });
    let (mut c, mut s) = (c.unwrap(), s.unwrap());
    s.write_all(b"220 hello\r\n").unwrap();
    let mut buf = [0u8; 100];
    c.read_some(&mut buf, LIMIT).unwrap();
    c.write_all(b"QUIT\r\n").unwrap();
    s.read_some(&mut buf, LIMIT).unwrap();
    let mut facts = c.facts().clone();
    facts.resumption = c.resumption_now();
    let out = c.session_out();
    c.shutdown(None);
    (facts, s.facts().clone(), out)
}

fn decode(bits: u8) -> &'static str {
    RESUME_DECODE.split(':').nth(usize::from(bits) - 1).unwrap().trim()
}

#[test]
fn resumed_in_both_versions() {
    let dir = Dir::new();
    let ca = ca("Test CA");
    let leaf = ca.leaf(&dir, "mx.example.org", ec_key());
    for options in ["+no_tlsv1_3", ""] {
        let mut sp = server_params(&leaf);
        sp.options = OpensslOptions::parse(options).unwrap();
        sp.resumption = true;
        let ctx = context(&sp);
        let mut cs = setup(&ca.file(&dir));
        cs.resumption = true;
        let verify = |p: &mut ClientParams<'_>| {
            p.verify = VerifyMode::Require;
            p.verify_names = vec!["mx.example.org".into()];
        };
        let (c, s, out) = talk(&ctx, &cs, None, verify);
        assert_eq!(decode(c.resumption), "client requested new ticket, server provided");
        assert_eq!(decode(s.resumption), "client requested new ticket, server provided");
        assert!(!c.resumed() && !s.resumed());

        let saved = out.unwrap();
        let saved = SavedSession::from_bytes(&saved.to_bytes()).unwrap();
        assert!(saved.remaining() > Duration::from_secs(7000));
        let (c, s, _) = talk(&ctx, &cs, Some(saved), verify);
        assert!(c.resumed() && s.resumed());
        assert!(decode(c.resumption).starts_with("session resumed"));
        assert!(decode(s.resumption).starts_with("session resumed"));
        assert_eq!(c.channel_binding, s.channel_binding);
        assert!(c.channel_binding.as_ref().is_some_and(|b| b.data.len() >= 12));
        assert_eq!(c.cv(), "yes");
        assert_eq!(c.peer_dn.unwrap(), "/O=Oxim tests/CN=mx.example.org");

        // Another server process with other keys: full handshake.
        let (_, _, out) = talk(&ctx, &cs, None, verify);
        let (c, s, _) = talk(&context(&sp), &cs, out, verify);
        assert!(!c.resumed() && !s.resumed());

        cs.resumption = false;
        let (c, s, out) = talk(&ctx, &cs, None, verify);
        assert!(out.is_none());
        assert_eq!(decode(c.resumption), "not requested or offered");
        if options == "+no_tlsv1_3" {
            assert_eq!(decode(s.resumption), "no client request");
        }
    }
}

#[test]
fn unverified_sessions_do_not_become_verified() {
    let dir = Dir::new();
    let ca = ca("Test CA");
    let leaf = ca.leaf(&dir, "mx.example.org", ec_key());
    let mut sp = server_params(&leaf);
    sp.resumption = true;
    let ctx = context(&sp);
    let mut cs = setup(&ca.file(&dir));
    cs.resumption = true;
    let badly = |mode| {
        move |p: &mut ClientParams<'_>| {
            p.verify = mode;
            p.verify_names = vec!["other.example.org".into()];
        }
    };
    let (c, _, out) = talk(&ctx, &cs, None, badly(VerifyMode::Try));
    assert_eq!(c.cv(), "no");
    let (c, _, _) = talk(&ctx, &cs, out.clone(), badly(VerifyMode::Try));
    assert!(c.resumed());
    assert_eq!(c.cv(), "no");
    // Where verification is demanded the session is not even offered.
    let (c, _, _) = talk(&ctx, &cs, out, |p| p.verify = VerifyMode::Require);
    assert!(!c.resumed());
    assert_eq!(c.cv(), "yes");
}

#[test]
fn bad_records_are_not_used() {
    assert!(SavedSession::from_bytes(b"").is_none());
    assert!(SavedSession::from_bytes(b"OxS1").is_none());
    let s = SavedSession { der: vec![1, 2, 3], verified: true, dane: false, ocsp: OcspState::Verified, expires: u64::MAX };
    let parsed = SavedSession::from_bytes(&s.to_bytes()).unwrap();
    assert_eq!(parsed, s);
    assert!(parsed.session().is_none());
    let old = SavedSession { expires: 1000, ..s };
    assert!(SavedSession::from_bytes(&old.to_bytes()).is_none());
}
