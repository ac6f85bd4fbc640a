//! `nis` and `nis0`: the maps of a NIS domain (manual section 9.3). The library may wait for a server for ever, so it is called in
//! a process of its own.

use std::time::{Duration, Instant};

use bstr::ByteSlice;

use super::driver::{Answer, Ask, Driver, Handle, Keep, Style};
use crate::context::Context;
use crate::foreign;
use crate::sys::{frames, nis};

/// The type: with a zero after each key, or without.
pub struct Nis {
    pub zero: bool,
}

/// How the program is called.
pub const FLAG: &[u8] = b"-Ynis";
const FIND: u8 = b'F';
const PATIENCE: Duration = Duration::from_secs(30);

impl Driver for Nis {
    fn name(&self) -> &'static str {
        if self.zero { "nis0" } else { "nis" }
    }
    fn style(&self) -> Style {
        Style::Key
    }
    fn open(&self, _: &mut Context, map: &[u8]) -> Result<Box<dyn Handle>, String> {
        nis::available().map_err(|e| format!("NIS lookup: {e}"))?;
        Ok(Box::new(Open { map: map.to_vec(), zero: self.zero }))
    }
    fn built_in(&self) -> bool {
        crate::build_options::LOOKUP_NIS
    }
    fn available(&self) -> bool {
        nis::available().is_ok()
    }
}

struct Open {
    map: Vec<u8>,
    zero: bool,
}

impl Handle for Open {
    fn find(&mut self, ctx: &mut Context, ask: &Ask<'_>) -> Answer {
        let mut key = ask.key.to_vec();
        if self.zero {
            key.push(0);
        }
        let request = frames::pack([&self.map, &key]);
        match foreign::ask(ctx, FLAG, Some(Instant::now() + PATIENCE), FIND, &request, |_| {}) {
            Ok(answer) => match answer.split_first() {
                Some((b'+', value)) => Answer::Found(value.to_vec(), Keep::Always),
                _ => Answer::NotFound(Keep::Always),
            },
            Err(e) => Answer::Defer(format!("NIS lookup in map {}: {e}", self.map.as_bstr())),
        }
    }
}

/// The whole life of the process that calls the library.
pub fn helper() -> i32 {
    foreign::answer(|_, request| {
        let parts = frames::unpack(request);
        let [map, key] = parts.as_slice() else { return Err("bad request".into()) };
        Ok(nis::find(map, key)?.map_or(b"-".to_vec(), |v| [b"+", &v[..]].concat()))
    })
}
