//! The caller's login and full name: the user data base, `unknown_login`, `gecos_pattern` (manual chapter 14).
//!
//! Called once at the start, when the configuration is known.

use bstr::{BString, ByteSlice};

use crate::context::Context;
use crate::expand;
use crate::sys::pcre;
use crate::sys::users;
use crate::text::Text;

/// Login and full name of the caller.
pub fn find(ctx: &mut Context) -> Result<(BString, BString), String> {
    let config = ctx.config.clone();
    let mut tries = config.main.finduser_retries.0.clamp(0, 10);
    let user = loop {
        match users::user_by_id(ctx.run.real_uid) {
            Ok(user) => break user,
            Err(_) if tries > 0 => {
                tries -= 1;
                crate::sys::time::sleep_ms(1000);
            }
            Err(_) => break None,
        }
    };
    let mut login = user.as_ref().map(|u| u.name.clone());
    let mut name = match &user {
        Some(u) => full_name(ctx, &u.name, &u.gecos)?,
        None => BString::default(),
    };
    // In the test harness the name is the same whoever runs it.
    if (login.is_none() || ctx.run.test_harness)
        && let Some(unknown) = config.main.unknown_login.get()
    {
        let text = expand::expand(ctx, unknown).map_err(|e| format!("failed to expand unknown_login: {e}"))?;
        login = Some(text.into_bytes().into());
        if let Some(n) = config.main.unknown_username.raw() {
            name = n.into();
        } else if user.is_none() {
            name = BString::default();
        }
    }
    let uid = ctx.run.real_uid;
    login.map(|l| (l, name)).ok_or_else(|| format!("failed to get user name for uid {uid}"))
}

/// The name in a gecos field: cut out by gecos_pattern, or whole; `&` stands for the login with a capital.
fn full_name(ctx: &mut Context, login: &[u8], gecos: &[u8]) -> Result<BString, String> {
    let mut capital = BString::from(login);
    if let Some(first) = capital.first_mut() {
        first.make_ascii_uppercase();
    }
    let gecos = BString::from(gecos.replace(b"&", &capital));
    let config = ctx.config.clone();
    let (Some(pattern), Some(template)) = (config.main.gecos_pattern.raw(), config.main.gecos_name.get()) else {
        return Ok(gecos);
    };
    let regex = pcre::Regex::new(pattern, pcre::Options::default())
        .map_err(|e| format!("failed to compile gecos_pattern \"{}\": {e}", pattern.as_bstr()))?;
    let Ok(Some(found)) = regex.find(&gecos) else { return Ok(gecos) };
    let captures = (0..found.len()).map(|i| found.get(&gecos, i).map(Text::clean)).collect();
    let before = std::mem::replace(&mut ctx.scratch.numeric, captures);
    let result = expand::expand(ctx, template);
    ctx.scratch.numeric = before;
    match result {
        Ok(text) => Ok(text.into_bytes().into()),
        Err(e) => Err(format!("failed to expand \"gecos_name\" in Exim configuration: {e}")),
    }
}
