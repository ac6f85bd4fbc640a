//! The options that every router has (manual chapter 15).
//!
//! Only the table is here; the reader fills it, the rest of the program reads it through `Config`.

use crate::config::options::*;
use crate::options;

options! {
    /// Options common to all routers.
    pub struct RouterOptions {
        /// Expanded value stored in $address_data for later routers/transports.
        address_data: Str = Str::unset(),
        /// False: skip router for -bt.
        address_test: bool = true,
        /// Precondition: Brightmail sends it elsewhere.
        bmi_deliver_alternate: bool = false,
        /// Precondition: Brightmail has it delivered as usual.
        bmi_deliver_default: bool = false,
        /// Precondition: Brightmail has it not delivered.
        bmi_dont_deliver: bool = false,
        /// Precondition: one of these Brightmail rules fired.
        bmi_rule: Str = Str::unset(),
        /// Text given when routers are exhausted.
        cannot_route_message: Str = Str::unset(),
        /// Treat local part case-sensitively here.
        caseful_local_part: bool = false,
        /// Precondition: local part names a local account.
        check_local_user: bool = false,
        /// Expanded boolean precondition, evaluated last; repeatable.
        condition: RepStr = RepStr::unset(),
        /// Expanded debug output at router entry.
        debug_print: Str = Str::unset(),
        /// Suppress routing and delivery log entries.
        disable_logging: bool = false,
        /// Domains looked up with DNSSEC requested.
        dnssec_request_domains: Str = Str::fixed("*"),
        /// Domains whose lookups must be DNSSEC secured.
        dnssec_require_domains: Str = Str::unset(),
        /// Precondition: domain list match; sets $domain_data.
        domains: Str = Str::unset(),
        /// Do not pass DSN parameters onward; act as final hop.
        dsn_lasthop: bool = false,
        /// Envelope sender for resulting deliveries; verified first.
        errors_to: Str = Str::unset(),
        /// False: skip router for EXPN.
        expn: bool = true,
        /// Hidden setter of both fail_verify_sender and fail_verify_recipient.
        fail_verify: bool = false,
        /// Accepting here fails recipient verification.
        fail_verify_recipient: bool = false,
        /// Accepting here fails sender verification.
        fail_verify_sender: bool = false,
        /// Hosts tried when all others temporarily fail.
        fallback_hosts: Str = Str::unset(),
        /// Gid for delivery where transport gives none.
        group: Str = Str::unset(),
        /// Headers added at delivery for these addresses; repeatable.
        headers_add: RepStr = RepStr::unset(),
        /// Header names dropped at delivery for these addresses; repeatable.
        headers_remove: RepStr = RepStr::unset(),
        /// Target IPs discarded from lookup results.
        ignore_target_hosts: Str = Str::unset(),
        /// Call initgroups() for delivery uid.
        initgroups: bool = false,
        /// Prefix strings to match and strip; * and ^ wildcards.
        local_part_prefix: Str = Str::unset(),
        /// Prefix need not be present.
        local_part_prefix_optional: bool = false,
        /// Suffix strings to match and strip.
        local_part_suffix: Str = Str::unset(),
        /// Suffix need not be present.
        local_part_suffix_optional: bool = false,
        /// Precondition: local part list match; sets $local_part_data.
        local_parts: Str = Str::unset(),
        /// Use local-style log lines.
        log_as_local: bool = true,
        /// False: a decline stops routing with failure.
        more: ExpBool = ExpBool::fixed(true),
        /// Host lookup timeout passes to next router.
        pass_on_timeout: bool = false,
        /// Router that receives "pass" results.
        pass_router: Str = Str::unset(),
        /// Router at which child addresses start.
        redirect_router: Str = Str::unset(),
        /// Precondition: file existence tests, optionally as user.
        require_files: Str = Str::unset(),
        /// Retry key for routing includes local part.
        retry_use_local_part: bool = true,
        /// Home directory during router execution.
        router_home_directory: Str = Str::unset(),
        /// Action when lookup gives local host.
        self_ as "self": Str = Str::fixed("freeze"),
        /// Precondition: envelope sender list match.
        senders: Str = Str::unset(),
        /// Assign r_ variables; repeatable.
        set_ as "set": RepStr = RepStr::unset(),
        /// Expansion replacing host IPs found.
        translate_ip_address: Str = Str::unset(),
        /// Transport name for accepted addresses.
        transport: Str = Str::unset(),
        /// Working directory passed to local transport.
        transport_current_directory: Str = Str::unset(),
        /// Home directory passed to local transport.
        transport_home_directory: Str = Str::unset(),
        /// Accepting continues with copy at following router.
        unseen: ExpBool = ExpBool::fixed(false),
        /// Uid for delivery where transport gives none.
        user: Str = Str::unset() /* user found by check_local_user, else unset */,
        /// Hidden setter of both verify_sender and verify_recipient.
        verify: bool = true,
        /// Use only when verifying.
        verify_only: bool = false,
        /// False: skip for recipient verification.
        verify_recipient: bool = true,
        /// False: skip for sender verification.
        verify_sender: bool = true,
    }
}
