//! A certificate authority in memory, files in a temporary directory, and a way to run both ends.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::x509::extension::{BasicConstraints, SubjectAlternativeName};
use openssl::x509::{X509, X509Name, X509NameBuilder};

use super::super::*;

pub struct Dir(pub PathBuf);

impl Dir {
    pub fn new() -> Dir {
        static N: AtomicU32 = AtomicU32::new(0);
        let n = N.fetch_add(1, Ordering::Relaxed);
        let p = std::env::temp_dir().join(format!("oxim-tls-{}-{n}", std::process::id()));
        std::fs::create_dir_all(&p).unwrap();
        Dir(p)
    }

    pub fn write(&self, name: &str, data: &[u8]) -> PathBuf {
        let tmp = self.0.join(format!("{name}.new"));
        std::fs::write(&tmp, data).unwrap();
        let p = self.0.join(name);
        std::fs::rename(tmp, &p).unwrap();
        p
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub struct Ca {
    pub cert: X509,
    pub key: PKey<Private>,
}

pub fn ec_key() -> PKey<Private> {
    let g = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    PKey::from_ec_key(EcKey::generate(&g).unwrap()).unwrap()
}

pub fn rsa_key() -> PKey<Private> {
    PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap()
}

fn name(cn: &str) -> X509Name {
    let mut n = X509NameBuilder::new().unwrap();
    n.append_entry_by_text("O", "Oxim tests").unwrap();
    n.append_entry_by_text("CN", cn).unwrap();
    n.build()
}

pub fn now() -> i64 {
    let d = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(d.as_secs()).unwrap()
}

fn cert(cn: &str, key: &PKey<Private>, signer: Option<&Ca>, san: &[&str]) -> X509 {
    let mut b = X509::builder().unwrap();
    b.set_version(2).unwrap();
    let mut serial = BigNum::new().unwrap();
    serial.rand(64, openssl::bn::MsbOption::MAYBE_ZERO, false).unwrap();
    b.set_serial_number(&serial.to_asn1_integer().unwrap()).unwrap();
    b.set_not_before(&Asn1Time::from_unix(now() - 60).unwrap()).unwrap();
    b.set_not_after(&Asn1Time::from_unix(now() + 86400).unwrap()).unwrap();
    b.set_subject_name(&name(cn)).unwrap();
    b.set_pubkey(key).unwrap();
    match signer {
        None => b.append_extension(BasicConstraints::new().critical().ca().build().unwrap()).unwrap(),
        Some(ca) => {
            b.set_issuer_name(ca.cert.subject_name()).unwrap();
            let mut s = SubjectAlternativeName::new();
            for n in san {
                s.dns(n);
            }
            let ext = s.build(&b.x509v3_context(Some(&ca.cert), None)).unwrap();
            b.append_extension(ext).unwrap();
        }
    }
    match signer {
        None => {
            b.set_issuer_name(&name(cn)).unwrap();
            b.sign(key, MessageDigest::sha256()).unwrap();
        }
        Some(ca) => b.sign(&ca.key, MessageDigest::sha256()).unwrap(),
    }
    b.build()
}

pub fn ca(cn: &str) -> Ca {
    let key = ec_key();
    Ca { cert: cert(cn, &key, None, &[]), key }
}

/// A leaf with its key in one PEM file.
pub struct Leaf {
    pub cert: X509,
    pub file: PathBuf,
}

impl Ca {
    pub fn leaf(&self, dir: &Dir, cn: &str, key: PKey<Private>) -> Leaf {
        let cert = cert(cn, &key, Some(self), &[cn]);
        let mut pem = cert.to_pem().unwrap();
        pem.extend(self.cert.to_pem().unwrap());
        pem.extend(key.private_key_to_pem_pkcs8().unwrap());
        Leaf { file: dir.write(&format!("{cn}.pem"), &pem), cert }
    }

    pub fn file(&self, dir: &Dir) -> PathBuf {
        dir.write("ca.pem", &self.cert.to_pem().unwrap())
    }
}

/// Records what the handshake told.
#[derive(Default)]
pub struct Notes {
    pub lines: Vec<String>,
    pub names: Vec<Vec<u8>>,
    pub swap: Option<(String, Arc<ServerContext>)>,
    pub certs: Vec<(u32, Vec<u8>)>,
    pub refuse_depth: Option<u32>,
    pub watch: bool,
}

impl HandshakeHooks for Notes {
    fn log(&mut self, line: &str) {
        self.lines.push(line.to_string());
    }
    fn server_name(&mut self, name: &[u8]) -> SniAnswer {
        self.names.push(name.to_vec());
        match &self.swap {
            Some((n, ctx)) if n.as_bytes() == name => SniAnswer::Use(Arc::clone(ctx)),
            _ => SniAnswer::Keep,
        }
    }
    fn wants_certificates(&self) -> bool {
        self.watch
    }
    fn certificate(&mut self, depth: u32, cert: &Cert) -> Option<String> {
        self.certs.push((depth, cert.subject_oneline()));
        (self.refuse_depth == Some(depth)).then(|| "no thanks".to_string())
    }
}

pub const LIMIT: Option<Duration> = Some(Duration::from_secs(10));

pub type Served = (Result<TlsStream, ServerFailure>, Notes);

/// Start the server's handshake in a thread; gives the client's end.
pub fn serve(ctx: Arc<ServerContext>, mut notes: Notes) -> (OwnedFd, JoinHandle<Served>) {
    let (a, b) = UnixStream::pair().unwrap();
    let t = std::thread::spawn(move || {
        let options = AcceptOptions { peer_address: "10.0.0.1".into(), timeout: LIMIT, early_banner: None, hooks: &mut notes };
        let r = accept(a.into(), &ctx, options);
        (r, notes)
    });
    (b.into(), t)
}

pub fn context(p: &ServerParams) -> Arc<ServerContext> {
    Arc::new(ServerContext::build(p, Some(Arc::new(TicketKeys::new(p.session_lifetime).unwrap()))).unwrap())
}

pub fn server_params(leaf: &Leaf) -> ServerParams {
    ServerParams { certificates: vec![leaf.file.clone()], ..ServerParams::default() }
}

pub fn setup(ca: &Path) -> ClientSetup {
    ClientSetup { verify_certificates: CertSource::Path(ca.to_path_buf()), ..ClientSetup::default() }
}

/// Both ends with one more word for the client's parameters.
pub fn pair(
    server: &Arc<ServerContext>,
    setup: &ClientSetup,
    adjust: impl FnOnce(&mut ClientParams<'_>),
) -> (Result<TlsStream, ClientFailure>, Notes, Served) {
    pair_with(server, Notes::default(), setup, Notes::default(), adjust)
}

pub fn pair_with(
    server: &Arc<ServerContext>,
    server_notes: Notes,
    setup: &ClientSetup,
    mut notes: Notes,
    adjust: impl FnOnce(&mut ClientParams<'_>),
) -> (Result<TlsStream, ClientFailure>, Notes, Served) {
    let (fd, t) = serve(Arc::clone(server), server_notes);
    let ctx = ClientContext::build(setup).unwrap();
    let mut params = ClientParams::new("10.0.0.2", &mut notes);
    params.timeout = LIMIT;
    adjust(&mut params);
    let r = connect(fd, &ctx, params);
    (r, notes, t.join().unwrap())
}
