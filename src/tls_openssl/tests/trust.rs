//! Verification: CA, names, client certificates, CRL, events, DANE, stapling.

use super::super::ffi::testing::response;
use super::super::*;
use super::support::*;

#[test]
fn names_and_modes_of_a_client() {
    let dir = Dir::new();
    let (good, bad) = (ca("Test CA"), ca("Other CA"));
    let leaf = good.leaf(&dir, "mx.example.org", ec_key());
    let wild = good.leaf(&dir, "*.example.org", ec_key());
    let cafile = good.file(&dir);
    let other = dir.write("other.pem", &bad.cert.to_pem().unwrap());
    let ctx = context(&server_params(&leaf));
    let want = |mode, name: &str| {
        let name = name.to_string();
        move |p: &mut ClientParams<'_>| {
            p.verify = mode;
            p.verify_names = vec![name];
        }
    };
    let (c, n, _) = pair(&ctx, &setup(&cafile), want(VerifyMode::Require, "mail.example.org"));
    assert_eq!(c.err().unwrap().error.to_string(), "(SSL_connect): error:0A000086:SSL routines::certificate verify failed");
    let line =
        "[10.0.0.2] SSL verify error: certificate name mismatch: DN=\"/O=Oxim tests/CN=mx.example.org\" H=\"mail.example.org\"";
    assert_eq!(n.lines, [line]);
    let (c, n, _) = pair(&ctx, &setup(&cafile), want(VerifyMode::Try, "mail.example.org"));
    assert_eq!((c.unwrap().facts().cv(), n.lines.len()), ("no", 1));

    let (c, n, (s, _)) = pair(&ctx, &setup(&other), want(VerifyMode::Require, "mx.example.org"));
    assert_eq!(n.lines.len(), 1);
    assert!(n.lines[0].starts_with("[10.0.0.2] SSL verify error: depth="), "{}", n.lines[0]);
    let f = c.err().unwrap();
    assert!(!f.facts.verified && f.facts.verify_error.is_some());
    let e = s.err().unwrap().error.to_string();
    assert!(e.starts_with("(SSL_accept): error:0A00041"), "{e}");
    let (c, _, _) = pair(&ctx, &setup(&other), want(VerifyMode::None, "mx.example.org"));
    assert_eq!(c.unwrap().facts().cv(), "no");

    let ctx = context(&server_params(&wild));
    let (c, _, _) = pair(&ctx, &setup(&cafile), want(VerifyMode::Require, "a.example.org"));
    assert_eq!(c.unwrap().facts().cv(), "yes");
    let (c, _, _) = pair(&ctx, &setup(&cafile), want(VerifyMode::Require, "a.b.example.org"));
    assert!(c.is_err());
}

#[test]
fn client_certificates() {
    let dir = Dir::new();
    let (good, bad) = (ca("Test CA"), ca("Other CA"));
    let leaf = good.leaf(&dir, "mx.example.org", ec_key());
    let mine = good.leaf(&dir, "client.example.org", rsa_key());
    let theirs = bad.leaf(&dir, "evil.example.org", ec_key());
    let cafile = good.file(&dir);
    for options in ["", "+no_tlsv1_3"] {
        let mut sp = server_params(&leaf);
        sp.options = OpensslOptions::parse(options).unwrap();
        sp.verify_certificates = CertSource::Path(cafile.clone());
        sp.verify = VerifyMode::Try;
        let with = |file: Option<&Leaf>| {
            let mut cs = setup(&cafile);
            cs.certificate = file.map(|l| l.file.clone());
            cs
        };
        let ctx = context(&sp);
        let (_c, _, (s, _)) = pair(&ctx, &with(Some(&mine)), |_| {});
        let s = s.unwrap();
        assert_eq!(s.facts().cv(), "yes");
        assert_eq!(s.facts().peer_dn.as_ref().unwrap(), "/O=Oxim tests/CN=client.example.org");
        let (_c, _, (s, n)) = pair(&ctx, &with(Some(&theirs)), |_| {});
        assert_eq!(s.unwrap().facts().cv(), "no");
        assert!(n.lines[0].starts_with("[10.0.0.1] SSL verify error: depth="), "{:?}", n.lines);
        let (_c, _, (s, _)) = pair(&ctx, &with(None), |_| {});
        let s = s.unwrap();
        assert_eq!((s.facts().cv(), s.facts().peer_dn.is_none()), ("no", true));

        sp.verify = VerifyMode::Require;
        let ctx = context(&sp);
        let (_c, _, (s, _)) = pair(&ctx, &with(None), |_| {});
        let e = s.err().unwrap().error.to_string();
        assert!(e.ends_with("peer did not return a certificate"), "{e}");
        let (_c, _, (s, _)) = pair(&ctx, &with(Some(&theirs)), |_| {});
        assert!(s.is_err());
        let (_c, _, (s, _)) = pair(&ctx, &with(Some(&mine)), |_| {});
        assert_eq!(s.unwrap().facts().cv(), "yes");
    }
}

#[test]
fn certificate_events_see_the_chain_and_may_refuse() {
    let dir = Dir::new();
    let ca = ca("Test CA");
    let leaf = ca.leaf(&dir, "mx.example.org", ec_key());
    let ctx = context(&server_params(&leaf));
    let cs = setup(&ca.file(&dir));
    let run = |refuse| {
        let notes = Notes { watch: true, refuse_depth: refuse, ..Notes::default() };
        pair_with(&ctx, Notes::default(), &cs, notes, |p| p.verify = VerifyMode::Require)
    };
    let (c, n, _) = run(None);
    assert_eq!(c.unwrap().facts().cv(), "yes");
    let depths: Vec<u32> = n.certs.iter().map(|c| c.0).collect();
    assert_eq!(depths, [1, 0]);
    let (c, n, _) = run(Some(0));
    assert!(c.is_err());
    assert_eq!(
        n.lines,
        ["[10.0.0.2] SSL verify denied by event-action: depth=0 cert=/O=Oxim tests/CN=mx.example.org: no thanks"]
    );
}

fn record(usage: u8, selector: u8, matching: u8, data: &[u8]) -> TlsaRecord {
    TlsaRecord { usage, selector, matching, data: data.to_vec() }
}

#[test]
fn dane() {
    let dir = Dir::new();
    let ca = ca("Test CA");
    let leaf = ca.leaf(&dir, "mx.example.org", ec_key());
    let ctx = context(&server_params(&leaf));
    let cs = ClientSetup { dane: true, resumption: true, ..ClientSetup::default() };
    let spki = leaf.cert.public_key().unwrap().public_key_to_der().unwrap();
    let ee = openssl::sha::sha512(&spki);
    let ta = openssl::sha::sha256(&ca.cert.to_der().unwrap());
    let run = |host: &str, records: Vec<TlsaRecord>| {
        let d = DaneParams { host: host.to_string(), extra_names: vec![], records };
        let (c, n, s) = pair(&ctx, &cs, |p| p.dane = Some(d));
        drop(s);
        (c, n)
    };
    // DANE-EE: the name does not matter; SNI is the host.
    let (c, _) = run("whatever.example.org", vec![record(3, 1, 2, &ee)]);
    let c = c.unwrap();
    assert_eq!((c.facts().cv(), c.facts().tlsa_usage, c.facts().dane), ("dane", 8, true));
    assert_eq!(c.facts().sni.as_ref().unwrap(), "whatever.example.org");
    // DANE-TA: it does.
    let (c, _) = run("mx.example.org", vec![record(2, 0, 1, &ta)]);
    assert_eq!((c.as_ref().unwrap().facts().cv(), c.unwrap().facts().tlsa_usage), ("dane", 4));
    let (c, _) = run("mail.example.org", vec![record(2, 0, 1, &ta)]);
    assert!(c.is_err());
    // A wrong digest.
    let (c, n) = run("mx.example.org", vec![record(3, 1, 1, &[7; 32])]);
    let f = c.err().unwrap();
    assert!(f.dane);
    assert!(f.error.to_string().starts_with("(SSL_connect): error:0A000086:"), "{}", f.error);
    // The caller reports it.
    assert_eq!(n.lines, Vec::<String>::new());
    // Nothing usable.
    let (c, _) = run("mx.example.org", vec![record(1, 1, 1, &[7; 32]), record(3, 1, 9, &[7; 32])]);
    assert_eq!(c.err().unwrap().error.to_string(), "DANE error: no usable TLSA records");
}

#[test]
fn stapling() {
    let dir = Dir::new();
    let ca = ca("Test CA");
    let cafile = ca.file(&dir);
    let rsa = ca.leaf(&dir, "rsa.example.org", rsa_key());
    let ec = ca.leaf(&dir, "ec.example.org", ec_key());
    let proof = |leaf: &Leaf, status, made, life| response(&leaf.cert, &ca.cert, &ca.cert, &ca.key, status, made, life);
    let good_rsa = dir.write("rsa.der", &proof(&rsa, 0, now() - 60, 3600));
    let good_ec = {
        let b64 = openssl::base64::encode_block(&proof(&ec, 0, now() - 60, 3600));
        dir.write("ec.pem", format!("-----BEGIN OCSP RESPONSE-----\n{b64}\n-----END OCSP RESPONSE-----\n").as_bytes())
    };
    let mut sp = server_params(&rsa);
    sp.certificates.push(ec.file.clone());
    sp.ocsp_files = parse_ocsp_files([good_rsa.to_str().unwrap(), &format!("PEM {}", good_ec.display())]);
    let ctx = context(&sp);
    assert_eq!(ctx.take_notices(), Vec::new());
    let want = |wish| {
        move |p: &mut ClientParams<'_>| {
            p.verify = VerifyMode::Require;
            p.ocsp = wish;
        }
    };

    // Two leaves, each with its own proof, chosen by what the client can do.
    for (algs, subject) in [("ECDHE-RSA-AES256-GCM-SHA384", "rsa"), ("ECDHE-ECDSA-AES256-GCM-SHA384", "ec")] {
        let mut cs = setup(&cafile);
        cs.ciphers = Some(algs.to_string());
        cs.options = OpensslOptions::parse("+no_tlsv1_3").unwrap();
        let (c, _, (s, _)) = pair(&ctx, &cs, want(OcspWish::Require));
        let (c, s) = (c.unwrap(), s.unwrap());
        assert_eq!((c.facts().ocsp, s.facts().ocsp), (OcspState::Verified, OcspState::Verified));
        assert_eq!(c.facts().peer_dn.as_ref().unwrap(), format!("/O=Oxim tests/CN={subject}.example.org").as_str());
        assert_eq!(s.facts().our_cert, c.facts().peer_cert);
    }
    let (c, _, (s, _)) = pair(&ctx, &setup(&cafile), want(OcspWish::Require));
    assert_eq!((c.unwrap().facts().ocsp.number(), s.unwrap().facts().ocsp.number()), (4, 4));
    let (c, _, (s, _)) = pair(&ctx, &setup(&cafile), want(OcspWish::No));
    assert_eq!((c.unwrap().facts().ocsp.number(), s.unwrap().facts().ocsp.number()), (0, 0));

    // No proof.
    let plain = context(&server_params(&rsa));
    let (c, n, (s, _)) = pair(&plain, &setup(&cafile), want(OcspWish::Request));
    assert_eq!((c.unwrap().facts().ocsp.number(), s.unwrap().facts().ocsp.number()), (1, 1));
    assert!(n.lines.is_empty());
    let (c, n, _) = pair(&plain, &setup(&cafile), want(OcspWish::Require));
    assert_eq!(c.err().unwrap().error.to_string(), "(SSL_connect) Required TLS certificate status not received");
    assert_eq!(n.lines, ["Required TLS certificate status not received"]);

    // Useless proofs: not served in earnest, refused by a client when served.
    for (status, made, life, log, refusal) in [
        (1, now() - 60, 3600, "Server certificate revoked; reason: superseded", "Server certificate revoked"),
        (0, now() - 7200, 3600, "OCSP dates invalid", "Server certificate status is out-of-date"),
    ] {
        let file = dir.write("bad.der", &proof(&rsa, status, made, life));
        let mut sp = server_params(&rsa);
        sp.ocsp_files = parse_ocsp_files([file.to_str().unwrap()]);
        let strict = context(&sp);
        assert_eq!(strict.take_notices().len(), 1);
        let (c, _, _) = pair(&strict, &setup(&cafile), want(OcspWish::Request));
        assert_eq!(c.unwrap().facts().ocsp.number(), 1);
        sp.ocsp_no_validity_check = true;
        let lax = context(&sp);
        let (c, n, (s, _)) = pair(&lax, &setup(&cafile), want(OcspWish::Require));
        let f = c.err().unwrap();
        assert_eq!(f.error.to_string(), format!("(SSL_connect) {refusal}"));
        assert_eq!(f.facts.ocsp.number(), 3);
        assert_eq!(n.lines, [log]);
        assert!(s.is_err());
        let (c, _, _) = pair(&lax, &setup(&cafile), want(OcspWish::Request));
        assert_eq!(c.unwrap().facts().ocsp.number(), 3);
    }

    // Signed by somebody who has no say in it, though known to the server.
    let evil = super::support::ca("Other CA");
    let forged = response(&rsa.cert, &ca.cert, &evil.cert, &evil.key, 0, now() - 60, 3600);
    let mut sp = server_params(&rsa);
    sp.ocsp_files = parse_ocsp_files([dir.write("evil.der", &forged).to_str().unwrap()]);
    let (c, n, _) = pair(&context(&sp), &setup(&cafile), want(OcspWish::Require));
    assert!(c.is_err());
    assert_eq!(n.lines, ["Received TLS cert status response, itself unverifiable: signer is not authorised"]);

    // A proof for another certificate says nothing of this one.
    let mut sp = server_params(&rsa);
    sp.ocsp_files = parse_ocsp_files([dir.write("x.der", &proof(&ec, 0, now() - 60, 3600)).to_str().unwrap()]);
    let (c, _, _) = pair(&context(&sp), &setup(&cafile), want(OcspWish::Require));
    assert!(c.is_err());
}

#[test]
fn fields() {
    let dir = Dir::new();
    let ca = ca("Test CA");
    let leaf = ca.leaf(&dir, "mx.example.org", ec_key());
    let cert = Cert::from(leaf.cert.clone());
    let get = |f: &str| extract(&cert, f, &|_| 3600).unwrap().map(|v| String::from_utf8(v).unwrap());
    assert_eq!(get("subject").unwrap(), "CN=mx.example.org,O=Oxim tests");
    assert_eq!(get("issuer,O").unwrap(), "Oxim tests");
    assert_eq!(get("subject,OU"), None);
    assert_eq!(get("version").unwrap(), "2");
    assert_eq!(get("sig_algorithm").unwrap(), "ecdsa-with-SHA256");
    assert_eq!(get("subj_altname").unwrap(), "DNS=mx.example.org");
    assert_eq!(get("subj_altname,dns,>;").unwrap(), "mx.example.org");
    assert_eq!(get("subj_altname,mail"), None);
    assert_eq!(get("ocsp_uri"), None);
    assert_eq!(get("crl_uri"), None);
    let t: i64 = get("notafter,int").unwrap().parse().unwrap();
    assert!((t - now() - 86400).abs() < 60);
    assert!(get("notafter,raw").unwrap().ends_with(" GMT"));
    assert!(get("notafter").unwrap().ends_with(" +0100"));
    assert!(get("signature").unwrap().contains(':'));
    assert!(extract(&cert, "bogus", &|_| 0).is_err());
    assert_eq!(Cert::from_pem(&cert.pem().unwrap()).unwrap(), cert);
    let fp = cert.fingerprint(Fingerprint::Sha1).unwrap();
    assert_eq!(fp, fp.to_uppercase());
    assert_eq!(fp.len(), 40);
}
