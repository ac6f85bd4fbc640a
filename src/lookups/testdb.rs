//! `testdb` and its variants: answers that the query itself asks for. For tests of configurations.

use super::driver::{Answer, Ask, Driver, Handle, Keep, Style};
use crate::context::Context;

/// One of the variants.
pub struct Testdb {
    name: &'static str,
    quoter: bool,
}

/// The plain one.
pub static TESTDB: Testdb = Testdb { name: "testdb", quoter: true };
/// Another type with the same answers: its quoting is not testdb's.
pub static TESTDB2: Testdb = Testdb { name: "testdb2", quoter: true };
/// Without quoting.
pub static TESTDB_NQ: Testdb = Testdb { name: "testdb_nq", quoter: false };

impl Driver for Testdb {
    fn name(&self) -> &'static str {
        self.name
    }
    fn style(&self) -> Style {
        Style::Query
    }
    fn open(&self, _: &mut Context, _: &[u8]) -> Result<Box<dyn Handle>, String> {
        Ok(Box::new(Open))
    }
    fn quote(&self, text: &[u8], option: Option<&[u8]>) -> Option<Option<Vec<u8>>> {
        self.quoter.then(|| option.is_none().then(|| text.to_vec()))
    }
}

struct Open;

impl Handle for Open {
    fn find(&mut self, _: &mut Context, ask: &Ask<'_>) -> Answer {
        match &ask.key[..] {
            b"fail" => Answer::NotFound(Keep::Always),
            b"defer" => Answer::Defer("testdb lookup forced DEFER".into()),
            b"nocache" => Answer::Found(ask.key.to_vec(), Keep::ForgetAll),
            query => Answer::Found(query.to_vec(), Keep::Always),
        }
    }
}
