//! TLS for the scripted client and server.

use std::net::TcpStream;

use openssl::error::ErrorStack;
use openssl::ocsp::{OcspFlag, OcspResponse, OcspResponseStatus};
use openssl::ssl::{
    Error, ErrorCode, HandshakeError, Ssl, SslContext, SslContextBuilder, SslFiletype, SslMethod, SslOptions, SslRef, SslStream,
    SslVerifyMode, StatusType,
};
use openssl::stack::Stack;
use openssl::x509::X509;
use openssl::x509::store::X509StoreBuilder;

/// What of a context could not be made.
pub enum Unusable {
    Key(ErrorStack),
    Certificate(ErrorStack),
    Context(ErrorStack),
}

fn load(context: &mut SslContextBuilder, certificate: Option<&str>, key: Option<&str>) -> Result<(), Unusable> {
    if let Some(file) = certificate {
        // The client of the reference's suite sends the first certificate of the file only: logs of tests with
        // unknown issuers show it.
        context.set_certificate_file(file, SslFiletype::PEM).map_err(Unusable::Certificate)?;
    }
    if let Some(file) = key {
        context.set_private_key_file(file, SslFiletype::PEM).map_err(Unusable::Key)?;
    }
    Ok(())
}

pub fn client_context(certificate: Option<&str>, key: Option<&str>, ocsp: Option<&str>) -> Result<SslContext, Unusable> {
    let mut context = SslContextBuilder::new(SslMethod::tls_client()).map_err(Unusable::Context)?;
    context.set_verify(SslVerifyMode::NONE);
    load(&mut context, certificate, key)?;
    if let Some(file) = ocsp {
        let file = file.to_string();
        context.set_status_callback(move |ssl| Ok(check_status(ssl, &file))).map_err(Unusable::Context)?;
    }
    Ok(context.build())
}

pub fn server_context(certificate: &str, key: &str) -> Result<SslContext, Unusable> {
    let mut context = SslContextBuilder::new(SslMethod::tls_server()).map_err(Unusable::Context)?;
    context.set_options(SslOptions::NO_TICKET);
    load(&mut context, Some(certificate), Some(key))?;
    Ok(context.build())
}

pub fn connect(context: &SslContext, socket: TcpStream, ocsp: bool) -> Result<SslStream<TcpStream>, Vec<String>> {
    let mut ssl = Ssl::new(context).map_err(|e| long_errors(&e))?;
    if ocsp {
        ssl.set_status_type(StatusType::OCSP).map_err(|e| long_errors(&e))?;
    }
    ssl.connect(socket).map_err(handshake_errors)
}

pub fn accept(context: &SslContext, socket: TcpStream) -> Result<SslStream<TcpStream>, Vec<String>> {
    let ssl = Ssl::new(context).map_err(|e| long_errors(&e))?;
    ssl.accept(socket).map_err(handshake_errors)
}

fn handshake_errors(error: HandshakeError<TcpStream>) -> Vec<String> {
    match error {
        HandshakeError::SetupFailure(stack) => long_errors(&stack),
        HandshakeError::Failure(stream) | HandshakeError::WouldBlock(stream) => {
            stream.error().ssl_error().map_or(Vec::new(), long_errors)
        }
    }
}

/// The peer closed the connection: not an error of the TLS library.
fn is_end(error: &openssl::error::Error) -> bool {
    error.reason().is_some_and(|reason| reason == "unexpected eof while reading")
}

/// The library's errors as its own programs print them.
fn long_errors(stack: &ErrorStack) -> Vec<String> {
    let line = |e: &openssl::error::Error| {
        let (library, reason) = (e.library().unwrap_or(""), e.reason().unwrap_or(""));
        let (file, data) = (e.file(), e.data().unwrap_or(""));
        let (code, line) = (e.code(), e.line());
        format!("0000:error:{code:08X}:{library}:ssl3_read_bytes:{reason}:{file}:{line}:{data}")
    };
    stack.errors().iter().filter(|e| !is_end(e)).map(line).collect()
}

/// The errors of a failed read, without places and data.
pub fn short_errors(error: &Error) -> Vec<String> {
    if error.code() != ErrorCode::SSL {
        return Vec::new();
    }
    let line = |e: &openssl::error::Error| {
        let (library, reason) = (e.library().unwrap_or(""), e.reason().unwrap_or(""));
        format!("error:{:08X}:{library}::{reason}", e.code())
    };
    let errors = error.ssl_error().map_or(&[][..], |stack| stack.errors());
    errors.iter().filter(|e| !is_end(e)).map(line).collect()
}

/// Say what the stapled response is worth, and whether the handshake may go on.
fn check_status(ssl: &mut SslRef, file: &str) -> bool {
    let Some(response) = ssl.ocsp_status() else {
        println!("no OCSP response received");
        return true;
    };
    match verify_status(response, file, ssl) {
        Ok(true) => {
            println!("OCSP status response: good signature");
            true
        }
        Ok(false) => {
            println!("OCSP status response verify failure");
            false
        }
        Err(_) => {
            println!("Failed to verify certificate status");
            false
        }
    }
}

fn verify_status(response: &[u8], file: &str, ssl: &SslRef) -> Result<bool, ErrorStack> {
    let response = OcspResponse::from_der(response)?;
    if response.status() != OcspResponseStatus::SUCCESSFUL {
        return Ok(false);
    }
    let mut store = X509StoreBuilder::new()?;
    let mut certificates = Stack::new()?;
    let pem = std::fs::read(file).unwrap_or_default();
    for certificate in X509::stack_from_pem(&pem)? {
        store.add_cert(certificate.clone())?;
        certificates.push(certificate)?;
    }
    for certificate in ssl.peer_cert_chain().into_iter().flatten() {
        certificates.push(certificate.to_owned())?;
    }
    let basic = response.basic()?;
    Ok(basic.verify(&certificates, &store.build(), OcspFlag::empty()).is_ok())
}
