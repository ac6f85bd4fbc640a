//! The servers of a query, and the way to them.

use bstr::{BString, ByteSlice};

use super::patience;
use super::query::{Query, Scheme};
use crate::config::main_options::MainOptions;
use crate::context::Context;
use crate::lookups::server_list::host_and_port;
use crate::parse::list;
use crate::sys::ldap::{self, Connection, Setting, Url};

/// Where a server is.
pub(super) struct Place {
    pub(super) uri: BString,
    pub(super) scheme: Scheme,
    pub(super) shown: BString,
}

impl Place {
    fn new(scheme: Scheme, host: &[u8], port: u16) -> Result<Self, String> {
        if host.starts_with(b"/") {
            let uri = [b"ldapi://", &host.replace("%", "%25").replace("/", "%2F")[..]].concat();
            return Ok(Place { uri: uri.into(), scheme: Scheme::Ldapi, shown: host.into() });
        }
        let name = scheme.name();
        if host.is_empty() {
            return Ok(Place { uri: format!("{name}:///").into(), scheme, shown: "NULL".into() });
        }
        if scheme == Scheme::Ldapi {
            return Err(format!("ldapi requires an absolute path (\"{}\" given)", host.as_bstr()));
        }
        let inside = if host.contains(&b':') && !host.starts_with(b"[") { [b"[", host, b"]"].concat() } else { host.to_vec() };
        let port = match (port, scheme) {
            (0, Scheme::Ldaps) => 636,
            (0, _) => 389,
            (p, _) => p,
        };
        let shown = format!("{}:{port}", inside.as_bstr());
        Ok(Place { uri: format!("{name}://{shown}").into(), scheme, shown: shown.into() })
    }
}

/// The servers to try; a message stands for one that cannot be.
pub(super) fn places(ctx: &Context, query: &Query, url: &Url) -> Result<Vec<Result<Place, String>>, String> {
    if !url.host.is_empty() {
        return Ok(vec![Place::new(query.scheme, &url.host, url.port)]);
    }
    let default = ctx.config.main.ldap_default_servers.raw().unwrap_or_default();
    let servers = query.servers.as_deref().map_or(default, |s| s.as_slice());
    if servers.is_empty() {
        return Ok(vec![Place::new(query.scheme, b"", 0)]);
    }
    Ok(list::items(servers)
        .map(|item| {
            if item.starts_with(b"/") {
                return Place::new(query.scheme, &item, 0);
            }
            let (host, port) = host_and_port(&item).ok_or_else(|| format!("bad LDAP server \"{item}\""))?;
            Place::new(query.scheme, &host, port)
        })
        .collect())
}

pub(super) fn connect(ctx: &Context, query: &Query, place: &Place) -> Result<Connection, String> {
    let main = &ctx.config.main;
    let connection = Connection::open(&place.uri, patience(query))
        .map_err(|e| format!("failed to initialize for LDAP server {} - {e}", place.shown))?;
    let failed = |e: ldap::Error| format!("LDAP server {}: {}", place.shown, e.text);
    let version = i32::try_from(main.ldap_version.0).ok().filter(|v| *v > 0).unwrap_or(3);
    connection.set(Setting::ProtocolVersion, version).map_err(failed)?;
    tls_settings(main, &connection).map_err(failed)?;
    if main.ldap_start_tls && place.scheme == Scheme::Ldap {
        connection.start_tls().map_err(|e| {
            format!(
                "failed to initiate TLS processing on an LDAP session to server {} - ldap_start_tls_s() returned {}: {}",
                place.shown, e.code, e.text
            )
        })?;
    }
    Ok(connection)
}

fn tls_settings(main: &MainOptions, connection: &Connection) -> Result<(), ldap::Error> {
    let mut any = false;
    for (setting, option) in [
        (Setting::TlsCaCertFile, &main.ldap_ca_cert_file),
        (Setting::TlsCaCertDir, &main.ldap_ca_cert_dir),
        (Setting::TlsCertFile, &main.ldap_cert_file),
        (Setting::TlsKeyFile, &main.ldap_cert_key),
        (Setting::TlsCipherSuite, &main.ldap_cipher_suite),
    ] {
        if let Some(value) = option.raw().filter(|v| !v.is_empty()) {
            connection.set_text(setting, value)?;
            any = true;
        }
    }
    if let Some(word) = main.ldap_require_cert.raw().filter(|v| !v.is_empty()) {
        let number = match word.to_ascii_lowercase().as_slice() {
            b"hard" => 1,
            b"demand" => 2,
            b"allow" => 3,
            b"try" => 4,
            _ => 0,
        };
        connection.set(Setting::TlsRequireCert, number)?;
        any = true;
    }
    if any { connection.new_tls_context() } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers() {
        let uri = |s, h: &str, p| Place::new(s, h.as_bytes(), p).map(|p| p.uri.to_string());
        assert_eq!(uri(Scheme::Ldap, "h", 0).unwrap(), "ldap://h:389");
        assert_eq!(uri(Scheme::Ldaps, "::1", 0).unwrap(), "ldaps://[::1]:636");
        assert_eq!(uri(Scheme::Ldaps, "/run/ldap i%", 0).unwrap(), "ldapi://%2Frun%2Fldap i%25");
        assert!(uri(Scheme::Ldapi, "h", 0).is_err());
    }
}
