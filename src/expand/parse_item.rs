//! The syntax of `${item ...}` (manual 11.5). Part of the parser.

use crate::parse::Space as _;
use bstr::ByteSlice;

use super::items::{ItemDef, Shape};
use super::parser::Parser;
use super::tree::{Body, Broken, ItemArgs, Node, Otherwise, Step, Subs};

impl Parser<'_> {
    /// After `${name` of an item.
    pub(super) fn item(&mut self, def: &'static ItemDef) -> Result<Node, Broken> {
        let mut args = Box::new(ItemArgs::default());
        match self.item_args(def, &mut args) {
            Ok(()) => Ok(Node::Item(def, args)),
            Err(error) => {
                let mut before: Vec<Step> = args.condition.into_iter().map(Step::Condition).collect();
                before.extend(args.subs.into_iter().map(Step::Body));
                Err(Broken { before, error })
            }
        }
    }

    fn item_args(&mut self, def: &ItemDef, args: &mut ItemArgs) -> Result<(), String> {
        match def.shape {
            Shape::Args(min, max) => self.subs(&mut args.subs, min, max, true, def.name),
            Shape::If => {
                let condition = self.condition()?;
                args.condition = Some(condition);
                self.yes_no(args, def.name)
            }
            Shape::Lookup => self.lookup(args, def.name),
            Shape::Extract => self.extract(args, def.name),
            Shape::ListExtract => {
                self.numbered(args, 1, def.name)?;
                let literal = args.subs.first().and_then(Body::as_literal);
                if let Some(number) = literal.filter(|_| !self.skipping) {
                    super::items::check_list_number(number)?;
                }
                self.numbered(args, 2, def.name)?;
                self.yes_no(args, def.name)
            }
            Shape::Env => {
                self.opening(format_args!("missing '{{' for name arg of {}", def.name))?;
                self.sub(&mut args.subs)?;
                self.yes_no(args, def.name)
            }
            Shape::CertExtract => {
                self.opening(format_args!("missing '{{' for field arg of certextract"))?;
                self.sub(&mut args.subs)?;
                self.cert_arg(args)?;
                self.yes_no(args, def.name)
            }
            Shape::Each => self.each(args, def.name),
            Shape::Sort => self.sort(args, def.name),
            Shape::Run => self.run(args, def.name),
            Shape::PrvsCheck => self.prvscheck(args, def.name),
            Shape::ReadSocket => self.readsocket(args, def.name),
        }
    }

    /// Skips space and takes an opening brace.
    fn opening(&mut self, message: std::fmt::Arguments<'_>) -> Result<(), String> {
        self.skip_space();
        if self.take(b'{') { Ok(()) } else { Err(self.curly(message.to_string())) }
    }

    /// After an opening brace: a string and its closing brace.
    pub(super) fn sub(&mut self, subs: &mut Subs) -> Result<(), String> {
        let body = self.body(true);
        let error = body.error().map(str::to_owned);
        subs.push(body);
        match error {
            Some(e) => Err(e),
            None => {
                self.pos += 1;
                Ok(())
            }
        }
    }

    /// As `sub`, but the string is not evaluated before a later error is found.
    fn lazy(&mut self) -> Result<Body, String> {
        let body = self.body(true);
        match body.error() {
            Some(e) => Err(e.to_owned()),
            None => {
                self.pos += 1;
                Ok(body)
            }
        }
    }

    /// From `min` to `max` strings in braces, then the closing brace if `close`.
    pub(super) fn subs(&mut self, subs: &mut Subs, min: usize, max: usize, close: bool, name: &str) -> Result<(), String> {
        self.skip_space();
        for n in 0..max {
            if !self.take(b'{') {
                if n < min {
                    return Err(self.curly(format!("Not enough arguments for '{name}' (min is {min})")));
                }
                break;
            }
            self.sub(subs)?;
            self.skip_space();
        }
        if close && !self.take(b'}') {
            return Err(if self.peek() == b'{' {
                format!("Too many arguments for '{name}' (max is {max})")
            } else {
                self.curly(format!("missing '}}' after '{name}'"))
            });
        }
        Ok(())
    }

    fn numbered(&mut self, args: &mut ItemArgs, n: usize, name: &str) -> Result<(), String> {
        self.opening(format_args!("missing '{{' for arg {n} of {name}"))?;
        self.sub(&mut args.subs)
    }

    fn yes_no_error(&self, wanted: &str) -> String {
        self.curly(format!(
            "curly-bracket problem in conditional yes/no parsing: {wanted}\n remaining string is '{}'",
            self.rest().as_bstr()
        ))
    }

    /// The success and failure strings, and the closing brace.
    pub(super) fn yes_no(&mut self, args: &mut ItemArgs, name: &str) -> Result<(), String> {
        self.skip_space();
        if self.take(b'}') {
            return Ok(());
        }
        if !self.take(b'{') {
            return Err(self.yes_no_error("'yes' part did not start with '{'"));
        }
        args.yes = Some(self.lazy()?);
        self.skip_space();
        if self.take(b'{') {
            args.no = Otherwise::Body(self.lazy()?);
        } else if self.peek() != b'}' || self.pos >= self.src.len() {
            if self.name(b"") != b"fail" {
                return Err(format!("syntax error in \"{name}\" item - \"fail\" expected"));
            }
            args.no = Otherwise::Fail;
        }
        self.skip_space();
        if self.take(b'}') { Ok(()) } else { Err(self.yes_no_error("did not close with '}'")) }
    }

    fn lookup(&mut self, args: &mut ItemArgs, name: &str) -> Result<(), String> {
        self.skip_space();
        let keyed = self.take(b'{');
        if keyed {
            self.sub(&mut args.subs)?;
            self.skip_space();
        }
        if !self.peek().is_ascii_alphabetic() {
            return Err(self.curly("missing lookup type"));
        }
        let rest = self.rest();
        let len = rest.iter().take_while(|c| **c != b'{' && !c.is_ascii_whitespace()).count();
        args.word = rest.get(..len).unwrap_or_default().into();
        self.pos += len;
        self.skip_space();
        let spec = crate::lookups::parse_type(&args.word)?;
        let single_key = !spec.driver().style().is_query();
        args.spec = Some(spec);
        if !keyed && single_key {
            return Err(format!("missing {{key}} for single-key \"{}\" lookup", args.word));
        }
        if keyed && !single_key {
            return Err(format!(
                "a single key was given for lookup type \"{}\", which is not a single-key lookup type",
                args.word
            ));
        }
        if !self.take(b'{') {
            return Err(self.curly("missing '{' for lookup file-or-query arg"));
        }
        self.sub(&mut args.subs)?;
        self.yes_no(args, name)
    }

    fn extract(&mut self, args: &mut ItemArgs, name: &str) -> Result<(), String> {
        self.skip_space();
        if self.rest().starts_with(b"json") {
            let len = if self.rest().starts_with(b"jsons") { 5 } else { 4 };
            args.word = self.rest().get(..len).unwrap_or_default().into();
            self.pos += len;
        }
        if self.skipping {
            return self.extract_any(args);
        }
        self.numbered(args, 1, name)?;
        let strings = match args.subs.first().and_then(Body::as_literal).map(|k| k.trim_space()) {
            // An error, but only if it is evaluated.
            Some(b"") => return self.extract_any(args),
            Some(key) if args.word.is_empty() && is_number(key) => 3,
            Some(_) => 2,
            // How many there are is known only when the first is evaluated.
            None if args.word.is_empty() => return self.extract_rest(args),
            None => 2,
        };
        for n in 2..=strings {
            self.numbered(args, n, name)?;
        }
        self.yes_no(args, name)
    }

    fn extract_any(&mut self, args: &mut ItemArgs) -> Result<(), String> {
        self.extract_rest(args)
    }

    /// Up to five strings and perhaps `fail`; which is which is decided by the evaluation.
    fn extract_rest(&mut self, args: &mut ItemArgs) -> Result<(), String> {
        self.skip_space();
        while args.subs.len() < 5 && self.take(b'{') {
            if args.subs.len() < 2 {
                self.sub(&mut args.subs)?;
            } else {
                let body = self.lazy()?;
                args.subs.push(body);
            }
            self.skip_space();
            if args.subs.len() == 4 {
                args.tail = self.rest().into();
            }
        }
        if self.rest().starts_with(b"fail") && !self.rest().get(4).is_some_and(|c| c.is_ascii_alphanumeric() || *c == b'_') {
            self.pos += 4;
            args.no = Otherwise::Fail;
            self.skip_space();
        }
        if self.take(b'}') { Ok(()) } else { Err(self.curly("missing '}' closing extract")) }
    }

    fn cert_arg(&mut self, args: &mut ItemArgs) -> Result<(), String> {
        self.skip_space();
        if !self.take(b'{') {
            return Err(self.curly("missing '{' for certificate variable arg of certextract"));
        }
        self.skip_space();
        if !self.take(b'$') {
            return Err(self.curly("second argument of \"certextract\" must be a certificate variable"));
        }
        args.word = self.name(b"").into();
        self.skip_space();
        if !self.take(b'}') {
            return Err(self.curly("missing '}' closing certificate variable arg of certextract"));
        }
        super::items::certextract::check_variable(&args.word)
    }

    /// `filter`, `map`, `reduce`.
    fn each(&mut self, args: &mut ItemArgs, name: &str) -> Result<(), String> {
        self.opening(format_args!("missing '{{' for first arg of {name}"))?;
        self.sub(&mut args.subs)?;
        if name == "reduce" {
            self.opening(format_args!("missing '{{' for second arg of {name}"))?;
            self.sub(&mut args.subs)?;
        }
        self.opening(format_args!("missing '{{' for last arg of {name}"))?;
        let outer = std::mem::replace(&mut self.skipping, true);
        if name == "filter" {
            let condition = self.condition().map_err(|e| format!("{e} inside \"{name}\" item"))?;
            args.each_condition = Some(Box::new(condition));
            self.skip_space();
            if !self.take(b'}') {
                return Err(self.curly(format!(
                    "missing }} at end of condition or expression inside \"{name}\"; could be an unquoted }} in the content"
                )));
            }
        } else {
            let body = self.body(true);
            match body.error() {
                // The reference takes the end of the string for the end of the item here.
                Some(e) => return Err(format!("{e} inside \"{name}\" item")),
                None => self.pos += 1,
            }
            args.each = Some(body);
        }
        self.skipping = outer;
        self.skip_space();
        if self.take(b'}') { Ok(()) } else { Err(self.curly(format!("missing }} at end of \"{name}\""))) }
    }

    fn sort(&mut self, args: &mut ItemArgs, name: &str) -> Result<(), String> {
        self.opening(format_args!("missing '{{' for list arg of sort"))?;
        self.sub(&mut args.subs)?;
        self.opening(format_args!("missing '{{' for comparator arg of sort"))?;
        self.sub(&mut args.subs)?;
        self.opening(format_args!("missing '{{' for extractor arg of sort"))?;
        let start = self.pos;
        let outer = std::mem::replace(&mut self.skipping, true);
        let body = self.lazy()?;
        self.skipping = outer;
        args.each_source = self.src.get(start..self.pos - 1).unwrap_or_default().into();
        args.each = Some(body);
        self.skip_space();
        if self.take(b'}') { Ok(()) } else { Err(self.curly(format!("missing }} at end of \"{name}\""))) }
    }

    fn run(&mut self, args: &mut ItemArgs, name: &str) -> Result<(), String> {
        while self.take(b',') {
            if self.rest().starts_with(b"preexpand") {
                args.preexpand = true;
                self.pos += 9;
            } else {
                let rest = self.rest();
                let len = 1 + rest.iter().skip(1).take_while(|c| c.is_ascii_alphanumeric()).count();
                return Err(format!("bad option '{}' for run", rest.get(..len).unwrap_or_default().as_bstr()));
            }
        }
        self.opening(format_args!("missing '{{' for command arg of run"))?;
        if args.preexpand {
            self.sub(&mut args.subs)?;
        } else {
            let start = self.pos;
            let body = self.body(true);
            if let Some(e) = body.error() {
                return Err(if e == "missing } at end of string" {
                    self.curly("missing '}' closing command arg of run")
                } else {
                    e.to_owned()
                });
            }
            args.raw = self.src.get(start..self.pos).unwrap_or_default().into();
            self.pos += 1;
        }
        self.yes_no(args, name)
    }

    fn prvscheck(&mut self, args: &mut ItemArgs, name: &str) -> Result<(), String> {
        self.subs(&mut args.subs, 1, 1, false, name)?;
        self.skip_space();
        if !self.take(b'{') {
            return Err(self.curly(format!("Not enough arguments for '{name}' (min is 1)")));
        }
        args.each = Some(self.lazy()?);
        self.skip_space();
        if self.take(b'{') {
            args.yes = Some(self.lazy()?);
            self.skip_space();
        }
        if self.take(b'}') {
            return Ok(());
        }
        Err(if self.peek() == b'{' {
            format!("Too many arguments for '{name}' (max is 2)")
        } else {
            self.curly(format!("missing '}}' after '{name}'"))
        })
    }

    /// The fifth string is expanded only on failure.
    fn readsocket(&mut self, args: &mut ItemArgs, name: &str) -> Result<(), String> {
        self.subs(&mut args.subs, 2, 4, false, name)?;
        self.skip_space();
        if self.take(b'{') {
            args.each = Some(self.lazy()?);
            self.skip_space();
        }
        if self.take(b'}') { Ok(()) } else { Err(self.curly("missing '}' closing readsocket")) }
    }
}

/// Is this (trimmed) key of `extract` a number?
pub fn is_number(key: &[u8]) -> bool {
    let digits = key.strip_prefix(b"-").unwrap_or(key);
    !key.is_empty() && digits.iter().all(u8::is_ascii_digit)
}
