//! Where the results of a verification are written to: nowhere (ACLs), or in the form of `-bv` and `-bt`.

use bstr::{BString, ByteSlice};

use crate::context::Context;
use crate::route::{Address, AddressKind};

/// Collects what `-bv` and `-bt` print. ACLs use [`Report::none`].
#[derive(Debug, Default)]
pub struct Report {
    text: Option<BString>,
    /// All results of a routing are wanted, generated addresses included (`-bt`, or `-bv` with `-v`).
    pub full: bool,
    /// `-bt`
    pub testing: bool,
    /// Addresses shown so far, by what makes a delivery unique.
    seen: std::collections::BTreeSet<BString>,
}

impl Report {
    /// Nothing is written.
    pub fn none() -> Self {
        Report::default()
    }

    /// For a command.
    pub fn for_command(testing: bool, full: bool) -> Self {
        Report { text: Some(BString::default()), full, testing, ..Report::default() }
    }

    /// Is anything written?
    pub fn on(&self) -> bool {
        self.text.is_some()
    }

    /// The text so far.
    pub fn take(&mut self) -> BString {
        self.text.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Adds text.
    pub fn put(&mut self, text: impl AsRef<[u8]>) {
        if let Some(t) = &mut self.text {
            t.extend_from_slice(text.as_ref());
        }
    }

    fn why(&mut self, ctx: &Context, addr: &Address, unknown: bool) {
        if !ctx.run.admin {
            return;
        }
        let f = &addr.failure;
        if f.basic_errno > 0 {
            self.put(format!(": {}", crate::sys::error_text(&std::io::Error::from_raw_os_error(f.basic_errno))));
        }
        match &f.message {
            Some(m) => {
                self.put(": ");
                self.put(m);
            }
            None if unknown && f.basic_errno <= 0 => self.put(": unknown error"),
            None => {}
        }
    }

    fn parents(&mut self, addr: &Address) {
        if self.full {
            for p in addr.ancestors() {
                self.put("\n    <-- ");
                self.put(&p.address);
            }
        }
    }

    /// An address that failed.
    pub fn failed(&mut self, ctx: &Context, top: &[u8], addr: &Address) {
        self.put(if self.full { addr.address.as_bytes() } else { top });
        self.put(if self.testing { " is undeliverable" } else { " failed to verify" });
        self.why(ctx, addr, false);
        self.parents(addr);
        self.put("\n");
    }

    /// An address that was deferred.
    pub fn deferred(&mut self, ctx: &Context, top: &[u8], addr: &Address) {
        self.put(if self.full { addr.address.as_bytes() } else { top });
        self.put(" cannot be resolved at this time");
        self.why(ctx, addr, true);
        self.parents(addr);
        self.put("\n");
    }

    /// A pipe, file or autoreply that a router made.
    pub fn generated(&mut self, addr: &Address) {
        if let Some(p) = addr.parent.as_ref() {
            self.put(&p.address);
        }
        self.put(" -> ");
        if addr.kind == AddressKind::Reply {
            self.put("mail ");
            self.put(addr.address.strip_prefix(b">").unwrap_or(&addr.address));
        } else {
            self.put(&addr.address);
        }
        if addr.failure.basic_errno == crate::retry::errors::BAD_TRANSPORT {
            self.put("\n*** Error in setting up pipe, file, or autoreply:\n");
            self.put(addr.failure.message.as_deref().unwrap_or_default());
            self.put("\n");
        } else if let Some(t) = addr.transport.as_ref().filter(|_| addr.failure.basic_errno == 0) {
            self.put(format!("\n  transport = {}\n", t.name));
        } else {
            self.put(" *** forbidden ***\n");
        }
    }

    /// An address with its router, transport and hosts.
    pub fn delivered(&mut self, ctx: &Context, addr: &Address) {
        // Here, other than in a delivery, the case of the domain counts, as it does for the reference.
        let key = if addr.flags.homonym || addr.parent.is_none() { addr.unique.clone() } else { addr.address.as_bytes().into() };
        let duplicate = addr.kind == AddressKind::Mail && !self.seen.insert(key);
        self.put(&addr.address);
        if let Some(sender) = &addr.srs_sender {
            self.put(format!("    [srs = {sender}]"));
        }
        if duplicate {
            self.put("   [duplicate, would not be delivered]");
        }
        for p in addr.ancestors() {
            self.put("\n    <-- ");
            self.put(&p.address);
        }
        let unset = BString::from("unset");
        let transport = addr.transport.as_ref().map_or(&unset, |t| &t.name);
        self.put(format!("\n  router = {}, transport = {transport}\n", addr.router.as_ref().unwrap_or(&unset)));
        let Some(transport) = &addr.transport else { return };
        if transport.driver.as_smtp().is_some_and(|s| s.options.hosts_override && s.options.hosts.is_set()) {
            return;
        }
        let local = transport.local().is_some();
        let mut hosts: Vec<&crate::route::HostItem> = addr.hosts.iter().collect();
        for useless in &addr.useless_hosts {
            let at = hosts.iter().position(|h| h.mx > useless.mx).unwrap_or(hosts.len());
            hosts.insert(at, useless);
        }
        let name_width = hosts.iter().map(|h| h.name.len()).max().unwrap_or(0);
        let shown = |h: &crate::route::HostItem| match h.address {
            Some(_) => h.address_text.clone(),
            None => "unknown".into(),
        };
        let width = hosts.iter().map(|h| shown(h).len()).max().unwrap_or(0);
        for h in hosts {
            let mut line = BString::from("  host ");
            line.extend_from_slice(&h.name);
            line.extend(std::iter::repeat_n(b' ', name_width - h.name.len() + 1));
            if h.address.is_none() && local {
                line.extend(std::iter::repeat_n(b' ', width + 2));
            } else {
                let text = shown(h);
                line.push(b'[');
                line.extend_from_slice(&text);
                line.push(b']');
                line.extend(std::iter::repeat_n(b' ', width - text.len()));
            }
            if h.mx >= 0 {
                line.extend_from_slice(format!(" MX={}", h.mx).as_bytes());
            }
            if let Some(p) = h.port {
                line.extend_from_slice(format!(" port={p}").as_bytes());
            }
            if ctx.run.test_harness && h.dnssec == Some(true) {
                line.extend_from_slice(b" AD");
            }
            let late = matches!(h.status, crate::route::HostStatus::UnusableRetry | crate::route::HostStatus::UnusableExpired);
            if late || h.address.is_none() && h.mx >= 0 {
                line.extend_from_slice(b" ** unusable **");
            }
            line.push(b'\n');
            self.put(line.as_bytes());
        }
    }
}
