//! What `-d+hints_lookup` shows: a data base that says what is read, written and deleted. Used by [`super::open`] only.

use std::sync::Arc;

use bstr::ByteSlice;

use super::{HintsDb, HintsStore, Mode, Result};
use crate::context::Run;
use crate::log::trace;

/// Opens a data base; one that speaks if the run wants to hear it.
pub fn open_traced(store: &dyn HintsStore, run: &Arc<Run>, name: &str, mode: Mode) -> Result<Option<Box<dyn HintsDb>>> {
    let opened = store.open(name, mode);
    if run.debug & trace::HINTS == 0 {
        return opened;
    }
    match &opened {
        Ok(Some(_)) => trace::early(run, format_args!("opened hints database {name}")),
        Ok(None) => trace::early(run, format_args!("hints database {name} does not exist")),
        Err(e) => trace::early(run, format_args!("{e}")),
    }
    Ok(opened?.map(|db| Box::new(Traced { db, name: name.into(), run: Arc::clone(run) }) as Box<dyn HintsDb>))
}

struct Traced {
    db: Box<dyn HintsDb>,
    name: String,
    run: Arc<Run>,
}

impl Traced {
    fn say(&self, what: &str, key: &[u8], end: &str) {
        trace::early(&self.run, format_args!("hints database {}: {what} {}{end}", self.name, key.as_bstr()));
    }
}

impl HintsDb for Traced {
    fn read(&mut self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        let found = self.db.read(key)?;
        self.say("read", key, if found.is_some() { ": found" } else { ": not found" });
        Ok(found)
    }
    fn write(&mut self, key: &[u8], data: &[u8]) -> Result<()> {
        self.say("write", key, "");
        self.db.write(key, data)
    }
    fn delete(&mut self, key: &[u8]) -> Result<bool> {
        let found = self.db.delete(key)?;
        self.say("delete", key, if found { ": found" } else { ": not found" });
        Ok(found)
    }
    fn next(&mut self, after: Option<&[u8]>) -> Result<Option<(Vec<u8>, Vec<u8>)>> {
        self.db.next(after)
    }
    fn begin(&mut self) -> Result<()> {
        self.db.begin()
    }
    fn commit(&mut self) -> Result<()> {
        self.db.commit()
    }
    fn rollback(&mut self) -> Result<()> {
        self.db.rollback()
    }
}
