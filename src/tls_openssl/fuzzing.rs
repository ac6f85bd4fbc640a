//! What the fuzz targets call: proofs, TLSA records and texts that come from outside. OpenSSL itself is not instrumented; what
//! is looked for are faults of ours around it, and values that it must never be given.

use std::sync::OnceLock;

use openssl::ssl::{Ssl, SslContextBuilder, SslMethod};
use openssl::x509::X509;

use super::params::{DaneParams, TlsaRecord};
use super::{OpensslOptions, alpn, certfield, client, ffi, load, ocsp, ocsp_client, parse_ocsp_files, selfsigned};

fn certificate() -> Option<&'static X509> {
    static MADE: OnceLock<Option<X509>> = OnceLock::new();
    let make = || selfsigned::make("host.ex", std::time::Duration::from_secs(86400)).ok();
    MADE.get_or_init(|| make().map(|(cert, _)| cert)).as_ref()
}

fn context() -> Option<SslContextBuilder> {
    SslContextBuilder::new(SslMethod::tls_client()).ok()
}

/// A stapled proof, as the client judges it and as the server looks at its own.
pub fn ocsp_proof(data: &[u8]) {
    let Some(cert) = certificate() else { return };
    let chain = [cert.clone(), cert.clone()];
    ocsp::look_at(data, &chain[..1]);
    if let Ok((basic, _)) = ocsp::parse(data) {
        for any_time in [false, true] {
            let _ = ocsp_client::inspect(&chain, &basic, any_time);
        }
    }
}

/// TLSA records: usage, selector, matching type, length, data.
pub fn tlsa_records(data: &[u8]) {
    let mut records = Vec::new();
    let mut rest = data;
    while let Some(([usage, selector, matching, length], tail)) = rest.split_first_chunk::<4>() {
        let (data, tail) = tail.split_at(tail.len().min((*length).into()));
        records.push(TlsaRecord { usage: *usage, selector: *selector, matching: *matching, data: data.to_vec() });
        rest = tail;
    }
    let Some(mut ctx) = context() else { return };
    let usable = |r: &TlsaRecord| matches!(r.usage, 2 | 3) && r.selector < 2 && r.matching < 3;
    let any = records.iter().any(usable);
    if ffi::ctx_dane_enable(&mut ctx).is_err() {
        return;
    }
    let Ok(mut ssl) = Ssl::new(&ctx.build()) else { return };
    let dane = DaneParams { host: "host.ex".into(), extra_names: Vec::new(), records };
    if let Ok(usages) = client::enable_dane(&mut ssl, &dane) {
        assert!(any && usages & !0b1100 == 0 && usages != 0);
    }
}

/// Options and names; what stands before the first newline says for which.
pub fn tls_text(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        // What a client offers, in its own form.
        let names = alpn::names(data);
        assert!(names.iter().map(|n| n.len() + 1).sum::<usize>() <= data.len());
        return;
    };
    let Some((kind, value)) = text.split_once('\n') else { return };
    let list = || value.split(':').map(str::to_string).collect::<Vec<String>>();
    let Some(mut ctx) = context() else { return };
    match kind {
        "options" => {
            if let Ok(o) = OpensslOptions::parse(value) {
                assert_eq!(o.set & o.clear, 0);
                load::options(&mut ctx, o);
            }
        }
        "ciphers" => drop(load::ciphers(&mut ctx, value)),
        "groups" => drop(load::groups(&mut ctx, &list())),
        "alpn" => {
            if let Some(wire) = alpn::wire(&list()) {
                assert_eq!(alpn::names(&wire), list().iter().map(String::as_bytes).collect::<Vec<_>>());
                let _ = ctx.set_alpn_protos(&wire);
            }
        }
        "proofs" => drop(parse_ocsp_files(value.split(':'))),
        "field" => {
            if let Some(c) = certificate() {
                let _ = certfield::extract(&super::Cert::from(c.clone()), value, &|_| 0);
            }
        }
        _ => {}
    }
}
