//! Types whose servers' client code is not written yet: they are known, quote their strings, and say so when used.

use super::driver::{Driver, Handle, Style};
use super::quote;
use crate::context::Context;

type Quote = fn(&[u8], Option<&[u8]>) -> Option<Vec<u8>>;

/// A type that is only a name.
pub struct Missing {
    name: &'static str,
    style: Style,
    quote: Option<Quote>,
}

macro_rules! missing {
    ($($id:ident $name:literal $style:ident $quote:expr;)*) => {
        $(#[doc = concat!("`", $name, "`")] pub static $id: Missing = Missing { name: $name, style: Style::$style, quote: $quote };)*
    };
}

fn plain(f: fn(&[u8]) -> Vec<u8>, text: &[u8], option: Option<&[u8]>) -> Option<Vec<u8>> {
    option.is_none().then(|| f(text))
}

missing! {
    NISPLUS "nisplus" Query Some(|t, o| plain(quote::nisplus, t, o));
    ORACLE "oracle" Query Some(|t, o| plain(quote::oracle, t, o));
    WHOSON "whoson" Query None;
}

impl Driver for Missing {
    fn name(&self) -> &'static str {
        self.name
    }
    fn style(&self) -> Style {
        self.style
    }
    fn open(&self, _: &mut Context, _: &[u8]) -> Result<Box<dyn Handle>, String> {
        Err(format!("lookup type \"{}\" is not implemented", self.name))
    }
    fn quote(&self, text: &[u8], option: Option<&[u8]>) -> Option<Option<Vec<u8>>> {
        self.quote.map(|q| q(text, option))
    }
    fn built_in(&self) -> bool {
        false
    }
}
