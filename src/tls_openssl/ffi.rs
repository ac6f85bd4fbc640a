//! The one file of this room with `unsafe`: OpenSSL calls that the `openssl` crate lacks (DANE,
//! ticket keys, session facts, OCSP walking, names as text), and the slot that lends the caller's
//! hooks to callbacks. Everything exported is safe to call; nothing here takes a decision.

use std::any::Any;
use std::ffi::CString;
use std::os::raw::{c_char, c_int, c_long, c_uchar, c_ulong, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::ThreadId;

use foreign_types::{ForeignType, ForeignTypeRef};
use openssl::dh::Dh;
use openssl::error::ErrorStack;
use openssl::ocsp::OcspBasicResponseRef;
use openssl::pkey::Params;
use openssl::ssl::{SslContextBuilder, SslRef, SslSessionRef};
use openssl::stack::StackRef;
use openssl::x509::{X509, X509NameRef, X509Ref, X509VerifyResult};
use openssl_sys as sys;

use super::hooks::HandshakeHooks;
use super::tickets::{TicketKey, TicketUse};

unsafe extern "C" {
    fn SSL_CTX_dane_enable(ctx: *mut sys::SSL_CTX) -> c_int;
    fn SSL_CTX_dane_set_flags(ctx: *mut sys::SSL_CTX, flags: c_ulong) -> c_ulong;
    fn SSL_dane_enable(ssl: *mut sys::SSL, basedomain: *const c_char) -> c_int;
    fn SSL_dane_tlsa_add(ssl: *mut sys::SSL, usage: u8, selector: u8, mtype: u8, data: *const c_uchar, dlen: usize) -> c_int;
    fn SSL_get0_dane_authority(ssl: *mut sys::SSL, mcert: *mut *mut sys::X509, mspki: *mut *mut sys::EVP_PKEY) -> c_int;
    fn SSL_add1_host(ssl: *mut sys::SSL, name: *const c_char) -> c_int;
    fn SSL_CTX_set_timeout(ctx: *mut sys::SSL_CTX, secs: c_long) -> c_long;
    fn SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx: *mut sys::SSL_CTX, cb: Option<TicketCallback>) -> c_int;
    fn SSL_SESSION_is_resumable(s: *const sys::SSL_SESSION) -> c_int;
    fn SSL_SESSION_has_ticket(s: *const sys::SSL_SESSION) -> c_int;
    fn SSL_SESSION_get_ticket_lifetime_hint(s: *const sys::SSL_SESSION) -> c_ulong;
    fn X509_NAME_oneline(name: *const sys::X509_NAME, buf: *mut c_char, size: c_int) -> *mut c_char;
    fn X509_NAME_print_ex(out: *mut sys::BIO, name: *const sys::X509_NAME, indent: c_int, flags: c_ulong) -> c_int;
    fn DH_new_by_nid(nid: c_int) -> *mut sys::DH;
    fn OCSP_resp_get0_signer(bs: *mut sys::OCSP_BASICRESP, signer: *mut *mut sys::X509, extra: *mut sys::stack_st_X509) -> c_int;
    fn OCSP_resp_count(bs: *mut sys::OCSP_BASICRESP) -> c_int;
    fn OCSP_resp_get0(bs: *mut sys::OCSP_BASICRESP, idx: c_int) -> *mut c_void;
    fn OCSP_single_get0_status(
        single: *mut c_void,
        reason: *mut c_int,
        revtime: *mut *mut sys::ASN1_GENERALIZEDTIME,
        thisupd: *mut *mut sys::ASN1_GENERALIZEDTIME,
        nextupd: *mut *mut sys::ASN1_GENERALIZEDTIME,
    ) -> c_int;
}

/// DANE_FLAG_NO_DANE_EE_NAMECHECKS (RFC 7672 section 3.1.1: no name check for usage 3).
const DANE_FLAG_NO_DANE_EE_NAMECHECKS: c_ulong = 1;
/// XN_FLAG_RFC2253: ASN1_STRFLGS_RFC2253 | SEP_COMMA_PLUS | DN_REV | FN_SN | DUMP_UNKNOWN_FIELDS.
const XN_FLAG_RFC2253: c_ulong = 0x0111_0317;

fn lock<T>(m: &Mutex<T>) -> MutexGuard<'_, T> {
    m.lock().unwrap_or_else(PoisonError::into_inner)
}

// ---------------------------------------------------------------- DANE

/// Make a client context able to verify by TLSA records.
pub(super) fn ctx_dane_enable(ctx: &mut SslContextBuilder) -> Result<(), ErrorStack> {
    // SAFETY: the builder owns a valid SSL_CTX for the length of the calls.
    unsafe {
        if SSL_CTX_dane_enable(ctx.as_ptr()) <= 0 {
            return Err(ErrorStack::get());
        }
        SSL_CTX_dane_set_flags(ctx.as_ptr(), DANE_FLAG_NO_DANE_EE_NAMECHECKS);
    }
    Ok(())
}

/// Switch DANE on for one connection to `host` (also sets SNI and the name to check).
pub(super) fn dane_enable(ssl: &mut SslRef, host: &str) -> Result<(), ErrorStack> {
    let Ok(name) = CString::new(host) else {
        return Err(ErrorStack::get());
    };
    // SAFETY: `ssl` is valid and `name` is NUL-terminated; OpenSSL copies the name.
    if unsafe { SSL_dane_enable(ssl.as_ptr(), name.as_ptr()) } <= 0 {
        return Err(ErrorStack::get());
    }
    Ok(())
}

/// Add one TLSA record. `Ok(false)`: well-formed but not usable (unknown digest, ...).
pub(super) fn dane_tlsa_add(ssl: &mut SslRef, usage: u8, selector: u8, matching: u8, data: &[u8]) -> Result<bool, ErrorStack> {
    // SAFETY: `data` is valid for its length; OpenSSL copies it.
    let rc = unsafe { SSL_dane_tlsa_add(ssl.as_ptr(), usage, selector, matching, data.as_ptr(), data.len()) };
    match rc {
        0 => {
            let _ = ErrorStack::get();
            Ok(false)
        }
        n if n > 0 => Ok(true),
        _ => Err(ErrorStack::get()),
    }
}

/// Depth of the certificate that a TLSA record matched, when the chain was verified by DANE.
pub(super) fn dane_authority_depth(ssl: &SslRef) -> Option<u32> {
    // SAFETY: null out-pointers are allowed; nothing is changed in `ssl`.
    let depth = unsafe { SSL_get0_dane_authority(ssl.as_ptr(), ptr::null_mut(), ptr::null_mut()) };
    u32::try_from(depth).ok()
}

/// A further name that the certificate may carry (DANE-TA with a CNAME).
pub(super) fn add_host(ssl: &mut SslRef, host: &str) -> Result<(), ErrorStack> {
    let Ok(name) = CString::new(host) else {
        return Err(ErrorStack::get());
    };
    // SAFETY: as for dane_enable.
    if unsafe { SSL_add1_host(ssl.as_ptr(), name.as_ptr()) } <= 0 {
        return Err(ErrorStack::get());
    }
    Ok(())
}

// ---------------------------------------------------------------- sessions and tickets

/// Offer a saved session.
pub(super) fn set_session(ssl: &mut SslRef, session: &SslSessionRef) -> Result<(), ErrorStack> {
    // SAFETY: the session was parsed from DER and belongs to no context's cache; the client
    // contexts of this room keep no internal cache, so no other context can hold it either.
    unsafe { ssl.set_session(session) }
}

/// The master secret is bound to this handshake (RFC 7627).
pub(super) fn extended_master_secret(ssl: &SslRef) -> bool {
    const SSL_CTRL_GET_EXTMS_SUPPORT: c_int = 122;
    // SAFETY: the call reads a flag of a valid SSL object; the other arguments are not used.
    unsafe { sys::SSL_ctrl(ssl.as_ptr(), SSL_CTRL_GET_EXTMS_SUPPORT, 0, ptr::null_mut()) == 1 }
}

/// Lifetime in seconds of sessions and tickets that this context makes.
pub(super) fn ctx_set_timeout(ctx: &mut SslContextBuilder, secs: u64) {
    let secs = c_long::try_from(secs).unwrap_or(c_long::MAX);
    // SAFETY: the builder owns a valid SSL_CTX.
    unsafe {
        SSL_CTX_set_timeout(ctx.as_ptr(), secs);
    }
}

/// True when the session could be taken up again (by ticket or id).
pub(super) fn session_resumable(session: &SslSessionRef) -> bool {
    // SAFETY: reads two fields of a valid session.
    unsafe { SSL_SESSION_is_resumable(session.as_ptr()) == 1 }
}

/// True when the server gave a ticket with this session.
pub(super) fn session_has_ticket(session: &SslSessionRef) -> bool {
    // SAFETY: reads one field of a valid session.
    unsafe { SSL_SESSION_has_ticket(session.as_ptr()) == 1 }
}

/// Seconds that the server promised to honour the ticket; 0 when it did not say.
pub(super) fn ticket_lifetime_hint(session: &SslSessionRef) -> u64 {
    // SAFETY: reads one field of a valid session.
    unsafe { SSL_SESSION_get_ticket_lifetime_hint(session.as_ptr()) as u64 }
}

type TicketCallback = unsafe extern "C" fn(
    ssl: *mut sys::SSL,
    key_name: *mut c_uchar,
    iv: *mut c_uchar,
    cipher: *mut sys::EVP_CIPHER_CTX,
    mac: *mut sys::EVP_MAC_CTX,
    encrypt: c_int,
) -> c_int;

/// Install the ticket-key callback; keys come from the connection's state.
pub(super) fn ctx_set_ticket_keys(ctx: &mut SslContextBuilder) -> Result<(), ErrorStack> {
    // SAFETY: the callback has the C signature that OpenSSL documents.
    if unsafe { SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx.as_ptr(), Some(ticket_callback)) } <= 0 {
        return Err(ErrorStack::get());
    }
    Ok(())
}

unsafe extern "C" fn ticket_callback(
    ssl: *mut sys::SSL,
    key_name: *mut c_uchar,
    iv: *mut c_uchar,
    cipher: *mut sys::EVP_CIPHER_CTX,
    mac: *mut sys::EVP_MAC_CTX,
    encrypt: c_int,
) -> c_int {
    // SAFETY: OpenSSL gives a valid SSL, 16 bytes of key name, EVP_MAX_IV_LENGTH (16) bytes of iv
    // and two live contexts, for the length of this call only. No unwinding leaves this frame.
    let r = catch_unwind(AssertUnwindSafe(|| unsafe {
        let ssl = SslRef::from_ptr(ssl);
        let name = &mut *key_name.cast::<[u8; 16]>();
        let iv = &mut *iv.cast::<[u8; 16]>();
        if encrypt == 1 {
            let Some(key) = super::connection::ticket_key_for_new(ssl) else {
                return -1;
            };
            if openssl::rand::rand_bytes(iv).is_err() {
                return -1;
            }
            *name = key.name;
            if ticket_init(&key, iv, cipher, mac, true) { 1 } else { -1 }
        } else {
            match super::connection::ticket_key_by_name(ssl, name) {
                None => 0,
                Some((key, how)) => {
                    if !ticket_init(&key, iv, cipher, mac, false) {
                        return -1;
                    }
                    match how {
                        TicketUse::Current => 1,
                        TicketUse::Renew => 2,
                    }
                }
            }
        }
    }));
    r.unwrap_or(-1)
}

/// Load cipher and MAC with a ticket key.
///
/// # Safety
/// `cipher` and `mac` are live contexts given by OpenSSL to the ticket callback.
unsafe fn ticket_init(
    key: &TicketKey,
    iv: &[u8; 16],
    cipher: *mut sys::EVP_CIPHER_CTX,
    mac: *mut sys::EVP_MAC_CTX,
    encrypt: bool,
) -> bool {
    // SAFETY: keys and iv have the lengths of AES-256-CBC; the parameter array ends with
    // OSSL_PARAM_construct_end and outlives the call, which copies its values.
    unsafe {
        let ok = if encrypt {
            sys::EVP_EncryptInit_ex(cipher, sys::EVP_aes_256_cbc(), ptr::null_mut(), key.cipher.as_ptr(), iv.as_ptr())
        } else {
            sys::EVP_DecryptInit_ex(cipher, sys::EVP_aes_256_cbc(), ptr::null_mut(), key.cipher.as_ptr(), iv.as_ptr())
        };
        if ok != 1 {
            return false;
        }
        let mut mac_key = key.mac;
        let mut digest = *b"SHA256\0";
        let params = [
            sys::OSSL_PARAM_construct_octet_string(c"key".as_ptr(), mac_key.as_mut_ptr().cast(), mac_key.len()),
            OSSL_PARAM_construct_utf8_string(c"digest".as_ptr(), digest.as_mut_ptr().cast(), 0),
            sys::OSSL_PARAM_construct_end(),
        ];
        sys::EVP_MAC_CTX_set_params(mac, params.as_ptr()) == 1
    }
}

unsafe extern "C" {
    fn OSSL_PARAM_construct_utf8_string(key: *const c_char, buf: *mut c_char, bsize: usize) -> sys::OSSL_PARAM;
}

// ---------------------------------------------------------------- names

/// A name as `/C=UK/O=..../CN=...`, at most 255 bytes, as peer DNs are logged.
pub(super) fn name_oneline(name: &X509NameRef) -> Vec<u8> {
    let mut buf = [0u8; 256];
    // SAFETY: OpenSSL writes at most the size given, with a final NUL.
    unsafe {
        X509_NAME_oneline(name.as_ptr(), buf.as_mut_ptr().cast(), buf.len() as c_int);
    }
    let _ = ErrorStack::get();
    buf.iter().copied().take_while(|b| *b != 0).collect()
}

/// A name in the form of RFC 2253/4514.
pub(super) fn name_rfc2253(name: &X509NameRef) -> Vec<u8> {
    // SAFETY: the memory BIO lives until BIO_free_all; BIO_read writes at most the size given.
    unsafe {
        let bio = sys::BIO_new(sys::BIO_s_mem());
        if bio.is_null() {
            return Vec::new();
        }
        let mut out = Vec::new();
        if X509_NAME_print_ex(bio, name.as_ptr(), 0, XN_FLAG_RFC2253) >= 0 {
            let mut buf = [0u8; 512];
            loop {
                let n = sys::BIO_read(bio, buf.as_mut_ptr().cast(), buf.len() as c_int);
                let Ok(n) = usize::try_from(n) else { break };
                if n == 0 {
                    break;
                }
                out.extend_from_slice(&buf[..n.min(buf.len())]);
            }
        }
        sys::BIO_free_all(bio);
        let _ = ErrorStack::get();
        out
    }
}

/// Does the certificate carry this host name? A wildcard may stand for the whole first label only.
pub(super) fn check_host(cert: &X509Ref, host: &str) -> bool {
    // SAFETY: the name is given with its length; no out-pointer is wanted.
    unsafe {
        sys::X509_check_host(
            cert.as_ptr(),
            host.as_ptr().cast(),
            host.len(),
            sys::X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | sys::X509_CHECK_FLAG_SINGLE_LABEL_SUBDOMAINS,
            ptr::null_mut(),
        ) == 1
    }
}

/// The verification result "hostname mismatch".
pub(super) fn hostname_mismatch() -> X509VerifyResult {
    // SAFETY: 62 is X509_V_ERR_HOSTNAME_MISMATCH, a known code.
    unsafe { X509VerifyResult::from_raw(sys::X509_V_ERR_HOSTNAME_MISMATCH) }
}

/// The verification result "application verification failure".
pub(super) fn application_verification() -> X509VerifyResult {
    // SAFETY: X509_V_ERR_APPLICATION_VERIFICATION is a known code.
    unsafe { X509VerifyResult::from_raw(sys::X509_V_ERR_APPLICATION_VERIFICATION) }
}

// ---------------------------------------------------------------- DH groups

/// A named group of RFC 7919 by OpenSSL's number.
pub(super) fn dh_by_nid(nid: c_int) -> Option<Dh<Params>> {
    // SAFETY: a non-null result is a new DH owned by us.
    unsafe {
        let dh = DH_new_by_nid(nid);
        if dh.is_null() { None } else { Some(Dh::from_ptr(dh)) }
    }
}

// ---------------------------------------------------------------- OCSP

/// One single response of an OCSP answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OcspSingle {
    /// 0 good, 1 revoked, 2 unknown.
    pub status: i32,
    /// CRL reason code, -1 when absent.
    pub reason: i32,
    /// There is a nextUpdate.
    pub has_next_update: bool,
    /// thisUpdate/nextUpdate enclose the present, with the skew given.
    pub in_time: bool,
}

/// All single responses, in order. `skew`: seconds of clock difference allowed.
pub(super) fn ocsp_singles(basic: &OcspBasicResponseRef, skew: u32) -> Vec<OcspSingle> {
    let mut out = Vec::new();
    // SAFETY: the single responses and times belong to `basic`, which outlives their use here.
    unsafe {
        let count = OCSP_resp_count(basic.as_ptr()).clamp(0, 1000);
        for i in 0..count {
            let single = OCSP_resp_get0(basic.as_ptr(), i);
            if single.is_null() {
                break;
            }
            let mut reason: c_int = -1;
            let (mut rev, mut this, mut next) = (ptr::null_mut(), ptr::null_mut(), ptr::null_mut());
            let status = OCSP_single_get0_status(single, &mut reason, &mut rev, &mut this, &mut next);
            let in_time = !this.is_null() && sys::OCSP_check_validity(this, next, skew as c_long, -1) == 1;
            let _ = ErrorStack::get();
            out.push(OcspSingle { status, reason, has_next_update: !next.is_null(), in_time });
        }
    }
    out
}

/// The certificate of who signed a response, from the response itself or from `extra`.
pub(super) fn ocsp_signer(basic: &OcspBasicResponseRef, extra: &StackRef<X509>) -> Result<X509, ErrorStack> {
    let mut signer: *mut sys::X509 = ptr::null_mut();
    // SAFETY: on success `signer` points to a certificate owned by `basic` or `extra`, both alive;
    // to_owned takes a reference of our own.
    unsafe {
        if OCSP_resp_get0_signer(basic.as_ptr(), &mut signer, extra.as_ptr()) != 1 || signer.is_null() {
            return Err(ErrorStack::get());
        }
        Ok(X509Ref::from_ptr(signer).to_owned())
    }
}

/// Remember a certificate that lives only during a callback.
pub(super) fn own_cert(cert: &X509Ref) -> X509 {
    cert.to_owned()
}

// ---------------------------------------------------------------- hooks

/// Where a connection's callbacks find the caller's hooks while a handshake runs.
///
/// The hooks are borrowed by the handshake call only; the slot hands them out in that time, to that
/// thread, once at a time.
#[derive(Default)]
pub(super) struct HookSlot {
    lent: Mutex<Option<Lent>>,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

struct Lent {
    thread: ThreadId,
    hooks: *mut (dyn HandshakeHooks + 'static),
}

// SAFETY: the pointer is only used by the thread that lent it (checked in `with`).
unsafe impl Send for Lent {}

impl HookSlot {
    /// Lend `hooks` to callbacks while `f` runs. A panic in a hook is carried on from here, past
    /// OpenSSL's frames.
    pub fn lend<R>(&self, hooks: &mut (dyn HandshakeHooks + '_), f: impl FnOnce() -> R) -> R {
        struct TakeBack<'a>(&'a HookSlot);
        impl Drop for TakeBack<'_> {
            fn drop(&mut self) {
                *lock(&self.0.lent) = None;
            }
        }
        let raw: *mut (dyn HandshakeHooks + '_) = hooks;
        // SAFETY: only the lifetime is erased; the pointer leaves the slot before `hooks`'s borrow
        // ends, in TakeBack's drop.
        let raw: *mut (dyn HandshakeHooks + 'static) = unsafe { std::mem::transmute(raw) };
        *lock(&self.lent) = Some(Lent { thread: std::thread::current().id(), hooks: raw });
        let r = {
            let _back = TakeBack(self);
            f()
        };
        if let Some(p) = lock(&self.panic).take() {
            resume_unwind(p);
        }
        r
    }

    /// Call a hook, when some are lent by this thread and none is running.
    pub fn with<R>(&self, f: impl FnOnce(&mut dyn HandshakeHooks) -> R) -> Option<R> {
        let lent = {
            let mut slot = lock(&self.lent);
            if slot.as_ref().is_some_and(|l| l.thread == std::thread::current().id()) { slot.take() } else { None }
        }?;
        // SAFETY: `lend` on this very thread is still running below us, so the borrow is alive; the
        // slot is empty meanwhile, so there is no second reference.
        let r = catch_unwind(AssertUnwindSafe(|| f(unsafe { &mut *lent.hooks })));
        *lock(&self.lent) = Some(lent);
        match r {
            Ok(v) => Some(v),
            Err(p) => {
                *lock(&self.panic) = Some(p);
                None
            }
        }
    }

    /// True when a hook panicked: the handshake must fail.
    pub fn panicked(&self) -> bool {
        lock(&self.panic).is_some()
    }
}

/// Making OCSP responses, for tests only.
#[cfg(test)]
pub(super) mod testing {
    use super::*;
    use openssl::hash::MessageDigest;
    use openssl::ocsp::{OcspBasicResponse, OcspCertId, OcspResponse, OcspResponseStatus};
    use openssl::pkey::{PKeyRef, Private};

    unsafe extern "C" {
        fn OCSP_BASICRESP_new() -> *mut sys::OCSP_BASICRESP;
        fn OCSP_basic_add1_status(
            bs: *mut sys::OCSP_BASICRESP,
            cid: *mut sys::OCSP_CERTID,
            status: c_int,
            reason: c_int,
            rev: *mut sys::ASN1_TIME,
            this: *mut sys::ASN1_TIME,
            next: *mut sys::ASN1_TIME,
        ) -> *mut c_void;
        fn OCSP_basic_sign(
            bs: *mut sys::OCSP_BASICRESP,
            signer: *mut sys::X509,
            key: *mut sys::EVP_PKEY,
            md: *const sys::EVP_MD,
            certs: *mut c_void,
            flags: c_ulong,
        ) -> c_int;
    }

    /// A response of one single, in DER. `status`: 0 good, 1 revoked (superseded). `life`: seconds.
    #[allow(clippy::too_many_arguments)]
    pub fn response(
        leaf: &X509Ref,
        issuer: &X509Ref,
        signer: &X509Ref,
        key: &PKeyRef<Private>,
        status: c_int,
        made: i64,
        life: i64,
    ) -> Vec<u8> {
        use openssl::asn1::Asn1Time;
        let t = |s| Asn1Time::from_unix(s).unwrap();
        let (this, next, rev) = (t(made), t(made + life), t(made));
        let id = OcspCertId::from_cert(MessageDigest::sha1(), leaf, issuer).unwrap();
        // SAFETY: all objects are valid and outlive the calls, which copy what they need.
        let basic = unsafe {
            let bs = OCSP_BASICRESP_new();
            let rev = if status == 1 { rev.as_ptr() } else { ptr::null_mut() };
            assert!(!OCSP_basic_add1_status(bs, id.as_ptr(), status, 4, rev, this.as_ptr(), next.as_ptr()).is_null());
            let md = MessageDigest::sha256().as_ptr();
            assert_eq!(OCSP_basic_sign(bs, signer.as_ptr(), key.as_ptr(), md, ptr::null_mut(), 0), 1);
            OcspBasicResponse::from_ptr(bs)
        };
        OcspResponse::create(OcspResponseStatus::SUCCESSFUL, Some(&basic)).unwrap().to_der().unwrap()
    }
}
