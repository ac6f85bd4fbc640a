//! `pam`: Pluggable Authentication Modules, service `exim`. The library and the site's modules run in a process of their own,
//! which can be left when they take too long.

use std::time::{Duration, Instant};

use super::Call;
use crate::build_options as build;
use crate::context::Context;
use crate::expand::{ExpandError, failed};
use crate::foreign;
use crate::parse::list;
use crate::sys::{frames, pam as library};

/// How the program is called.
pub const FLAG: &[u8] = b"-Ypam";
const SERVICE: &[u8] = b"exim";
const ASK: u8 = b'A';
/// Modules wait a few seconds after a failure.
const PATIENCE: Duration = Duration::from_secs(60);

/// `pam`: the first item is the user, the others answer the modules' questions.
pub fn pam(ctx: &mut Context, call: Call<'_>) -> Result<bool, ExpandError> {
    if !build::SUPPORT_PAM {
        return super::auth::not_compiled(ctx, call);
    }
    let items: Vec<_> = list::items(call.arg(0)).collect();
    // PAM itself would ask for a name.
    if items.first().is_none_or(|user| user.is_empty()) {
        return Ok(false);
    }
    let request = frames::pack(&items);
    match foreign::ask(ctx, FLAG, Some(Instant::now() + PATIENCE), ASK, &request, |_| {}) {
        Ok(answer) => Ok(answer == b"yes"),
        Err(e) => failed(e),
    }
}

/// The whole life of the process that calls the library.
pub fn helper() -> i32 {
    foreign::answer(|_, request| {
        let mut items = frames::unpack(request).into_iter();
        let user = items.next().ok_or("bad request")?;
        let yes = library::authenticate(SERVICE, &user, items.collect())?;
        Ok(if yes { b"yes".to_vec() } else { b"no".to_vec() })
    })
}
