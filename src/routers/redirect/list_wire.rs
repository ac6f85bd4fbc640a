//! The result of reading a list of addresses as the user, on its way back to the router.

use bstr::{BString, ByteSlice};

use crate::parse::forward::{ForwardEnd, ForwardItem, ForwardList, SkippedError};
use crate::pipe_fields::{In, Out};

/// As bytes.
pub fn encode(result: Result<ForwardList, ForwardEnd>) -> Vec<u8> {
    let mut o = Out::default();
    let mut field = |tag: u8, text: &[u8]| {
        o.num(i64::from(tag));
        o.bytes(text);
    };
    match result {
        Ok(list) => {
            for item in &list.items {
                match item {
                    ForwardItem::Address { address, qualified } => field(if *qualified { b'A' } else { b'a' }, address),
                    ForwardItem::Pipe(t) => field(b'P', t),
                    ForwardItem::File(t) => field(b'F', t),
                }
            }
            for e in &list.errors {
                field(b'e', e.message.as_bytes());
                field(b'i', &e.item);
            }
            field(b'O', b"");
        }
        Err(ForwardEnd::Fail(t)) => field(b'x', &t),
        Err(ForwardEnd::Defer(t)) => field(b'd', &t),
        Err(ForwardEnd::Blackhole) => field(b'b', b""),
        Err(ForwardEnd::IncludeFailed(t)) => field(b'I', t.as_bytes()),
        Err(ForwardEnd::Error(t)) => field(b'E', t.as_bytes()),
    }
    o.finish()
}

/// The other way.
pub fn decode(bytes: &[u8]) -> Result<ForwardList, ForwardEnd> {
    let broken = || ForwardEnd::Error("the process that read redirection data gave nonsense".into());
    let mut list = ForwardList::default();
    let mut i = In::new(bytes);
    loop {
        let tag = i.num().and_then(|t| u8::try_from(t).ok()).ok_or_else(broken)?;
        let text = i.bytes().ok_or_else(broken)?;
        let lossy = || text.to_str_lossy().into_owned();
        match tag {
            b'O' => break i.end().map(|()| list).ok_or_else(broken),
            b'A' | b'a' => list.items.push(ForwardItem::Address { address: text, qualified: tag == b'A' }),
            b'P' => list.items.push(ForwardItem::Pipe(text)),
            b'F' => list.items.push(ForwardItem::File(text)),
            b'e' => list.errors.push(SkippedError { message: lossy(), item: BString::default() }),
            b'i' => {
                if let Some(last) = list.errors.last_mut() {
                    last.item = text;
                }
            }
            b'x' => return Err(ForwardEnd::Fail(text)),
            b'd' => return Err(ForwardEnd::Defer(text)),
            b'b' => return Err(ForwardEnd::Blackhole),
            b'I' => return Err(ForwardEnd::IncludeFailed(lossy())),
            b'E' => return Err(ForwardEnd::Error(lossy())),
            _ => return Err(broken()),
        }
    }
}
