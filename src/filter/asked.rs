//! What a filter asks for, and how that crosses the pipe from the process that ran it.

use bstr::BString;

use crate::pipe_fields::{In, Out};
use crate::route::address::ReplyInfo;
use crate::text::Text;

/// How a filter ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum End {
    /// Without a significant delivery: the address goes on.
    #[default]
    NotDelivered,
    /// With one: nothing else is delivered.
    Delivered,
    /// `defer`
    Defer(Text),
    /// `fail`
    Fail(Text),
    /// `freeze`
    Freeze(Text),
    /// A mistake in the filter, or in what it was given.
    Error(String),
}

/// A delivery that is to be made.
#[derive(Clone, Debug, Default)]
pub struct Generated {
    /// Of what kind.
    pub what: What,
    /// Where its bounces go.
    pub errors_to: Option<Text>,
    /// A filter asked for it, not a list of addresses.
    pub of_filter: bool,
    /// Its failure is nobody's business (`noerror`).
    pub ignore_error: bool,
}

/// The kinds of deliveries.
#[derive(Clone, Debug)]
pub enum What {
    /// To an address; without a domain if `qualified` is false.
    Address {
        /// The address.
        address: BString,
        /// It has a domain.
        qualified: bool,
    },
    /// Into a file, or a directory (`/` at its end).
    File {
        /// Its name.
        path: Text,
        /// Its mode, if it is not the transport's.
        mode: Option<u32>,
    },
    /// To a command: `|command`.
    Pipe {
        /// The command.
        command: Text,
        /// It is to be expanded, with these numbered variables and this `$thisaddress`.
        expand: Option<(Vec<Option<Text>>, Option<Text>)>,
    },
    /// A reply.
    Reply(Box<ReplyInfo>),
}

impl Default for What {
    fn default() -> Self {
        What::Address { address: BString::default(), qualified: false }
    }
}

/// The result of a filter.
#[derive(Clone, Debug, Default)]
pub struct Filtered {
    /// How it ended.
    pub end: End,
    /// The deliveries, in their order.
    pub items: Vec<Generated>,
    /// `$n0` to `$n9`
    pub n: [i64; 10],
}

impl Filtered {
    /// A filter with a mistake asks for nothing.
    pub fn error(message: impl Into<String>) -> Self {
        Filtered { end: End::Error(message.into()), ..Filtered::default() }
    }

    /// As bytes.
    pub fn encode(&self, o: &mut Out) {
        let (kind, text) = match &self.end {
            End::NotDelivered => (0, None),
            End::Delivered => (1, None),
            End::Defer(t) => (2, Some(t.clone())),
            End::Fail(t) => (3, Some(t.clone())),
            End::Freeze(t) => (4, Some(t.clone())),
            End::Error(m) => (5, Some(Text::clean(m.as_bytes()))),
        };
        o.num(kind);
        o.text(text.as_ref());
        o.count(self.items.len());
        for item in &self.items {
            item.encode(o);
        }
        for n in self.n {
            o.num(n);
        }
    }

    /// From bytes.
    pub fn decode(i: &mut In<'_>) -> Option<Filtered> {
        let kind = i.num()?;
        let text = i.text()?.unwrap_or_default();
        let end = match kind {
            0 => End::NotDelivered,
            1 => End::Delivered,
            2 => End::Defer(text),
            3 => End::Fail(text),
            4 => End::Freeze(text),
            _ => End::Error(text.to_string()),
        };
        let mut items = Vec::new();
        for _ in 0..i.count()? {
            items.push(Generated::decode(i)?);
        }
        let mut n = [0; 10];
        for place in &mut n {
            *place = i.num()?;
        }
        Some(Filtered { end, items, n })
    }
}

impl Generated {
    /// The same as the words of the user who wrote the filter: the delivery runs as that user, whatever stands in it.
    #[must_use]
    pub fn users_own(mut self) -> Self {
        let clean = |t: &mut Text| *t = Text::clean(t.to_vec());
        match &mut self.what {
            What::Address { .. } => {}
            What::File { path, .. } => clean(path),
            What::Pipe { command, expand } => {
                clean(command);
                if let Some((numeric, this)) = expand {
                    numeric.iter_mut().flatten().chain(this).for_each(clean);
                }
            }
            What::Reply(r) => r.fields.values_mut().for_each(clean),
        }
        self
    }

    fn encode(&self, o: &mut Out) {
        match &self.what {
            What::Address { address, qualified } => {
                o.num(i64::from(*qualified));
                o.bytes(address);
            }
            What::File { path, mode } => {
                o.num(2);
                o.text(Some(path));
                o.num(mode.map_or(-1, i64::from));
            }
            What::Pipe { command, expand } => {
                o.num(3);
                o.text(Some(command));
                o.num(i64::from(expand.is_some()));
                if let Some((numeric, this)) = expand {
                    o.count(numeric.len());
                    for n in numeric {
                        o.text(n.as_ref());
                    }
                    o.text(this.as_ref());
                }
            }
            What::Reply(r) => {
                o.num(4);
                encode_reply(r, o);
            }
        }
        o.text(self.errors_to.as_ref());
        o.num(i64::from(self.ignore_error));
    }

    fn decode(i: &mut In<'_>) -> Option<Generated> {
        let what = match i.num()? {
            q @ (0 | 1) => What::Address { address: i.bytes()?, qualified: q == 1 },
            2 => What::File { path: i.text()?.unwrap_or_default(), mode: u32::try_from(i.num()?).ok() },
            3 => {
                let command = i.text()?.unwrap_or_default();
                let mut expand = None;
                if i.num()? == 1 {
                    let mut numeric = Vec::new();
                    for _ in 0..i.count()? {
                        numeric.push(i.text()?);
                    }
                    expand = Some((numeric, i.text()?));
                }
                What::Pipe { command, expand }
            }
            4 => What::Reply(Box::new(decode_reply(i)?)),
            _ => return None,
        };
        Some(Generated { what, of_filter: true, errors_to: i.text()?, ignore_error: i.num()? == 1 })
    }
}

/// The names that a reply's fields have in [`ReplyInfo`].
pub const REPLY_FIELDS: [&str; 11] = ["to", "cc", "bcc", "from", "reply_to", "subject", "headers", "text", "file", "log", "once"];

fn encode_reply(r: &ReplyInfo, o: &mut Out) {
    for name in REPLY_FIELDS {
        o.text(r.fields.get(name));
    }
    o.num(r.once_repeat);
    o.num(i64::from(r.file_expand) | i64::from(r.return_message) << 1);
    o.num(i64::from(r.expand_forbid));
}

fn decode_reply(i: &mut In<'_>) -> Option<ReplyInfo> {
    let mut r = ReplyInfo::default();
    for name in REPLY_FIELDS {
        if let Some(value) = i.text()? {
            r.fields.insert(name, value);
        }
    }
    r.once_repeat = i.num()?;
    let bits = i.num()?;
    (r.file_expand, r.return_message) = (bits & 1 != 0, bits & 2 != 0);
    r.expand_forbid = u32::try_from(i.num()?).ok()?;
    Some(r)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn across_the_pipe() {
        let mut reply = ReplyInfo { once_repeat: 9, file_expand: true, ..ReplyInfo::default() };
        reply.fields.insert("to", Text::tainted("a@b"));
        let one = |what| Generated { what, of_filter: true, errors_to: Some(Text::clean("x@y")), ignore_error: true };
        let f = Filtered {
            end: End::Freeze(Text::tainted("why")),
            items: vec![
                one(What::Address { address: "a".into(), qualified: true }),
                one(What::File { path: Text::clean("/x"), mode: Some(0o600) }),
                one(What::Pipe { command: Text::clean("c $1"), expand: Some((vec![None, Some(Text::clean("1"))], None)) }),
                one(What::Reply(Box::new(reply))),
            ],
            n: [7; 10],
        };
        let mut o = Out::default();
        f.encode(&mut o);
        let bytes = o.finish();
        let mut i = In::new(&bytes);
        let back = Filtered::decode(&mut i).unwrap();
        assert!(i.end().is_some());
        assert_eq!(format!("{back:?}"), format!("{f:?}"));
        for n in 0..bytes.len() {
            let mut i = In::new(&bytes[..n]);
            assert!(Filtered::decode(&mut i).and_then(|_| i.end()).is_none());
        }
    }
}
