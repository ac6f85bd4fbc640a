//! The syntax of conditions (manual 11.7 and 11.8). Part of the parser.

use bstr::{BStr, ByteSlice};
use smallvec::smallvec;

use super::conditions::{self, CondShape};
use super::parser::{MAX_NESTING, Parser};
use super::tree::{Body, CondArg, CondArgs, Condition, ConditionKind, ListForm, RegexSlot, Subs};
use super::{Template, variables};

impl Parser<'_> {
    /// A condition. Its strings that were parsed before an error are dropped: only their data could fail earlier.
    pub(super) fn condition(&mut self) -> Result<Condition, String> {
        self.depth += 1;
        let result = if self.depth > MAX_NESTING { Err("expansion nested too deeply".into()) } else { self.one_condition() };
        self.depth -= 1;
        result
    }

    fn one_condition(&mut self) -> Result<Condition, String> {
        let mut negate = false;
        loop {
            self.skip_space();
            if !self.take(b'!') {
                break;
            }
            negate = !negate;
        }
        let name = self.condition_name();
        if name.is_empty() {
            let rest: &BStr = self.rest().as_bstr();
            let shown = rest.get(..16).unwrap_or(rest);
            return Err(format!("condition name expected, but found \"{}\"", shown.as_bstr()));
        }
        let Some(def) = conditions::find(name) else {
            return Err(format!("unknown condition \"{}\"", name.as_bstr()));
        };
        let kind = match def.shape {
            CondShape::Def => self.def()?,
            CondShape::None => ConditionKind::Test(def, CondArgs::new(), RegexSlot::new()),
            CondShape::One => {
                self.cond_opening(def.name)?;
                let body = self.cond_string()?;
                ConditionKind::Test(def, smallvec![CondArg::Body(body)], RegexSlot::new())
            }
            CondShape::Two => {
                let args = self.two(def.name, false)?;
                ConditionKind::Test(def, args, RegexSlot::new())
            }
            CondShape::TwoList => {
                let args = self.two(def.name, true)?;
                ConditionKind::Test(def, args, RegexSlot::new())
            }
            CondShape::Braced(min, max) => {
                self.cond_opening(def.name)?;
                let args = self.some_strings(def.name, min, max, true)?;
                ConditionKind::Test(def, args, RegexSlot::new())
            }
            CondShape::Strings(min, max) => {
                let args = self.some_strings(def.name, min, max, false)?;
                ConditionKind::Test(def, args, RegexSlot::new())
            }
            CondShape::Group { any } => self.group(def.name, any)?,
            CondShape::ForEach { any, form } => self.for_each(def.name, any, form)?,
        };
        Ok(Condition { negate, kind })
    }

    fn condition_name(&mut self) -> &[u8] {
        let rest = self.rest();
        let len = match rest {
            [b'=' | b'<' | b'>', b'=', ..] => 2,
            [b'=' | b'<' | b'>', ..] => 1,
            _ => return self.name(b""),
        };
        self.pos += len;
        rest.get(..len).unwrap_or_default()
    }

    fn cond_opening(&mut self, name: &str) -> Result<(), String> {
        self.skip_space();
        if self.take(b'{') { Ok(()) } else { Err(format!("missing {{ after \"{name}\"")) }
    }

    fn cond_string(&mut self) -> Result<Body, String> {
        let body = self.body(true);
        match body.error() {
            Some(e) => Err(e.to_owned()),
            None => {
                self.pos += 1;
                Ok(body)
            }
        }
    }

    fn def(&mut self) -> Result<ConditionKind, String> {
        if !self.take(b':') {
            return Err("\":\" expected after \"def\"".into());
        }
        if let Some((_, name)) = self.header_name() {
            return Ok(ConditionKind::DefHeader(name));
        }
        let name = self.name(b"");
        if name.is_empty() {
            return Err("variable name omitted after \"def:\"".into());
        }
        match variables::resolve(name) {
            Some(v) => Ok(ConditionKind::Def(v)),
            None => Err(variables::unknown(format!("unknown variable \"{}\" after \"def:\"", name.as_bstr()), name)),
        }
    }

    fn two(&mut self, name: &str, list: bool) -> Result<CondArgs, String> {
        self.cond_opening(name)?;
        let first = self.cond_string()?;
        self.skip_space();
        if !self.take(b'{') {
            return Err(format!("missing 2nd string in {{}} after \"{name}\""));
        }
        let outer = self.honour_dollar;
        self.honour_dollar = outer && !list;
        let second = self.cond_string();
        self.honour_dollar = outer;
        let second = second?;
        let second = match second.as_literal() {
            // Address lists proper are not expanded; a list of IP addresses is, as any host list.
            Some(text) if name == "match_ip" => CondArg::List(Template::new(text)),
            Some(text) if list => CondArg::List(Template::literal(text)),
            _ => CondArg::Body(second),
        };
        Ok(smallvec![CondArg::Body(first), second])
    }

    fn some_strings(&mut self, name: &str, min: usize, max: usize, close: bool) -> Result<CondArgs, String> {
        let mut subs = Subs::new();
        self.skip_space();
        if !close && self.peek() != b'{' && name.starts_with("bool") {
            return Err(format!("missing {{ after \"{name}\""));
        }
        self.subs(&mut subs, min, max, close, name).map_err(|e| {
            if e.starts_with("Not enough arguments") || e.starts_with("missing '}' after") {
                format!("too few arguments or bracketing error for {name}")
            } else if e.starts_with("Too many arguments") {
                format!("too many arguments for {name}")
            } else {
                e
            }
        })?;
        Ok(subs.into_iter().map(CondArg::Body).collect())
    }

    fn group(&mut self, name: &'static str, any: bool) -> Result<ConditionKind, String> {
        self.cond_opening(name)?;
        let mut list = Vec::new();
        loop {
            self.skip_space();
            if self.take(b'}') {
                return Ok(ConditionKind::Group { any, list });
            }
            if !self.take(b'{') {
                return Err(format!("each subcondition inside an \"{name}{{...}}\" condition must be in its own {{}}"));
            }
            let condition = self.condition().map_err(|e| format!("{e} inside \"{name}{{...}}\" condition"))?;
            self.skip_space();
            if !self.take(b'}') {
                return Err(format!("missing }} at end of condition inside \"{name}\" group"));
            }
            list.push(condition);
        }
    }

    fn for_each(&mut self, name: &'static str, any: bool, form: ListForm) -> Result<ConditionKind, String> {
        self.cond_opening(name)?;
        let list = self.cond_string()?;
        self.cond_opening(name)?;
        let outer = std::mem::replace(&mut self.skipping, true);
        let condition = self.condition().map_err(|e| format!("{e} inside \"{name}\" condition"))?;
        self.skipping = outer;
        self.skip_space();
        if !self.take(b'}') {
            return Err(format!("missing }} at end of condition inside \"{name}\""));
        }
        Ok(ConditionKind::ForEach { name, any, form, list, condition: Box::new(condition) })
    }
}
