//! What expansion variables say of the address in hand and of the host it goes to.
//!
//! Routing, verification and delivery fill this in before they expand anything for an address, and clear it after.

use bstr::BString;

use crate::text::Text;

/// Variables of one address.
#[derive(Clone, Debug, Default)]
pub struct AddressVars {
    /// `$local_part`, `$domain`.
    pub local_part: Option<Text>,
    /// See above.
    pub domain: Option<Text>,
    /// `$local_part_prefix`, `$local_part_prefix_v`, `$local_part_suffix`, `$local_part_suffix_v`.
    pub prefix: Option<Text>,
    /// See above.
    pub prefix_v: Option<Text>,
    /// See above.
    pub suffix: Option<Text>,
    /// See above.
    pub suffix_v: Option<Text>,
    /// `$local_part_data`, `$domain_data`.
    pub local_part_data: Option<Text>,
    /// See above.
    pub domain_data: Option<Text>,
    /// `$parent_local_part`, `$parent_domain`, `$original_local_part`, `$original_domain`.
    pub parent_local_part: Option<Text>,
    /// See above.
    pub parent_domain: Option<Text>,
    /// See above.
    pub original_local_part: Option<Text>,
    /// See above.
    pub original_domain: Option<Text>,
    /// `$address_data`, `$sender_address_data`, `$sender_data`, `$recipient_data`.
    pub address_data: Option<Text>,
    /// See above.
    pub sender_address_data: Option<Text>,
    /// See above.
    pub sender_data: Option<Text>,
    /// See above.
    pub recipient_data: Option<Text>,
    /// `$address_file`, `$address_pipe`.
    pub address_file: Option<Text>,
    /// See above.
    pub address_pipe: Option<Text>,
    /// `$home`.
    pub home: Option<Text>,
    /// `$self_hostname`.
    pub self_hostname: Option<Text>,
    /// `$host`, `$host_address`, `$host_port`.
    pub host: Option<Text>,
    /// See above.
    pub host_address: Option<Text>,
    /// See above.
    pub host_port: u16,
    /// `$sending_ip_address`, `$sending_port`.
    pub sending_ip_address: Option<Text>,
    /// See above.
    pub sending_port: u16,
    /// `$router_name`, `$transport_name`.
    pub router_name: Option<BString>,
    /// See above.
    pub transport_name: Option<BString>,
    /// `$local_user_uid`, `$local_user_gid`.
    pub local_user_uid: Option<u32>,
    /// See above.
    pub local_user_gid: Option<u32>,
    /// `$r_...` of the address: set by routers' `set` (name without `r_`).
    pub router_vars: std::collections::BTreeMap<BString, Text>,
    /// `$return_path` while delivering.
    pub return_path: Option<Text>,
    /// `$inode`.
    pub inode: u64,
    /// `$mailstore_basename`.
    pub mailstore_basename: Option<Text>,
    /// All recipients of the delivery in hand (`$pipe_addresses`, `$recipients` in transports).
    pub pipe_addresses: Vec<Text>,
    /// `$thisaddress` (filters).
    pub this_address: Option<Text>,
    /// `$verify_mode`: "R", "S" or empty.
    pub verify_mode: Option<&'static str>,
    /// `$callout_address`.
    pub callout_address: Option<Text>,
    /// `$lookup_dnssec_authenticated`.
    pub lookup_dnssec: Option<bool>,
    /// `$event_name`, `$event_data`, `$event_defer_errno`.
    pub event_name: Option<BString>,
    /// See above.
    pub event_data: Option<Text>,
    /// See above.
    pub event_defer_errno: i32,
    /// `$warn_message_delay`, `$warn_message_recipients`.
    pub warn_message_delay: Option<BString>,
    /// See above.
    pub warn_message_recipients: Option<BString>,
}
