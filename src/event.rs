//! Events (manual chapter 61): `event_action` of the main section and of transports is expanded when something happens.
//!
//! The names from before (TPDA, 4.82 to 4.84) are known here only to say what to write instead.

use crate::context::Context;
use crate::deliver::raise_event;
use crate::text::Text;

/// Raises an event of a message or session with the main section's action. Some events take the text as a refusal.
pub fn raise(ctx: &mut Context, name: &str, data: &Text) -> Option<String> {
    let action = ctx.config.main.event_action.get().cloned();
    raise_event(ctx, action.as_ref(), name, data, 0).map(|t| t.display().into_owned())
}

/// Old options, and what has taken their place.
static OPTIONS: &[(&str, &str)] = &[
    ("delivery_event_action", "event_action"),
    ("tpda_delivery_action", "event_action, with the event msg:delivery"),
    ("tpda_event_action", "event_action"),
    ("tpda_host_defer_action", "event_action, with the event msg:host:defer"),
];

/// Old variables.
static VARIABLES: &[(&str, &str)] = &[
    ("tpda_data", "event_data"),
    ("tpda_defer_errno", "event_defer_errno"),
    ("tpda_defer_errstr", "event_data"),
    ("tpda_delivery_confirmation", "event_data"),
    ("tpda_delivery_domain", "domain"),
    ("tpda_delivery_fqdn", "host"),
    ("tpda_delivery_ip", "host_address"),
    ("tpda_delivery_local_part", "local_part"),
    ("tpda_delivery_port", "host_port"),
    ("tpda_event", "event_name"),
];

fn find(table: &'static [(&str, &str)], name: &[u8]) -> Option<&'static str> {
    table.iter().find(|(old, _)| old.as_bytes() == name).map(|(_, new)| *new)
}

/// What follows "option ... unknown".
pub fn renamed_option(name: &[u8]) -> String {
    find(OPTIONS, name).map(|new| format!(" (it is now {new})")).unwrap_or_default()
}

/// What follows "unknown variable name".
pub fn renamed_variable(name: &[u8]) -> Option<String> {
    find(VARIABLES, name).map(|new| format!("it is now ${new}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_names() {
        assert_eq!(renamed_option(b"tpda_event_action"), " (it is now event_action)");
        assert_eq!(renamed_option(b"event_action"), "");
        assert_eq!(renamed_variable(b"tpda_delivery_ip").as_deref(), Some("it is now $host_address"));
        assert_eq!(renamed_variable(b"tpda_delivery_ip2"), None);
    }
}
