//! Lists (manual chapter 10): string, domain, local part, address and host lists, named lists, and their caches.

/// Results of named lists for the address and host in hand.
#[derive(Clone, Debug, Default)]
pub struct ListCache {}
