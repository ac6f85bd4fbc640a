//! Option tables: one declaration for each option gives the struct's field, its default, the parser of its
//! value, the error for a wrong value, and what `-bP` prints.
//!
//! A struct declared with [`options!`](crate::options) implements [`OptionSet`]; the configuration reader
//! and `-bP` use nothing else. The driver's own file holds its table.

use bstr::{BString, ByteSlice};

use crate::expand::Template;

/// What the reader hands to an option: the text after `=`, or a bare (perhaps negated) name.
#[derive(Clone, Debug)]
pub enum Given<'a> {
    /// `name = value`; the value is unquoted, with the escapes of a quoted string already done.
    Value(&'a [u8]),
    /// `name` or, for booleans, `no_name`/`not_name`.
    Bare(bool),
}

/// One option's value.
pub trait OptionValue {
    /// Takes the configured value. The error is the text that follows the file and line.
    fn set(&mut self, name: &str, given: &Given<'_>) -> Result<(), String>;
    /// What `-bP` prints for it, without a newline; `hide` is dealt with by the caller.
    fn show(&self, name: &str) -> BString;
    /// True for options that may stand without a value.
    fn is_bool(&self) -> bool {
        false
    }
    /// The text as configured, for options that are one string.
    fn raw_text(&self) -> Option<BString> {
        None
    }
    /// True for options whose value may be written as a quoted string.
    fn is_string(&self) -> bool {
        false
    }
    /// The option as a list of users or groups, if it is one: the reader expands it when all is read.
    fn id_list(&mut self) -> Option<&mut IdList> {
        None
    }
    /// True for options that may be given more than once in an instance (`condition`, `headers_add`, `set`...).
    fn repeatable(&self) -> bool {
        false
    }
}

/// A struct of options.
pub trait OptionSet {
    /// All names, in alphabetical order.
    fn names(&self) -> &'static [&'static str];
    /// The option of that name.
    fn option(&self, name: &str) -> Option<&dyn OptionValue>;
    /// The option of that name, to be changed.
    fn option_mut(&mut self, name: &str) -> Option<&mut dyn OptionValue>;
}

/// Declares a struct of options: `name: Type = default,`, or `field as "name": Type = default,`.
#[macro_export]
macro_rules! options {
    (@name $field:ident) => { stringify!($field) };
    (@name $field:ident $name:literal) => { $name };
    ($(#[$sm:meta])* pub struct $struct:ident {
        $($(#[$m:meta])* $field:ident $(as $name:literal)? : $ty:ty = $default:expr,)*
    }) => {
        $(#[$sm])*
        #[derive(Clone, Debug)]
        pub struct $struct { $($(#[$m])* pub $field: $ty,)* }
        impl Default for $struct {
            fn default() -> Self { $struct { $($field: $default,)* } }
        }
        impl $crate::config::options::OptionSet for $struct {
            fn names(&self) -> &'static [&'static str] {
                &[$($crate::options!(@name $field $($name)?)),*]
            }
            fn option(&self, name: &str) -> Option<&dyn $crate::config::options::OptionValue> {
                $(if name == $crate::options!(@name $field $($name)?) { return Some(&self.$field); })*
                let _ = name;
                None
            }
            fn option_mut(&mut self, name: &str) -> Option<&mut dyn $crate::config::options::OptionValue> {
                $(if name == $crate::options!(@name $field $($name)?) { return Some(&mut self.$field); })*
                let _ = name;
                None
            }
        }
    };
}

/// A string, expanded or not as its user decides; also every kind of list.
#[derive(Clone, Debug, Default)]
pub struct Str(Option<Template>);

impl Str {
    /// Not set.
    pub const fn unset() -> Self {
        Str(None)
    }
    /// A default that stands in the table.
    pub fn fixed(s: &str) -> Self {
        Str(Some(Template::new(s.as_bytes())))
    }
    /// A value made by the program while it starts.
    pub fn from_bytes(s: &[u8]) -> Self {
        Str(Some(Template::new(s)))
    }
    /// True when there is a value.
    pub fn is_set(&self) -> bool {
        self.0.is_some()
    }
    /// The value, ready to be expanded.
    pub fn get(&self) -> Option<&Template> {
        self.0.as_ref()
    }
    /// The text as configured.
    pub fn raw(&self) -> Option<&[u8]> {
        self.0.as_ref().map(Template::raw)
    }
}

impl OptionValue for Str {
    fn set(&mut self, name: &str, given: &Given<'_>) -> Result<(), String> {
        *self = Str::from_bytes(value(name, given)?);
        Ok(())
    }
    fn raw_text(&self) -> Option<BString> {
        self.raw().map(BString::from)
    }
    fn is_string(&self) -> bool {
        true
    }
    fn show(&self, name: &str) -> BString {
        shown(name, self.raw().unwrap_or_default())
    }
}

/// A string option that may be repeated; how the values are joined depends on the option.
#[derive(Clone, Debug, Default)]
pub struct RepStr {
    /// The values in the order given.
    pub values: Vec<Template>,
}

impl RepStr {
    /// Not set.
    pub const fn unset() -> Self {
        RepStr { values: Vec::new() }
    }
    /// True when at least one value was given.
    pub fn is_set(&self) -> bool {
        !self.values.is_empty()
    }
}

impl OptionValue for RepStr {
    fn set(&mut self, name: &str, given: &Given<'_>) -> Result<(), String> {
        self.values.push(Template::new(value(name, given)?));
        Ok(())
    }
    fn show(&self, name: &str) -> BString {
        let all: Vec<&[u8]> = self.values.iter().map(Template::raw).collect();
        match (name, all.as_slice()) {
            // Each is a list itself.
            ("headers_remove", [_, ..]) => {
                let names: Vec<_> = all.iter().flat_map(|l| crate::parse::list::items(l)).collect();
                shown(name, &bstr::join(b":", names))
            }
            (_, [] | [_]) => shown(name, &all.concat()),
            ("condition", _) => {
                let tests: Vec<u8> = all.iter().flat_map(|c| [b"{bool_lax{", *c, b"}}"].concat()).collect();
                shown(name, &[b"${if and{", tests.as_slice(), b"}}"].concat())
            }
            ("set", _) => shown(name, &bstr::join(b";", all)),
            _ => shown(name, &bstr::join(b"\n", all)),
        }
    }
    fn is_string(&self) -> bool {
        true
    }
    fn repeatable(&self) -> bool {
        true
    }
}

fn shown(name: &str, value: &[u8]) -> BString {
    let mut s = BString::from(name);
    s.extend_from_slice(b" = ");
    s.extend_from_slice(&crate::log::escape::printing(value, true));
    s
}

/// A value that has no text to show: nothing follows the `=`.
fn shown_unset(name: &str) -> BString {
    format!("{name} =").into()
}

fn value<'a>(name: &str, given: &Given<'a>) -> Result<&'a [u8], String> {
    match given {
        Given::Value(v) => Ok(v),
        Given::Bare(_) => Err(format!("unexpected end of line (data missing) after {name}")),
    }
}

impl OptionValue for bool {
    fn set(&mut self, name: &str, given: &Given<'_>) -> Result<(), String> {
        *self = match given {
            Given::Bare(b) => *b,
            Given::Value(v) => {
                let end = v.iter().position(|c| !c.is_ascii_alphabetic()).unwrap_or(v.len());
                let (word, rest) = v.split_at(end);
                let on = match word.to_ascii_lowercase().as_slice() {
                    b"true" | b"yes" => true,
                    b"false" | b"no" => false,
                    _ => return Err(format!("\"{}\" is not a valid value for the \"{name}\" option", v.as_bstr())),
                };
                if !rest.trim().is_empty() {
                    return Err(format!("extra characters follow \"{}\" for boolean option {name}", word.as_bstr()));
                }
                on
            }
        };
        Ok(())
    }
    fn show(&self, name: &str) -> BString {
        if *self { name.into() } else { format!("no_{name}").into() }
    }
    fn is_bool(&self) -> bool {
        true
    }
}

/// A boolean that may also be given as a string to be expanded.
#[derive(Clone, Debug)]
pub enum ExpBool {
    /// Given as a boolean, or the default.
    Fixed(bool),
    /// To be expanded when needed.
    Expanded(Template),
}

impl ExpBool {
    /// A default.
    pub const fn fixed(b: bool) -> Self {
        ExpBool::Fixed(b)
    }
}

impl OptionValue for ExpBool {
    fn set(&mut self, name: &str, given: &Given<'_>) -> Result<(), String> {
        *self = match given {
            Given::Value(v) if v.contains(&b'$') => ExpBool::Expanded(Template::new(v)),
            _ => {
                let mut b = false;
                b.set(name, given)?;
                ExpBool::Fixed(b)
            }
        };
        Ok(())
    }
    fn show(&self, name: &str) -> BString {
        match self {
            ExpBool::Fixed(b) => b.show(name),
            ExpBool::Expanded(t) => shown(name, t.raw()),
        }
    }
    fn is_string(&self) -> bool {
        true
    }
    fn is_bool(&self) -> bool {
        true
    }
}

/// An integer of 32 bits, decimal, octal (leading 0) or hexadecimal (0x), with an optional K, M or G.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Int(pub i64);

impl OptionValue for Int {
    fn set(&mut self, name: &str, given: &Given<'_>) -> Result<(), String> {
        self.0 = super::values::read_int(name, value(name, given)?)?;
        Ok(())
    }
    fn show(&self, name: &str) -> BString {
        shown(name, self.0.to_string().as_bytes())
    }
}

/// A size in bytes: an integer of 64 bits, shown with K, M or G where that is exact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size(pub i64);

impl OptionValue for Size {
    fn set(&mut self, name: &str, given: &Given<'_>) -> Result<(), String> {
        self.0 = super::values::read_size(name, value(name, given)?)?;
        Ok(())
    }
    fn show(&self, name: &str) -> BString {
        let n = self.0;
        let text = match n {
            0 => "0".to_string(),
            _ if n % (1 << 30) == 0 => format!("{}G", n >> 30),
            _ if n % (1 << 20) == 0 => format!("{}M", n >> 20),
            _ if n % (1 << 10) == 0 => format!("{}K", n >> 10),
            _ => n.to_string(),
        };
        shown(name, text.as_bytes())
    }
}

/// A colon-separated list of users (or groups), by name or number; expanded. Shown by name.
#[derive(Clone, Debug, Default)]
pub struct IdList {
    text: Str,
    groups: bool,
    /// The ids, once the reader has worked them out.
    pub ids: Vec<u32>,
}

impl IdList {
    /// Users, not set.
    pub const fn users() -> Self {
        IdList { text: Str::unset(), groups: false, ids: Vec::new() }
    }
    /// Groups, not set.
    pub const fn groups() -> Self {
        IdList { text: Str::unset(), groups: true, ids: Vec::new() }
    }
    /// True when there is a value.
    pub fn is_set(&self) -> bool {
        self.text.is_set()
    }
    /// The value, ready to be expanded.
    pub fn get(&self) -> Option<&Template> {
        self.text.get()
    }
    /// The text as configured.
    pub fn raw(&self) -> Option<&[u8]> {
        self.text.raw()
    }
    /// Does it hold groups?
    pub fn of_groups(&self) -> bool {
        self.groups
    }
}

impl OptionValue for IdList {
    fn set(&mut self, name: &str, given: &Given<'_>) -> Result<(), String> {
        self.text.set(name, given)?;
        if !value(name, given)?.contains(&b'$') {
            self.ids = super::ids::list(value(name, given)?, self.groups)?;
        }
        Ok(())
    }
    fn show(&self, name: &str) -> BString {
        if self.ids.is_empty() {
            return shown_unset(name);
        }
        let names: Vec<BString> = self.ids.iter().map(|id| super::ids::name_of(*id, self.groups)).collect();
        shown(name, &bstr::join(b":", names))
    }
    fn is_string(&self) -> bool {
        true
    }
    fn id_list(&mut self) -> Option<&mut IdList> {
        Some(self)
    }
}

/// A file mode, always octal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Octal(pub u32);

impl OptionValue for Octal {
    fn set(&mut self, name: &str, given: &Given<'_>) -> Result<(), String> {
        self.0 = super::values::read_octal(name, value(name, given)?)?;
        Ok(())
    }
    fn show(&self, name: &str) -> BString {
        shown(name, format!("{:#o}", self.0).replace("0o", "0").as_bytes())
    }
}

/// A number with at most three decimal digits, kept in thousandths; `None` is unset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fixed(pub Option<i64>);

impl OptionValue for Fixed {
    fn set(&mut self, name: &str, given: &Given<'_>) -> Result<(), String> {
        self.0 = Some(super::values::read_fixed(name, value(name, given)?)?);
        Ok(())
    }
    fn show(&self, name: &str) -> BString {
        match self.0 {
            None => shown_unset(name),
            Some(n) if n % 1000 == 0 => shown(name, format!("{}.0", n / 1000).as_bytes()),
            Some(n) => shown(name, format!("{}.{:03}", n / 1000, n % 1000).trim_end_matches('0').as_bytes()),
        }
    }
}

/// A time interval in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Time(pub i64);

impl OptionValue for Time {
    fn set(&mut self, name: &str, given: &Given<'_>) -> Result<(), String> {
        self.0 = super::values::read_time_option(name, value(name, given)?)?;
        Ok(())
    }
    fn show(&self, name: &str) -> BString {
        shown(name, super::values::show_time(self.0).as_bytes())
    }
}

/// A colon-separated list of time intervals in seconds (`delay_warning`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeList(pub Vec<i64>);

impl OptionValue for TimeList {
    fn set(&mut self, name: &str, given: &Given<'_>) -> Result<(), String> {
        self.0 = super::values::read_time_list(name, value(name, given)?)?;
        Ok(())
    }
    fn show(&self, name: &str) -> BString {
        let all: Vec<String> = self.0.iter().map(|t| super::values::show_time(*t)).collect();
        shown(name, all.join(":").as_bytes())
    }
}
