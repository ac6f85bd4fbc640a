//! Events (manual chapter 61): `event_action` of the main section and of transports is expanded when something happens.

use crate::context::Context;
use crate::deliver::raise_event;
use crate::text::Text;

/// Raises an event of a message or session with the main section's action. Some events take the text as a refusal.
pub fn raise(ctx: &mut Context, name: &str, data: &Text) -> Option<String> {
    let action = ctx.config.main.event_action.get().cloned();
    raise_event(ctx, action.as_ref(), name, data, 0).map(|t| t.display().into_owned())
}
