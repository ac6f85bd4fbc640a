//! The options of the main section (manual chapter 14), with their defaults.
//!
//! Only the table is here; the reader fills it, the rest of the program reads it through `Config`.

use super::options::*;
use crate::options;

/// `received_header_text`, as the manual gives it.
pub const RECEIVED_HEADER_TEXT: &str = "Received: \
${if def:sender_rcvhost {from $sender_rcvhost\n\t}\
{${if def:sender_ident {from ${quote_local_part:$sender_ident} }}\
${if def:sender_helo_name {(helo=$sender_helo_name)\n\t}}}}\
by $primary_hostname \
${if def:received_protocol {with $received_protocol }}\
${if def:tls_in_ver { ($tls_in_ver)}}${if def:tls_in_cipher_std { tls $tls_in_cipher_std\n\t}}\
(Exim $version_number)\n\t\
${if def:sender_address {(envelope-from <$sender_address>)\n\t}}\
id $message_exim_id\
${if def:received_for {\n\tfor $received_for}}";

/// `uucp_from_pattern`: the two forms of "From " line that the manual shows.
pub const UUCP_FROM_PATTERN: &str =
    r"^From\s+(\S+)\s+(?:[a-zA-Z]{3},?\s+)?(?:[a-zA-Z]{3}\s+\d?\d|\d?\d\s+[a-zA-Z]{3}\s+\d\d(?:\d\d)?)\s+\d\d?:\d\d?";

/// `delay_warning_condition`, as the manual gives it.
pub const DELAY_WARNING_CONDITION: &str = "${if or {\
{ !eq{$h_list-id:$h_list-post:$h_list-subscribe:}{} }\
{ match{$h_precedence:}{(?i)bulk|list|junk} }\
{ match{$h_auto-submitted:}{(?i)auto-generated|auto-replied} }\
} {no}{yes}}";

options! {
    /// The main section (manual chapter 14).
    pub struct MainOptions {
        /// Offer 8BITMIME in EHLO and allow BODY= on MAIL.
        accept_8bitmime: bool = true,
        /// ACL run once a non-SMTP message has been read.
        acl_not_smtp: Str = Str::unset(),
        /// ACL for every MIME part of non-SMTP mail.
        acl_not_smtp_mime: Str = Str::unset(),
        /// ACL run ahead of reading non-SMTP input.
        acl_not_smtp_start: Str = Str::unset(),
        /// ACL for ATRN; empty result stops ATRN being advertised.
        acl_smtp_atrn: Str = Str::unset(),
        /// ACL for the AUTH command.
        acl_smtp_auth: Str = Str::unset(),
        /// ACL at start of each SMTP connection.
        acl_smtp_connect: Str = Str::unset(),
        /// ACL after full message arrival, before final response.
        acl_smtp_data: Str = Str::unset(),
        /// Per-recipient ACL after data, only when PRDR was negotiated.
        acl_smtp_data_prdr: Str = Str::fixed("accept"),
        /// ACL called per DKIM signer of a received message.
        acl_smtp_dkim: Str = Str::unset(),
        /// ACL for ETRN; unset means ETRN not advertised.
        acl_smtp_etrn: Str = Str::unset(),
        /// ACL for EXPN command.
        acl_smtp_expn: Str = Str::unset(),
        /// ACL for HELO and EHLO.
        acl_smtp_helo: Str = Str::unset(),
        /// ACL for MAIL command.
        acl_smtp_mail: Str = Str::unset(),
        /// ACL judging AUTH= parameter given on MAIL.
        acl_smtp_mailauth: Str = Str::unset(),
        /// ACL run for every MIME part of SMTP mail.
        acl_smtp_mime: Str = Str::unset(),
        /// ACL when session finishes without QUIT.
        acl_smtp_notquit: Str = Str::unset(),
        /// ACL on DATA command before the content arrives.
        acl_smtp_predata: Str = Str::unset(),
        /// ACL for QUIT command.
        acl_smtp_quit: Str = Str::unset(),
        /// ACL for RCPT command.
        acl_smtp_rcpt: Str = Str::unset(),
        /// ACL for STARTTLS command.
        acl_smtp_starttls: Str = Str::unset(),
        /// ACL for VRFY command.
        acl_smtp_vrfy: Str = Str::unset(),
        /// ACL for the WELLKNOWN command.
        acl_smtp_wellknown: Str = Str::unset(),
        /// name=value pairs put into the process environment.
        add_environment: Str = Str::unset(),
        /// Groups whose members count as Exim administrators.
        admin_groups: IdList = IdList::groups(),
        /// Permit user@[ip] address syntax.
        allow_domain_literals: bool = false,
        /// Tolerate MX records naming an IP address.
        allow_mx_to_ip: bool = false,
        /// Let UTF-8 domain names pass DNS name checks.
        allow_utf8_domains: bool = false,
        /// Clients that are shown AUTH in EHLO.
        auth_advertise_hosts: Str = Str::fixed("*"),
        /// Age after which frozen non-bounce mail is retried.
        auto_thaw: Time = Time(0),
        /// Which virus scanner to use, plus its parameters.
        av_scanner: Str = Str::fixed("sophie:/var/run/sophie"),
        /// Program executed for -bi.
        bi_command: Str = Str::unset(),
        /// Configuration of Brightmail's client library.
        bmi_config_file: Str = Str::fixed("/opt/brightmail/etc/brightmail.cfg"),
        /// Brightmail's client library.
        bmi_library: Str = Str::fixed(crate::build_options::BRIGHTMAIL_LIBRARY),
        /// Template file for bounce wording.
        bounce_message_file: Str = Str::unset(),
        /// Additional sentence for the standard bounce.
        bounce_message_text: Str = Str::unset(),
        /// Include original body when returning message in bounces.
        bounce_return_body: bool = true,
        /// Longest line allowed in returned copy, in bytes.
        bounce_return_linesize_limit: Int = Int(998),
        /// Whether bounces carry any of the original.
        bounce_return_message: bool = true,
        /// Byte cap on returned copy of original.
        bounce_return_size_limit: Size = Size(102400),
        /// AUTH= identity used for bounces sent over authenticated SMTP.
        bounce_sender_authentication: Str = Str::unset(),
        /// Cache life of negative domain callout results.
        callout_domain_negative_expire: Time = Time(10800),
        /// Cache life of positive domain callout results.
        callout_domain_positive_expire: Time = Time(604800),
        /// Cache life of negative address callout results.
        callout_negative_expire: Time = Time(7200),
        /// Cache life of positive address callout results.
        callout_positive_expire: Time = Time(86400),
        /// Local part probed by callout "random" check.
        callout_random_local_part: Str = Str::fixed("$primary_hostname-$tod_epoch-testing"),
        /// Least free inodes on log partition for accepting mail.
        check_log_inodes: Int = Int(100),
        /// Least free log partition space (K) for accepting mail.
        check_log_space: Size = Size(10485760),
        /// Enforce maximum encoded-word length when decoding headers.
        check_rfc2047_length: bool = true,
        /// Least free inodes on spool partition for accepting mail.
        check_spool_inodes: Int = Int(100),
        /// Least free spool partition space (K) for accepting mail.
        check_spool_space: Size = Size(10485760),
        /// Clients offered CHUNKING/BDAT.
        chunking_advertise_hosts: Str = Str::fixed("*"),
        /// Restrict -be style testing options to admin users.
        commandline_checks_require_admin: bool = false,
        /// Dynamic modules preloaded by the daemon.
        daemon_modules_load: Str = Str::unset(),
        /// Hidden old spelling of daemon_smtp_ports.
        daemon_smtp_port: Str = Str::fixed("smtp"),
        /// Default listening ports of the daemon.
        daemon_smtp_ports: Str = Str::fixed("smtp"),
        /// Bind attempts repeated by daemon at startup.
        daemon_startup_retries: Int = Int(9),
        /// Pause between daemon bind attempts.
        daemon_startup_sleep: Time = Time(30),
        /// Insert X-DCC header immediately.
        dcc_direct_add_header: bool = false,
        /// Socket path, or "ip port", of dccifd.
        dccifd_address: Str = Str::fixed("/usr/local/dcc/var/dccifd"),
        /// Options line sent to dccifd.
        dccifd_options: Str = Str::fixed("header"),
        /// Additional consistency checks in memory allocator.
        debug_store: bool = false,
        /// Times on queue at which delay warnings go to sender.
        delay_warning: TimeList = TimeList(vec![86400]),
        /// Expanded test deciding whether a delay warning is sent.
        delay_warning_condition: Str = Str::fixed(DELAY_WARNING_CONDITION),
        /// Run all deliveries as the Exim user.
        deliver_drop_privilege: bool = false,
        /// Load average that stops a queue run.
        deliver_queue_load_max: Fixed = Fixed(None),
        /// Strip incoming Delivery-date: headers.
        delivery_date_remove: bool = true,
        /// Skip fsync calls (dangerous; special build only).
        disable_fsync: bool = false,
        /// Ignore all IPv6 functionality at run time.
        disable_ipv6: bool = false,
        /// Permitted signature hashes, in preference order.
        dkim_verify_hashes: Str = Str::fixed("sha256:sha512"),
        /// Permitted signature key algorithms, in preference order.
        dkim_verify_keytypes: Str = Str::fixed("ed25519:rsa"),
        /// Smallest acceptable key bits per algorithm.
        dkim_verify_min_keysizes: Str = Str::fixed("rsa=1024 ed25519=250"),
        /// Stop verifying once one signature passes.
        dkim_verify_minimal: bool = false,
        /// Domains or identities for which DKIM ACL runs.
        dkim_verify_signers: Str = Str::fixed("$dkim_signers"),
        /// From: and envelope sender of DMARC failure reports.
        dmarc_forensic_sender: Str = Str::unset(),
        /// Append file for results, opendmarc import format.
        dmarc_history_file: Str = Str::unset(),
        /// Public suffix list used for organisational domains.
        dmarc_tld_file: Str = Str::unset(),
        /// Domains whose temporary DNS errors count as nonexistent.
        dns_again_means_nonexist: Str = Str::unset(),
        /// Regex that names must match before DNS lookup.
        dns_check_names_pattern: Str = Str::fixed(r"(?i)^(?>(?(1)\.|())[^\W](?>[a-z0-9/_-]*[^\W])?)+(\.?)$"),
        /// CNAME chain length followed by Exim itself.
        dns_cname_loops: Int = Int(1),
        /// Parent-domain depth tried for CSA SRV.
        dns_csa_search_limit: Int = Int(5),
        /// Look up CSA for IP literals in reverse zone.
        dns_csa_use_reverse: bool = true,
        /// Force resolver DO bit on(1)/off(0); negative leaves alone.
        dns_dnssec_ok: Int = Int(-1),
        /// Domains for which AAAA lookups are skipped.
        dns_ipv4_lookup: Str = Str::unset(),
        /// Resolver retransmit interval; 0 keeps system default.
        dns_retrans: Time = Time(0),
        /// Resolver retry count; 0 keeps system default.
        dns_retry: Int = Int(0),
        /// Zones whose authoritative answers count as DNSSEC secure.
        dns_trust_aa: Str = Str::unset(),
        /// Force EDNS0 on(1)/off(0); negative leaves alone.
        dns_use_edns0: Int = Int(-1),
        /// DNSSEC validation of our own: `root`, a file of DNSKEY records, or empty for none.
        dnssec_trust_anchors: Str = Str::fixed("root"),
        /// Clients offered the DSN extension.
        dsn_advertise_hosts: Str = Str::unset(),
        /// From: content for bounces and other generated notices.
        dsn_from: Str = Str::fixed("Mail Delivery System <Mailer-Daemon@$qualify_domain>"),
        /// Strip incoming Envelope-to: headers.
        envelope_to_remove: bool = true,
        /// pattern/address pairs receiving Bcc of bounces.
        errors_copy: Str = Str::unset(),
        /// Reply-To: inserted into generated notices.
        errors_reply_to: Str = Str::unset(),
        /// Expanded for main-context events.
        event_action: Str = Str::unset(),
        /// Gid used after dropping root (with exim_user).
        exim_group: Str = Str::unset(),
        /// Binary to re-exec.
        exim_path: Str = Str::fixed(&format!("{}/exim", crate::build_options::BIN_DIRECTORY)),
        /// Uid used after dropping root.
        exim_user: Str = Str::unset(),
        /// Replacement version string shown to the outside.
        exim_version: Str = Str::from_bytes(&crate::version::version()),
        /// Extra addresses regarded as local for routing.
        extra_local_interfaces: Str = Str::unset(),
        /// With -t, command-line addresses are removed not added.
        extract_addresses_remove_arguments: bool = true,
        /// Repeat count for failed user lookups.
        finduser_retries: Int = Int(0),
        /// Addresses notified when messages freeze.
        freeze_tell: Str = Str::unset(),
        /// Replacement giving name after gecos_pattern match.
        gecos_name: Str = Str::unset(),
        /// Regex applied to gecos field.
        gecos_pattern: Str = Str::unset(),
        /// Let GnuTLS autoload PKCS11 modules.
        gnutls_allow_auto_pkcs11: bool = false,
        /// Server-side GnuTLS compatibility mode.
        gnutls_compat_mode: bool = false,
        /// Cap on one header line; 0 is unlimited.
        header_line_maxsize: Int = Int(0),
        /// Cap on whole header section.
        header_maxsize: Int = Int(crate::build_options::HEADER_MAXSIZE),
        /// Target charset when decoding headers.
        headers_charset: Str = Str::fixed(crate::build_options::HEADERS_CHARSET),
        /// Clients exempt from HELO syntax checking.
        helo_accept_junk_hosts: Str = Str::unset(),
        /// Extra characters allowed in HELO names.
        helo_allow_chars: Str = Str::unset(),
        /// HELO names which trigger reverse lookup.
        helo_lookup_domains: Str = Str::fixed("@ : @[]"),
        /// Clients whose HELO is verified without enforcement.
        helo_try_verify_hosts: Str = Str::unset(),
        /// Clients whose HELO must verify.
        helo_verify_hosts: Str = Str::unset(),
        /// Domains kept on queue until forced.
        hold_domains: Str = Str::unset(),
        /// Clients whose names are looked up.
        host_lookup: Str = Str::unset(),
        /// Sequence of reverse lookup methods.
        host_lookup_order: Str = Str::fixed("bydns:byaddr"),
        /// Clients refused at connect time (obsolete).
        host_reject_connection: Str = Str::unset(),
        /// Clients excluded from connection logging.
        hosts_connection_nolog: Str = Str::unset(),
        /// Proxies allowed/required to use Proxy Protocol.
        hosts_proxy: Str = Str::unset(),
        /// Clients that must negotiate ALPN.
        hosts_require_alpn: Str = Str::unset(),
        /// Clients needing HELO/EHLO before MAIL.
        hosts_require_helo: Str = Str::fixed("*"),
        /// Host names considered local when routing.
        hosts_treat_as_local: Str = Str::unset(),
        /// Clients allowed to use XCLIENT.
        hosts_xclient: Str = Str::unset(),
        /// Frozen failed bounces older than this get discarded.
        ignore_bounce_errors_after: Time = Time(6048000),
        /// Clients permitted to send leading From line.
        ignore_fromline_hosts: Str = Str::unset(),
        /// Permit leading From line in local SMTP.
        ignore_fromline_local: bool = false,
        /// Environment variables retained from caller.
        keep_environment: Str = Str::unset(),
        /// Retention time of messages with damaged spool files.
        keep_malformed: Time = Time(345600),
        /// Directory of CA certs for LDAP TLS.
        ldap_ca_cert_dir: Str = Str::unset(),
        /// CA cert file for LDAP TLS.
        ldap_ca_cert_file: Str = Str::unset(),
        /// Client certificate offered to LDAP servers.
        ldap_cert_file: Str = Str::unset(),
        /// Private key matching LDAP client certificate.
        ldap_cert_key: Str = Str::unset(),
        /// Cipher choice for LDAP TLS.
        ldap_cipher_suite: Str = Str::unset(),
        /// Servers tried when query names none.
        ldap_default_servers: Str = Str::unset(),
        /// LDAP certificate checking strictness keyword.
        ldap_require_cert: Str = Str::unset(),
        /// Issue STARTTLS on plain LDAP port.
        ldap_start_tls: bool = false,
        /// Force LDAP protocol version.
        ldap_version: Int = Int(-1),
        /// Clients shown the LIMITS extension.
        limits_advertise_hosts: Str = Str::fixed("*"),
        /// Add Sender: when local From: mismatches login.
        local_from_check: bool = true,
        /// Prefix disregarded in local From: comparison.
        local_from_prefix: Str = Str::unset(),
        /// Suffix disregarded in local From: comparison.
        local_from_suffix: Str = Str::unset(),
        /// Addresses (and ports) for listening and local recognition.
        local_interfaces: Str = Str::fixed("<; ::0 ; 0.0.0.0"),
        /// Shared object with a local_scan() function.
        local_scan_path: Str = Str::fixed(crate::build_options::LOCAL_SCAN_SOURCE),
        /// Time allowed for local_scan().
        local_scan_timeout: Time = Time(300),
        /// Keep Sender: on untrusted local submissions.
        local_sender_retain: bool = false,
        /// Per-host number folded into message ids.
        localhost_number: Str = Str::unset(),
        /// Where logs go: file pattern and/or syslog.
        log_file_path: Str = Str::unset(),
        /// Port numbers eligible for logging.
        log_ports: Str = Str::fixed("*"),
        /// Adds/removes log items.
        log_selector: Str = Str::unset(),
        /// Put zone offset in log timestamps.
        log_timezone: bool = false,
        /// Cap on open file-based lookup handles.
        lookup_open_max: Int = Int(25),
        /// Longer names are treated as nonexistent users.
        max_username_length: Int = Int(0),
        /// Keep newlines in $message_body variables.
        message_body_newlines: bool = false,
        /// Bytes of body exposed in $message_body variables.
        message_body_visible: Size = Size(500),
        /// Domain used in generated Message-ID:.
        message_id_header_domain: Str = Str::unset(),
        /// Extra text for generated Message-ID:.
        message_id_header_text: Str = Str::unset(),
        /// Whether per-message msglog files are written.
        message_logs: bool = true,
        /// Largest acceptable incoming message.
        message_size_limit: Str = Str::fixed("50M"),
        /// Shift frozen messages to separate spool directories.
        move_frozen_messages: bool = false,
        /// Synchronous non-queueing smarthost client mode.
        mua_wrapper: bool = false,
        /// Server/db/user/password list for mysql.
        mysql_servers: Str = Str::unset(),
        /// Uids that must never run deliveries.
        never_users: IdList = IdList::users(),
        /// Unix socket where daemon takes notifications.
        notifier_socket: Str = Str::fixed("$spool_directory/exim_daemon_notify"),
        /// SSL option flags, added/removed with +/-.
        openssl_options: Str = Str::fixed("+no_sslv2 +no_sslv3 +single_dh_use +no_ticket +no_renegotiation"),
        /// Server/user/password list for oracle.
        oracle_servers: Str = Str::unset(),
        /// Dump core upon panic-die.
        panic_coredump: bool = false,
        /// Domains where a%b local parts are rerouted.
        percent_hack_domains: Str = Str::unset(),
        /// Start Perl as soon as Exim starts.
        perl_at_start: bool = false,
        /// Perl code run when interpreter initialises.
        perl_startup: Str = Str::unset(),
        /// Run interpreter in taint mode.
        perl_taintmode: bool = false,
        /// Server/db/user/password list for pgsql.
        pgsql_servers: Str = Str::unset(),
        /// Daemon pid file name.
        pid_file_path: Str = Str::unset(),
        /// Clients offered PIPELINING.
        pipelining_advertise_hosts: Str = Str::fixed("*"),
        /// Clients offered early pipelining (PIPECONNECT).
        pipelining_connect_advertise_hosts: Str = Str::fixed("*"),
        /// Advertise PRDR and honour it from clients.
        prdr_enable: bool = false,
        /// Keep msglogs in msglog.OLD after completion.
        preserve_message_logs: bool = false,
        /// This machine's canonical name.
        primary_hostname: Str = Str::unset(),
        /// Treat codes 128+ as printable.
        print_topbitchars: bool = false,
        /// File written upon SIGUSR1.
        process_log_path: Str = Str::unset(),
        /// -M -R -q need admin rights.
        prod_requires_admin: bool = true,
        /// Seconds allowed for Proxy Protocol header.
        proxy_protocol_timeout: Time = Time(3),
        /// Domain completing unqualified senders.
        qualify_domain: Str = Str::unset(),
        /// Domain completing unqualified recipients.
        qualify_recipient: Str = Str::unset(),
        /// Domains whose recipients wait for queue run.
        queue_domains: Str = Str::unset(),
        /// Begin deliveries during first phase of -qq.
        queue_fast_ramp: bool = true,
        /// -bp needs admin rights.
        queue_list_requires_admin: bool = true,
        /// Never start immediate delivery.
        queue_only: bool = false,
        /// Existence of such file forces queueing.
        queue_only_file: Str = Str::unset(),
        /// Load average above which mail just queues.
        queue_only_load: Fixed = Fixed(None),
        /// Once queued for load, rest of connection queues.
        queue_only_load_latch: bool = true,
        /// -od options may override queue_only settings.
        queue_only_override: bool = true,
        /// Process queue by arrival order.
        queue_run_in_order: bool = false,
        /// Concurrent queue runner ceiling for daemon.
        queue_run_max: Str = Str::fixed("5"),
        /// Domains routed but remote delivery postponed.
        queue_smtp_domains: Str = Str::unset(),
        /// Timeout reading non-SMTP message.
        receive_timeout: Time = Time(0),
        /// Template for Received: header.
        received_header_text: Str = Str::fixed(RECEIVED_HEADER_TEXT),
        /// Received: count regarded as a loop.
        received_headers_max: Int = Int(30),
        /// Clients allowed unqualified recipients.
        recipient_unqualified_hosts: Str = Str::unset(),
        /// Most recipients accepted per message.
        recipients_max: Str = Str::fixed("50000"),
        /// Refuse whole message when too many recipients.
        recipients_max_reject: bool = false,
        /// Server/db/password list for redis.
        redis_servers: Str = Str::unset(),
        /// Simultaneous remote deliveries of one message.
        remote_max_parallel: Int = Int(6),
        /// Order for remote deliveries.
        remote_sort_domains: Str = Str::unset(),
        /// Age after which retry hints are ignored.
        retry_data_expire: Time = Time(604800),
        /// Upper bound on any retry interval.
        retry_interval_max: Time = Time(86400),
        /// Strip incoming Return-path: headers.
        return_path_remove: bool = true,
        /// Old name of bounce_return_size_limit.
        return_size_limit: Size = Size(102400),
        /// Clients subjected to ident queries.
        rfc1413_hosts: Str = Str::fixed("@[]"),
        /// Port for ident queries; for the test harness.
        rfc1413_port: Int = Int(113),
        /// Ident query timeout; 0 disables.
        rfc1413_query_timeout: Time = Time(0),
        /// Clients allowed unqualified senders.
        sender_unqualified_hosts: Str = Str::unset(),
        /// Log DNS lookups slower than this (ms).
        slow_lookup_log: Int = Int(0),
        /// Use SO_KEEPALIVE on incoming connections.
        smtp_accept_keepalive: bool = true,
        /// Concurrent incoming connection ceiling.
        smtp_accept_max: Int = Int(20),
        /// Non-mail command ceiling per session.
        smtp_accept_max_nonmail: Int = Int(10),
        /// Clients subject to non-mail ceiling.
        smtp_accept_max_nonmail_hosts: Str = Str::fixed("*"),
        /// MAIL commands accepted in one connection.
        smtp_accept_max_per_connection: Str = Str::fixed("1000"),
        /// Concurrent connections from one address.
        smtp_accept_max_per_host: Str = Str::unset(),
        /// Connection count above which mail just queues.
        smtp_accept_queue: Int = Int(0),
        /// Messages per connection delivered immediately.
        smtp_accept_queue_per_connection: Int = Int(10),
        /// Connections kept for smtp_reserve_hosts.
        smtp_accept_reserve: Int = Int(0),
        /// Host name presented on this connection.
        smtp_active_hostname: Str = Str::unset(),
        /// Log when listen backlog exceeds value.
        smtp_backlog_monitor: Int = Int(0),
        /// Initial 220 greeting text.
        smtp_banner: Str = Str::fixed("$smtp_active_hostname ESMTP Exim $version_number $tod_full"),
        /// Verify room when SIZE= given.
        smtp_check_spool_space: bool = true,
        /// listen() backlog argument.
        smtp_connect_backlog: Int = Int(20),
        /// Drop clients that talk out of turn.
        smtp_enforce_sync: bool = true,
        /// Command replacing default ETRN action.
        smtp_etrn_command: Str = Str::unset(),
        /// Forbid identical concurrent ETRN runs.
        smtp_etrn_serialize: bool = true,
        /// Load above which only reserved hosts connect.
        smtp_load_reserve: Fixed = Fixed(None),
        /// Syntax/protocol errors tolerated.
        smtp_max_synprot_errors: Int = Int(3),
        /// Unknown commands tolerated.
        smtp_max_unknown_commands: Int = Int(3),
        /// Clients whose command rate is limited.
        smtp_ratelimit_hosts: Str = Str::unset(),
        /// threshold,delay,factor,max for MAIL.
        smtp_ratelimit_mail: Str = Str::unset(),
        /// threshold,delay,factor,max for RCPT.
        smtp_ratelimit_rcpt: Str = Str::unset(),
        /// Inactivity timeout for SMTP input.
        smtp_receive_timeout: Str = Str::fixed("5m"),
        /// Clients entitled to reserved connections.
        smtp_reserve_hosts: Str = Str::unset(),
        /// Send verification details in rejections.
        smtp_return_error_details: bool = false,
        /// Clients offered SMTPUTF8.
        smtputf8_advertise_hosts: Str = Str::fixed("*"),
        /// spamd/rspamd server list with options.
        spamd_address: Str = Str::fixed("127.0.0.1 783"),
        /// Record text used by spf_guess condition.
        spf_guess: Str = Str::fixed("v=spf1 a/24 mx/24 ptr ?all"),
        /// Template for libspf2 SMTP comment.
        spf_smtp_comment_template: Str = Str::fixed("Please%_see%_http://www.open-spf.org/Why"),
        /// Hash spool into 62 subdirectories.
        split_spool_directory: bool = false,
        /// Root of spool tree.
        spool_directory: Str = Str::unset(),
        /// Allow CRLF wire-format data files.
        spool_wireformat: bool = false,
        /// Default database file for sqlite lookups.
        sqlite_dbfile: Str = Str::unset(),
        /// Wait for SQLite locks.
        sqlite_lock_timeout: Int = Int(5),
        /// All of SRS in one: secret:maxage:hashlength:usetimestamp:usehash.
        srs_config: Str = Str::unset(),
        /// Characters of the hash in a rewritten sender.
        srs_hashlength: Int = Int(6),
        /// Fewest characters that are enough on the way back; -1: srs_hashlength.
        srs_hashmin: Int = Int(-1),
        /// Days for which a rewritten sender can be used.
        srs_maxage: Int = Int(31),
        /// Secrets of sender rewriting: the first signs, all verify.
        srs_secrets: Str = Str::unset(),
        /// Put a hash into rewritten senders.
        srs_usehash: bool = true,
        /// Put a time stamp into rewritten senders.
        srs_usetimestamp: bool = true,
        /// Undefined ACL variable reference is an error.
        strict_acl_vars: bool = false,
        /// Accept and remove doubled angle brackets.
        strip_excess_angle_brackets: bool = false,
        /// Remove final dot from domains.
        strip_trailing_dot: bool = false,
        /// Write reject/panic lines also to mainlog syslog level.
        syslog_duplication: bool = true,
        /// Facility name for syslog.
        syslog_facility: Str = Str::unset(),
        /// Keep pid in syslog lines.
        syslog_pid: bool = true,
        /// Ident string for syslog, up to 32 characters.
        syslog_processname: Str = Str::fixed("exim"),
        /// Keep timestamps in syslog lines.
        syslog_timestamp: bool = true,
        /// Filter file run per message at delivery start.
        system_filter: Str = Str::unset(),
        /// Transport for directory saves from system filter.
        system_filter_directory_transport: Str = Str::unset(),
        /// Transport for file saves from system filter.
        system_filter_file_transport: Str = Str::unset(),
        /// Gid for system filter.
        system_filter_group: Str = Str::unset(),
        /// Transport for pipes from system filter.
        system_filter_pipe_transport: Str = Str::unset(),
        /// Transport for mail command from system filter.
        system_filter_reply_transport: Str = Str::unset(),
        /// Uid for system filter.
        system_filter_user: Str = Str::unset(),
        /// Set TCP_NODELAY on listening sockets.
        tcp_nodelay: bool = true,
        /// Frozen messages older than this are cancelled.
        timeout_frozen_after: Time = Time(0),
        /// TZ value for timestamps.
        timezone: Str = Str::unset(),
        /// Clients offered STARTTLS.
        tls_advertise_hosts: Str = Str::fixed("*"),
        /// Clients offered REQUIRETLS (inside TLS).
        tls_advertise_requiretls: Str = Str::unset(),
        /// ALPN names accepted by server.
        tls_alpn: Str = Str::fixed("smtp:esmtp"),
        /// Server certificate file(s), expanded per SNI.
        tls_certificate: Str = Str::unset(),
        /// Revocation list file or directory.
        tls_crl: Str = Str::unset(),
        /// Upper bound on DH prime size.
        tls_dh_max_bits: Int = Int(2236),
        /// DH parameters: file or built-in prime name.
        tls_dhparam: Str = Str::unset(),
        /// Clients sent banner before TLS1.3 client Finished.
        tls_early_banner_hosts: Str = Str::unset(),
        /// OpenSSL curve list or auto.
        tls_eccurve: Str = Str::fixed("auto"),
        /// Stapled OCSP response file(s).
        tls_ocsp_file: Str = Str::unset(),
        /// Ports using implicit TLS.
        tls_on_connect_ports: Str = Str::unset(),
        /// Server private key file(s).
        tls_privatekey: Str = Str::unset(),
        /// Stay in ESMTP state after STARTTLS.
        tls_remember_esmtp: bool = false,
        /// Server cipher specification.
        tls_require_ciphers: Str = Str::unset(),
        /// Clients offered session resumption.
        tls_resumption_hosts: Str = Str::unset(),
        /// Clients asked for certificate, failure allowed.
        tls_try_verify_hosts: Str = Str::unset(),
        /// Trust anchors for client certificates.
        tls_verify_certificates: Str = Str::fixed("system"),
        /// Clients that must present valid certificate.
        tls_verify_hosts: Str = Str::unset(),
        /// Groups whose members are trusted.
        trusted_groups: IdList = IdList::groups(),
        /// Trusted users.
        trusted_users: IdList = IdList::users(),
        /// Login assumed when caller uid is unknown.
        unknown_login: Str = Str::unset(),
        /// Full name assumed with unknown_login.
        unknown_username: Str = Str::unset(),
        /// Senders that untrusted callers may set.
        untrusted_set_sender: Str = Str::unset(),
        /// Regex recognising UUCP From line.
        uucp_from_pattern: Str = Str::fixed(UUCP_FROM_PATTERN),
        /// Expansion extracting sender from UUCP From line.
        uucp_from_sender: Str = Str::fixed("$1"),
        /// Template file for delay warnings.
        warn_message_file: Str = Str::unset(),
        /// Clients offered WELLKNOWN.
        wellknown_advertise_hosts: Str = Str::unset(),
        /// Whether a reject log is kept.
        write_rejectlog: bool = true,
    }
}
