//! Which name servers to ask, and how patiently: /etc/resolv.conf under the configuration's options.

use resolv_conf::{Config, ScopedIp};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV6};
use std::os::unix::fs::MetadataExt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

const FILE: &str = "/etc/resolv.conf";
/// How often to look whether the file has changed.
const RECHECK: Duration = Duration::from_secs(5);

/// What resolv.conf says.
#[derive(Debug, Clone)]
pub(super) struct Servers {
    pub addresses: Vec<SocketAddr>,
    pub search: Vec<String>,
    pub ndots: u32,
    pub timeout: Duration,
    pub attempts: u32,
    pub edns0: bool,
    pub rotate: bool,
    pub use_tcp: bool,
    pub no_tld_query: bool,
}

impl Servers {
    /// A missing or partly unreadable file gives the defaults for what it does not say: the name server
    /// of this host, as in the C library.
    fn parse(text: &[u8]) -> Self {
        let (mut config, _errors) = Config::parse_with_errors(text);
        config.glibc_normalize();
        let search: Vec<String> = config.get_last_search_or_domain().map(|s| s.trim_end_matches('.').to_owned()).collect();
        let search = if search.is_empty() { config.get_system_domain().into_iter().collect() } else { search };
        let mut addresses: Vec<SocketAddr> = config.nameservers.iter().filter_map(socket_address).take(3).collect();
        if addresses.is_empty() {
            addresses.push((Ipv4Addr::LOCALHOST, 53).into());
        }
        Self {
            addresses,
            search: search.into_iter().filter(|s| !s.is_empty()).collect(),
            ndots: config.ndots,
            timeout: Duration::from_secs(u64::from(config.timeout.clamp(1, 30))),
            attempts: config.attempts.clamp(1, 5),
            edns0: config.edns0,
            rotate: config.rotate,
            use_tcp: config.use_vc,
            no_tld_query: config.no_tld_query,
        }
    }
}

fn socket_address(ip: &ScopedIp) -> Option<SocketAddr> {
    Some(match ip {
        ScopedIp::V4(a) => (*a, 53).into(),
        ScopedIp::V6(a, None) => (IpAddr::V6(*a), 53).into(),
        ScopedIp::V6(a, Some(scope)) => {
            let index = scope.parse().ok().or_else(|| crate::sys::iface::index_of(scope.as_bytes()))?;
            SocketAddrV6::new(*a, 53, 0, index).into()
        }
    })
}

/// resolv.conf, read again when it changes.
#[derive(Debug, Default)]
pub(super) struct Source(Mutex<Option<State>>);

#[derive(Debug)]
struct State {
    servers: Arc<Servers>,
    checked: Instant,
    stamp: Option<(i64, i64, u64)>,
}

impl Source {
    pub(super) fn get(&self) -> Arc<Servers> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(s) = state.as_ref()
            && s.checked.elapsed() < RECHECK
        {
            return Arc::clone(&s.servers);
        }
        let stamp = std::fs::metadata(FILE).ok().map(|m| (m.mtime(), m.mtime_nsec(), m.ino()));
        if let Some(s) = state.as_mut()
            && s.stamp == stamp
        {
            s.checked = Instant::now();
            return Arc::clone(&s.servers);
        }
        let servers = Arc::new(Servers::parse(&std::fs::read(FILE).unwrap_or_default()));
        *state = Some(State { servers: Arc::clone(&servers), checked: Instant::now(), stamp });
        servers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resolv_conf() {
        let s =
            Servers::parse(b"nameserver 192.0.2.1\nnameserver ::1\nsearch a.ex b.ex.\noptions ndots:2 edns0 timeout:3 junk\n");
        assert_eq!(s.addresses, ["192.0.2.1:53".parse().unwrap(), "[::1]:53".parse().unwrap()]);
        assert_eq!(s.search, ["a.ex", "b.ex"]);
        assert_eq!((s.ndots, s.edns0, s.timeout), (2, true, Duration::from_secs(3)));
        assert_eq!(Servers::parse(b"").addresses, ["127.0.0.1:53".parse().unwrap()]);
    }
}
