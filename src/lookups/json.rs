//! `json`: a list of names and numbers leads through a JSON document (manual section 9.3).

use bstr::ByteSlice;
use serde_json::Value;

use super::check::read_file;
use super::driver::{Answer, Ask, Driver, Handle, Keep, Style};
use crate::context::Context;
use crate::parse::list::items;

/// The type.
pub struct Json;

impl Driver for Json {
    fn name(&self) -> &'static str {
        "json"
    }
    fn style(&self) -> Style {
        Style::File
    }
    fn open(&self, _: &mut Context, name: &[u8]) -> Result<Box<dyn Handle>, String> {
        Ok(Box::new(Open { data: read_file(name, "json search", "json")?, parsed: None }))
    }
}

struct Open {
    data: Vec<u8>,
    parsed: Option<Value>,
}

impl Handle for Open {
    fn find(&mut self, _: &mut Context, ask: &Ask<'_>) -> Answer {
        let root = match self.parsed.take() {
            Some(v) => v,
            None => match serde_json::from_slice(&self.data) {
                Ok(v) => v,
                Err(e) => return Answer::Defer(format!("json error on open: {e}\n")),
            },
        };
        let root = self.parsed.insert(root);
        let mut at = &*root;
        for step in items(ask.key) {
            let next = match at {
                Value::Object(map) => step.to_str().ok().and_then(|s| map.get(s)),
                Value::Array(list) => step.to_str().ok().and_then(|s| s.parse::<usize>().ok()).and_then(|i| list.get(i)),
                _ => None,
            };
            let Some(next) = next else { return Answer::NotFound(Keep::Always) };
            at = next;
        }
        let data = match at {
            Value::String(s) => s.clone().into_bytes(),
            v => show(v),
        };
        Answer::Found(data, Keep::Always)
    }
}

/// JSON text with a blank after each comma and colon, as the reference's library writes it.
pub fn show(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    write_value(&mut out, value);
    out
}

fn write_value(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Array(list) => {
            out.push(b'[');
            for (i, v) in list.iter().enumerate() {
                if i > 0 {
                    out.extend_from_slice(b", ");
                }
                write_value(out, v);
            }
            out.push(b']');
        }
        Value::Object(map) => {
            out.push(b'{');
            for (i, (k, v)) in map.iter().enumerate() {
                if i > 0 {
                    out.extend_from_slice(b", ");
                }
                out.extend_from_slice(Value::String(k.clone()).to_string().as_bytes());
                out.extend_from_slice(b": ");
                write_value(out, v);
            }
            out.push(b'}');
        }
        v => out.extend_from_slice(v.to_string().as_bytes()),
    }
}
