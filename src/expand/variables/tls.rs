//! `$tls_in_...`, `$tls_out_...`, and their old names, which mean the outgoing connection while there is one.

use super::{CertSlot, Kind, VarDef, bit, num, own, v, yes_no};
use crate::context::{Context, TlsFacts};

fn current(c: &Context) -> &TlsFacts {
    if c.session.tls_out.cipher.is_some() { &c.session.tls_out } else { &c.session.tls_in }
}

const fn cert(name: &'static str, slot: CertSlot) -> VarDef {
    VarDef { name, kind: Kind::Certificate(slot) }
}

/// This group.
pub static VARIABLES: &[VarDef] = &[
    v("tls_bits", |c| num(current(c).bits)),
    v("tls_certificate_verified", |c| bit(current(c).certificate_verified)),
    v("tls_cipher", |c| current(c).cipher.as_ref().and_then(own)),
    v("tls_in_bits", |c| num(c.session.tls_in.bits)),
    v("tls_in_certificate_verified", |c| bit(c.session.tls_in.certificate_verified)),
    v("tls_in_cipher", |c| c.session.tls_in.cipher.as_ref().and_then(own)),
    v("tls_in_cipher_std", |c| c.session.tls_in.cipher_std.as_ref().and_then(own)),
    v("tls_in_ocsp", |c| num(c.session.tls_in.ocsp)),
    cert("tls_in_ourcert", CertSlot::InOurs),
    cert("tls_in_peercert", CertSlot::InPeer),
    v("tls_in_peerdn", |c| c.session.tls_in.peerdn.clone()),
    v("tls_in_resumption", |c| num(c.session.tls_in.resumption)),
    v("tls_in_sni", |c| c.session.tls_in.sni.clone()),
    v("tls_in_ver", |c| c.session.tls_in.version.as_ref().and_then(own)),
    v("tls_out_bits", |c| num(c.session.tls_out.bits)),
    v("tls_out_certificate_verified", |c| bit(c.session.tls_out.certificate_verified)),
    v("tls_out_cipher", |c| c.session.tls_out.cipher.as_ref().and_then(own)),
    v("tls_out_cipher_std", |c| c.session.tls_out.cipher_std.as_ref().and_then(own)),
    v("tls_out_dane", |c| yes_no(c.session.tls_out.dane_verified)),
    v("tls_out_ocsp", |c| num(c.session.tls_out.ocsp)),
    cert("tls_out_ourcert", CertSlot::OutOurs),
    cert("tls_out_peercert", CertSlot::OutPeer),
    v("tls_out_peerdn", |c| c.session.tls_out.peerdn.clone()),
    v("tls_out_resumption", |c| num(c.session.tls_out.resumption)),
    v("tls_out_sni", |c| c.session.tls_out.sni.clone()),
    v("tls_out_tlsa_usage", |c| num(c.session.tls_out.tlsa_usage)),
    v("tls_out_ver", |c| c.session.tls_out.version.as_ref().and_then(own)),
    v("tls_peerdn", |c| current(c).peerdn.clone()),
    v("tls_sni", |c| current(c).sni.clone()),
];
