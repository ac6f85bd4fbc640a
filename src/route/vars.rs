//! Sets the expansion variables of an address before anything is expanded for it.

use crate::context::Context;
use crate::route::{Address, AddressKind};
use crate::text::Text;

/// Makes `$local_part`, `$domain`, `$address_data`, the parent's and original's variables and the rest say what
/// this address is. The local part is the one without affixes.
pub fn set_address_vars(ctx: &mut Context, addr: &Address) {
    let v = &mut ctx.address;
    // What a pipe or a file comes from is more use than its own text, which has variables for itself.
    let shown = match (addr.kind, &addr.parent) {
        (AddressKind::Mail, _) | (_, None) => addr,
        (_, Some(parent)) => parent,
    };
    let text = addr.local_part.clone();
    v.address_pipe = (addr.kind == AddressKind::Pipe).then(|| text.clone());
    v.address_file = (addr.kind == AddressKind::File).then(|| text.clone());
    v.local_part = Some(shown.local_part.clone());
    v.domain = Some(shown.domain.clone());
    v.prefix = shown.prefix.clone();
    v.prefix_v = shown.prefix_v.clone();
    v.suffix = shown.suffix.clone();
    v.suffix_v = shown.suffix_v.clone();
    v.local_part_data = addr.local_part_data.clone();
    v.domain_data = addr.domain_data.clone();
    v.address_data = addr.address_data.clone();
    v.self_hostname = addr.self_hostname.clone();
    v.router_vars = addr.router_vars.clone();
    v.router_name = addr.router.clone();
    // A transport starts with the first host; one that uses others says so itself.
    let host = addr.hosts.first();
    v.host = host.map(|h| h.name.clone());
    v.host_address = host.filter(|h| h.address.is_some()).map(|h| Text::tainted(h.address_text.to_vec()));
    v.home = addr.home_dir.clone();
    let original = addr.original();
    let has_parent = addr.parent.is_some();
    v.original_local_part = Some(original.full_local_part());
    v.original_domain = Some(original.domain.clone());
    v.parent_local_part = addr.parent.as_ref().map(|p| p.full_local_part());
    v.parent_domain = addr.parent.as_ref().map(|p| p.domain.clone());
    if !has_parent {
        v.parent_local_part = None;
        v.parent_domain = None;
    }
}

/// Forgets everything about addresses; done when the work on one ends.
pub fn clear_address_vars(ctx: &mut Context) {
    ctx.address = Default::default();
}

/// A local part without the quotes and backslashes of its written form.
pub(crate) fn unquoted(s: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(s.len());
    let mut bytes = s.iter();
    while let Some(c) = bytes.next() {
        match c {
            b'"' => {}
            b'\\' => out.extend(bytes.next()),
            c => out.push(*c),
        }
    }
    out
}

impl Address {
    /// A new address for routing, from its full text. The domain is lowered; the local part is kept.
    pub fn new(address: Text) -> Self {
        let at = address.iter().rposition(|c| *c == b'@').unwrap_or(address.len());
        let local = address.piece(unquoted(&address[..at]));
        let domain = address.piece(address.get(at + 1..).unwrap_or_default().to_ascii_lowercase());
        let mut unique = address[..at].to_vec();
        unique.push(b'@');
        unique.extend_from_slice(&domain);
        Address {
            local_part: local.to_lower(),
            cc_local_part: local,
            domain,
            unique: unique.into(),
            address,
            recipient_index: -1,
            ..Address::default()
        }
    }

    /// Takes over what holds for all addresses that are made of one.
    pub fn inherit(&mut self, from: &Address) {
        self.recipient_index = from.recipient_index;
        self.errors_to = from.errors_to.clone();
        self.srs_sender = from.srs_sender.clone();
        self.headers_add = from.headers_add.clone();
        self.headers_remove = from.headers_remove.clone();
        self.address_data = from.address_data.clone();
        self.router_vars = from.router_vars.clone();
        self.dsn_orcpt = from.dsn_orcpt.clone();
        self.dsn_flags = from.dsn_flags;
    }

    /// The local part with its affixes.
    fn full_local_part(&self) -> Text {
        let mut out = Text::new();
        for part in [self.prefix.as_ref(), Some(&self.local_part), self.suffix.as_ref()].into_iter().flatten() {
            out.push(part);
        }
        out
    }

    /// The recipient that this address came from; itself if it is one.
    pub fn original(&self) -> &Address {
        let mut a = self;
        while let Some(p) = &a.parent {
            a = p;
        }
        a
    }

    /// Whom its delivery comes from, unless the transport says otherwise.
    pub fn return_path_before_transport(&self, ctx: &Context) -> Option<Text> {
        self.errors_to.as_ref().or(self.srs_sender.as_ref()).or(ctx.message.sender.as_ref()).cloned()
    }

    /// Its ancestors, the nearest first.
    pub fn ancestors(&self) -> impl Iterator<Item = &Address> {
        std::iter::successors(self.parent.as_deref(), |a| a.parent.as_deref())
    }
}
