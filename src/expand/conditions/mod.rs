//! Conditions of `${if}` (manual 11.7): the table, and one file for each group. `and`, `or`, `forany` and `def` are
//! evaluated by `eval`; the rest get their expanded strings.

mod auth;
mod files;
mod ip;
mod lists;
mod numbers;
pub mod pam;
mod radius;
mod saslauthd;
mod strings;

pub use numbers::holds as holds_numbers;
pub use strings::{captured, holds as holds_strings, regex};

use std::sync::LazyLock;

use super::eval::Texts;
use super::names::Names;
use super::tree::{ListForm, RegexSlot};
use super::{ExpandError, Template};
use crate::context::Context;
use crate::text::Text;

/// The syntax of a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CondShape {
    /// `def:...`
    Def,
    /// Nothing.
    None,
    /// One string.
    One,
    /// Two strings.
    Two,
    /// A string, and a list that is not expanded.
    TwoList,
    /// Strings, from .. to, in an outer pair of braces.
    Braced(usize, usize),
    /// Strings, from .. to.
    Strings(usize, usize),
    /// `and`, `or`
    Group {
        /// `or`
        any: bool,
    },
    /// `forany` and such.
    ForEach {
        /// `forany...`
        any: bool,
        /// How the list is cut.
        form: ListForm,
    },
}

/// What a condition is called with.
pub struct Call<'a> {
    /// Its name.
    pub name: &'static str,
    /// Its strings, expanded.
    pub args: Texts,
    /// The list of `TwoList`.
    pub list: Option<&'a Template>,
    /// Where a regular expression may be kept, if the second string is fixed.
    pub regex: Option<&'a RegexSlot>,
}

impl Call<'_> {
    /// A string; empty if it was not given.
    pub fn arg(&self, n: usize) -> &Text {
        static NONE: Text = Text::new();
        self.args.get(n).unwrap_or(&NONE)
    }
}

/// Runs a condition.
pub type CondFn = fn(&mut Context, Call<'_>) -> Result<bool, ExpandError>;

/// One condition.
pub struct CondDef {
    /// Its name.
    pub name: &'static str,
    /// Its syntax.
    pub shape: CondShape,
    /// What it does.
    pub run: CondFn,
}

const fn cond(name: &'static str, shape: CondShape, run: CondFn) -> CondDef {
    CondDef { name, shape, run }
}

/// For those that `eval` handles itself.
const fn own(name: &'static str, shape: CondShape) -> CondDef {
    CondDef { name, shape, run: |_, _| Ok(false) }
}

const fn each(name: &'static str, any: bool, form: ListForm) -> CondDef {
    own(name, CondShape::ForEach { any, form })
}

/// All conditions.
pub static CONDITIONS: &[CondDef] = &[
    cond("<", CondShape::Two, numbers::compare),
    cond("<=", CondShape::Two, numbers::compare),
    cond("=", CondShape::Two, numbers::compare),
    cond("==", CondShape::Two, numbers::compare),
    cond(">", CondShape::Two, numbers::compare),
    cond(">=", CondShape::Two, numbers::compare),
    cond("acl", CondShape::Braced(1, 10), auth::acl),
    own("and", CondShape::Group { any: false }),
    cond("bool", CondShape::Strings(1, 1), strings::boolean),
    cond("bool_lax", CondShape::Strings(1, 1), strings::boolean),
    cond("crypteq", CondShape::Two, auth::crypteq),
    own("def", CondShape::Def),
    cond("eq", CondShape::Two, strings::compare),
    cond("eqi", CondShape::Two, strings::compare),
    cond("exists", CondShape::One, files::exists),
    cond("first_delivery", CondShape::None, files::first_delivery),
    each("forall", false, ListForm::Exim),
    each("forall_json", false, ListForm::Json),
    each("forall_jsons", false, ListForm::Jsons),
    each("forany", true, ListForm::Exim),
    each("forany_json", true, ListForm::Json),
    each("forany_jsons", true, ListForm::Jsons),
    cond("ge", CondShape::Two, strings::compare),
    cond("gei", CondShape::Two, strings::compare),
    cond("gt", CondShape::Two, strings::compare),
    cond("gti", CondShape::Two, strings::compare),
    cond("inbound_srs", CondShape::Strings(2, 2), auth::inbound_srs),
    cond("inlist", CondShape::Two, lists::inlist),
    cond("inlisti", CondShape::Two, lists::inlist),
    cond("isip", CondShape::One, ip::isip),
    cond("isip4", CondShape::One, ip::isip),
    cond("isip6", CondShape::One, ip::isip),
    cond("ldapauth", CondShape::One, auth::ldapauth),
    cond("le", CondShape::Two, strings::compare),
    cond("lei", CondShape::Two, strings::compare),
    cond("lt", CondShape::Two, strings::compare),
    cond("lti", CondShape::Two, strings::compare),
    cond("match", CondShape::Two, strings::matches),
    cond("match_address", CondShape::TwoList, lists::match_list),
    cond("match_domain", CondShape::TwoList, lists::match_list),
    cond("match_ip", CondShape::TwoList, lists::match_list),
    cond("match_local_part", CondShape::TwoList, lists::match_list),
    own("or", CondShape::Group { any: true }),
    cond("pam", CondShape::One, pam::pam),
    cond("pwcheck", CondShape::One, auth::not_compiled),
    cond("queue_running", CondShape::None, files::queue_running),
    cond("radius", CondShape::One, radius::radius),
    cond("saslauthd", CondShape::Braced(2, 4), saslauthd::saslauthd),
];

/// The condition of that name.
pub fn find(name: &[u8]) -> Option<&'static CondDef> {
    static NAMES: LazyLock<Names<CondDef>> = LazyLock::new(|| Names::new(CONDITIONS.iter(), |c| c.name));
    NAMES.find(name)
}
