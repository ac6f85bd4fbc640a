//! Versions, streams, SNI, ALPN, closing.

use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use super::super::*;
use super::support::*;

#[test]
fn both_versions_carry_data_and_give_facts() {
    let dir = Dir::new();
    let ca = ca("Test CA");
    let leaf = ca.leaf(&dir, "mx.example.org", rsa_key());
    let cafile = ca.file(&dir);
    for (options, version, cipher) in
        [("+no_tlsv1_3", "TLS1.2", "TLS1.2:ECDHE-RSA-AES256-GCM-SHA384:256"), ("", "TLS1.3", "TLS1.3:TLS_AES_256_GCM_SHA384:256")]
    {
        let mut sp = server_params(&leaf);
        sp.options = OpensslOptions::parse(options).unwrap();
        let (client, notes, (server, _)) = pair(&context(&sp), &setup(&cafile), |p| {
            p.verify = VerifyMode::Require;
            p.verify_names = vec!["mx.example.org".into()];
            p.sni = Some("mx.example.org".into());
        });
        let (mut c, mut s) = (client.unwrap(), server.unwrap());
        assert_eq!(notes.lines, Vec::<String>::new());
        for f in [c.facts(), s.facts()] {
            assert_eq!((f.version.as_str(), f.cipher.as_str(), f.bits), (version, cipher, 256));
        }
        assert!(c.facts().cipher_std.starts_with("TLS_"));
        assert_eq!(c.facts().peer_dn.as_ref().unwrap(), "/O=Oxim tests/CN=mx.example.org");
        assert_eq!((c.facts().cv(), s.facts().cv()), ("yes", "no"));
        assert_eq!(s.facts().sni.as_ref().unwrap(), "mx.example.org");
        assert_eq!(c.facts().peer_cert, s.facts().our_cert);
        assert!(c.facts().our_cert.is_none());
        assert_eq!(c.facts().channel_binding, s.facts().channel_binding);
        let kind = if version == "TLS1.3" { BindingKind::TlsExporter } else { BindingKind::TlsUnique };
        assert_eq!(c.facts().channel_binding.as_ref().unwrap().kind, kind);

        c.write_all(b"EHLO there\r\n").unwrap();
        let mut buf = [0u8; 4];
        assert_eq!(s.peek(&mut buf, LIMIT).unwrap(), 4);
        assert_eq!(s.read_some(&mut buf, LIMIT).unwrap(), 4);
        assert_eq!(&buf, b"EHLO");
        assert_eq!(s.pending(), 8);
        let mut rest = [0u8; 100];
        assert_eq!(s.read_some(&mut rest, LIMIT).unwrap(), 8);
        for limit in [0, 50] {
            let limit = Some(Duration::from_millis(limit));
            assert!(matches!(s.read_some(&mut rest, limit), Err(StreamError::TimedOut)));
        }
        c.write_all(b"NOOP\r\n").unwrap();
        assert_eq!(s.peek(&mut rest, Some(Duration::ZERO)).unwrap(), 6);
        assert_eq!(s.read_some(&mut rest, Some(Duration::ZERO)).unwrap(), 6);
        s.set_timeouts(LIMIT, LIMIT);
        c.shutdown(None);
        assert_eq!(s.read(&mut rest).unwrap(), 0);
        assert!(matches!(s.write_all_timed(b"x", LIMIT), Err(StreamError::Closed)));
        assert!(matches!(c.read_some(&mut rest, LIMIT), Err(StreamError::Closed)));
    }
}

#[test]
fn nothing_is_read_in_clear_after_close_notify() {
    let dir = Dir::new();
    let ca = ca("Test CA");
    let leaf = ca.leaf(&dir, "mx.example.org", ec_key());
    let (fd, t) = serve(context(&server_params(&leaf)), Notes::default());
    let mut raw = UnixStream::from(OwnedFd::try_clone(&fd).unwrap());
    let ctx = ClientContext::build(&setup(&ca.file(&dir))).unwrap();
    let mut none = NoHooks;
    let mut c = connect(fd, &ctx, ClientParams::new("10.0.0.2", &mut none)).unwrap();
    let mut s = t.join().unwrap().0.unwrap();
    // Half a chunk, close_notify, then one byte of clear text on the same socket.
    c.write_all(b"BDAT 10\r\nabc").unwrap();
    c.close_notify_only();
    raw.write_all(b"dQUIT\r\n").unwrap();
    let mut buf = [0u8; 100];
    assert_eq!(s.read_some(&mut buf, LIMIT).unwrap(), 12);
    for _ in 0..3 {
        assert_eq!(s.read_some(&mut buf, LIMIT).unwrap(), 0);
        assert_eq!(s.peek(&mut buf, LIMIT).unwrap(), 0);
        assert_eq!(s.pending(), 0);
    }
    assert!(s.is_over());
}

#[test]
fn garbage_and_silence_fail_with_the_known_texts() {
    let dir = Dir::new();
    let ca = ca("Test CA");
    let leaf = ca.leaf(&dir, "mx.example.org", ec_key());
    let ctx = context(&server_params(&leaf));

    let (fd, t) = serve(Arc::clone(&ctx), Notes::default());
    UnixStream::from(fd).write_all(b"EHLO clear text\r\n").unwrap();
    let e = t.join().unwrap().0.err().unwrap().error.to_string();
    assert!(e.starts_with("(SSL_accept): error:0A"), "{e}");
    assert!(e.contains(":SSL routines::"), "{e}");

    let (fd, t) = serve(Arc::clone(&ctx), Notes::default());
    drop(fd);
    let e = t.join().unwrap().0.err().unwrap().error.to_string();
    assert!(
        e == "(SSL_accept): TCP connection closed by peer"
            || e == "(SSL_accept): error:0A000126:SSL routines::unexpected eof while reading",
        "{e}"
    );

    let (a, _b) = UnixStream::pair().unwrap();
    let client = ClientContext::build(&ClientSetup::default()).unwrap();
    let mut none = NoHooks;
    let mut p = ClientParams::new("10.0.0.2", &mut none);
    p.timeout = Some(Duration::from_millis(50));
    let e = connect(a.into(), &client, p).err().unwrap().error;
    assert_eq!(e.to_string(), "(SSL_connect): timed out");
}

#[test]
fn sni_changes_the_certificate() {
    let dir = Dir::new();
    let ca = ca("Test CA");
    let one = ca.leaf(&dir, "one.example.org", ec_key());
    let two = ca.leaf(&dir, "two.example.org", rsa_key());
    let server = context(&server_params(&one));
    let other = context(&server_params(&two));
    for (sni, subject) in [("two.example.org", "two"), ("three.example.org", "one")] {
        let notes = Notes { swap: Some(("two.example.org".into(), Arc::clone(&other))), ..Notes::default() };
        let (c, _, (s, notes)) = pair_with(&server, notes, &setup(&ca.file(&dir)), Notes::default(), |p| {
            p.sni = Some(sni.to_string());
            p.alpn = vec!["smtp".into()];
        });
        let (c, s) = (c.unwrap(), s.unwrap());
        assert_eq!(notes.names, [sni.as_bytes()]);
        let dn = c.facts().peer_dn.clone().unwrap().to_string();
        assert_eq!(dn, format!("/O=Oxim tests/CN={subject}.example.org"));
        assert_eq!(s.facts().alpn.as_ref().unwrap(), "smtp");
        assert_eq!(s.facts().our_cert, c.facts().peer_cert);
    }
}

#[test]
fn alpn_rules() {
    let dir = Dir::new();
    let ca = ca("Test CA");
    let leaf = ca.leaf(&dir, "mx.example.org", ec_key());
    let mut sp = server_params(&leaf);
    let ctx = context(&sp);
    let cs = setup(&ca.file(&dir));
    let offer = |names: &[&str]| {
        let names: Vec<String> = names.iter().map(|n| n.to_string()).collect();
        move |p: &mut ClientParams<'_>| p.alpn = names
    };
    let (c, _, (s, _)) = pair(&ctx, &cs, offer(&["http"]));
    assert!(c.is_err());
    assert_eq!(s.err().unwrap().error.to_string(), "(handshake): Bad ALPN presented (http)");
    let (_, _, (s, _)) = pair(&ctx, &cs, offer(&["smtp", "smtp"]));
    assert_eq!(s.err().unwrap().error.to_string(), "(handshake): Bad ALPN presented (smtp:smtp)");
    let (c, _, (s, _)) = pair(&ctx, &cs, offer(&["esmtp"]));
    assert_eq!(c.unwrap().facts().alpn, s.unwrap().facts().alpn);

    sp.alpn_required = true;
    let (_, _, (s, _)) = pair(&context(&sp), &cs, |_| {});
    assert_eq!(s.err().unwrap().error.to_string(), "(handshake): ALPN required but not negotiated");
    sp.alpn_required = false;
    sp.alpn.clear();
    let (c, _, (s, _)) = pair(&context(&sp), &cs, |p| {
        p.alpn = vec!["http".into()];
        p.alpn_required = true;
    });
    assert!(s.is_ok());
    assert_eq!(c.err().unwrap().error.to_string(), "(handshake): ALPN required but not negotiated");
}

#[test]
fn parameters_that_are_wrong() {
    let dir = Dir::new();
    let ca = ca("Test CA");
    let leaf = ca.leaf(&dir, "mx.example.org", ec_key());
    let text = |change: &dyn Fn(&mut ServerParams)| {
        let mut sp = server_params(&leaf);
        change(&mut sp);
        ServerContext::build(&sp, None).err().unwrap().to_string()
    };
    assert_eq!(text(&|p| p.eccurve = vec!["bogus".into()]), "Unknown curve name in tls_eccurve 'bogus'");
    assert_eq!(
        text(&|p| p.certificates = vec!["/no/such".into()]),
        "(SSL_CTX_use_certificate_chain_file file=/no/such): error:80000002:system library::No such file or directory"
    );
    assert_eq!(
        text(&|p| p.ciphers = Some("NONSENSE".into())),
        "(SSL_CTX_set_cipher_list): error:0A0000B9:SSL routines::no cipher match"
    );
    assert_eq!(
        text(&|p| {
            p.verify = VerifyMode::Try;
            p.verify_certificates = CertSource::Path("/no/such".into());
        }),
        "failed to stat /no/such for certificates"
    );
    assert!(text(&|p| p.ciphers = Some("A\0B".into())).contains("NUL"));
}

#[test]
fn self_signed_is_made_and_cache_notices_changes() {
    let cache = ContextCache::new(None);
    let mut sp = ServerParams { self_signed_name: "mx.example.org".into(), ..ServerParams::default() };
    let a = cache.server(&sp).unwrap();
    assert!(Arc::ptr_eq(&a, &cache.server(&sp).unwrap()));
    let (c, _, (s, _)) = pair(&a, &ClientSetup::default(), |_| {});
    s.unwrap();
    assert_eq!(c.unwrap().facts().peer_dn.as_ref().unwrap(), "/C=UK/O=Exim Developers/CN=mx.example.org");
    sp.self_signed_life = Duration::ZERO;
    let b = cache.server(&sp).unwrap();
    assert!(!Arc::ptr_eq(&b, &cache.server(&sp).unwrap()));

    let dir = Dir::new();
    let ca = ca("Test CA");
    let leaf = ca.leaf(&dir, "mx.example.org", ec_key());
    let sp = server_params(&leaf);
    let a = cache.server(&sp).unwrap();
    assert!(Arc::ptr_eq(&a, &cache.server(&sp).unwrap()));
    ca.leaf(&dir, "mx.example.org", ec_key());
    assert!(!Arc::ptr_eq(&a, &cache.server(&sp).unwrap()));
}

#[test]
fn early_banner_comes_with_the_handshake() {
    let dir = Dir::new();
    let ca = ca("Test CA");
    let leaf = ca.leaf(&dir, "mx.example.org", ec_key());
    for (options, early) in [("", true), ("+no_tlsv1_3", false)] {
        let mut sp = server_params(&leaf);
        sp.options = OpensslOptions::parse(options).unwrap();
        let ctx = context(&sp);
        let (a, b) = UnixStream::pair().unwrap();
        let t = std::thread::spawn(move || {
            let mut none = NoHooks;
            let options = AcceptOptions {
                peer_address: "10.0.0.1".into(),
                timeout: LIMIT,
                early_banner: Some(b"220 hi\r\n".to_vec()),
                hooks: &mut none,
            };
            accept(a.into(), &ctx, options).unwrap()
        });
        let mut none = NoHooks;
        let client = ClientContext::build(&setup(&ca.file(&dir))).unwrap();
        let mut c = connect(b.into(), &client, ClientParams::new("10.0.0.2", &mut none)).unwrap();
        let mut s = t.join().unwrap();
        assert_eq!(s.facts().banner_sent, early);
        if !early {
            s.write_all(b"220 hi\r\n").unwrap();
        }
        let mut buf = [0u8; 100];
        assert_eq!(c.read_some(&mut buf, LIMIT).unwrap(), 8);
        c.write_all(b"QUIT\r\n").unwrap();
        assert_eq!(s.read_some(&mut buf, LIMIT).unwrap(), 6);
    }
}
