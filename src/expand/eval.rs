//! Evaluation of parsed strings. Strings that are not wanted are never touched: their syntax was checked by the parser.

use smallvec::SmallVec;

use super::tree::{Body, Broken, CondArg, Condition, ConditionKind, ItemArgs, ListForm, Node, Otherwise, Step};
use super::{ExpandError, conditions, failed, headers, list};
use crate::context::Context;
use crate::text::Text;

/// How deep evaluations may be nested, all kinds together.
const MAX_DEPTH: u32 = 400;
/// The longest result, in bytes.
pub const MAX_RESULT: usize = 64 << 20;

/// A whole string.
pub fn whole(ctx: &mut Context, body: &Body) -> Result<Text, ExpandError> {
    text(ctx, body)
}

/// The value of a string.
pub fn text(ctx: &mut Context, body: &Body) -> Result<Text, ExpandError> {
    let mut out = Text::new();
    append(ctx, body, &mut out)?;
    Ok(out)
}

/// Appends the value of a string.
pub fn append(ctx: &mut Context, body: &Body, out: &mut Text) -> Result<(), ExpandError> {
    if let [Node::Literal(t)] = body.nodes.as_slice() {
        out.push_bytes(t);
        return Ok(());
    }
    if ctx.scratch.expansion_depth >= MAX_DEPTH {
        return failed("expansion nested too deeply");
    }
    ctx.scratch.expansion_depth += 1;
    let mut result = Ok(());
    for n in &body.nodes {
        result = node(ctx, n, out);
        if result.is_err() {
            break;
        }
        if out.as_bytes().len() > MAX_RESULT {
            result = failed("expansion result is too long");
            break;
        }
    }
    ctx.scratch.expansion_depth -= 1;
    result
}

fn node(ctx: &mut Context, node: &Node, out: &mut Text) -> Result<(), ExpandError> {
    match node {
        Node::Literal(t) => out.push_bytes(t),
        Node::Variable(v) => {
            if let Some(t) = v.value(ctx)? {
                out.take(t);
            }
        }
        Node::Header(form, name) => {
            if let Some(t) = headers::find(ctx, *form, name)? {
                out.take(t);
            }
        }
        Node::Item(def, args) => (def.run)(ctx, args, out)?,
        Node::Operator(def, arg, body) => {
            let subject = text(ctx, body)?;
            out.take((def.run)(ctx, def.name, arg.as_deref().map(|a| &**a), subject)?);
        }
        Node::CertOperator(def, arg, slot) => {
            let value = match (slot.pem(ctx), def.cert) {
                (Some(pem), Some(run)) => run(&pem, arg.as_deref().map(|a| &**a))?,
                _ => (def.run)(ctx, def.name, arg.as_deref().map(|a| &**a), Text::new())?,
            };
            out.take(value);
        }
        Node::Broken(b) => return broken(ctx, b),
    }
    Ok(())
}

/// What stands before a syntax error may fail first.
fn broken(ctx: &mut Context, b: &Broken) -> Result<(), ExpandError> {
    before(ctx, b)?;
    failed(b.error.clone())
}

fn before(ctx: &mut Context, b: &Broken) -> Result<(), ExpandError> {
    for step in &b.before {
        match step {
            Step::Condition(c) => {
                condition(ctx, c)?;
            }
            Step::Body(body) => {
                let mut ignored = Text::new();
                for n in &body.nodes {
                    match n {
                        Node::Broken(inner) => before(ctx, inner)?,
                        n => node(ctx, n, &mut ignored)?,
                    }
                }
            }
        }
    }
    Ok(())
}

/// The values of the strings of an item or a condition.
pub type Texts = SmallVec<[Text; 3]>;

/// All strings of an item that are always expanded.
pub fn subs(ctx: &mut Context, args: &ItemArgs) -> Result<Texts, ExpandError> {
    let mut texts = Texts::new();
    for b in &args.subs {
        texts.push(text(ctx, b)?);
    }
    Ok(texts)
}

/// The success or failure string of an item with `$value` set to `value` in the success string only.
/// Without strings, the result is the value itself.
pub fn yes_no(ctx: &mut Context, args: &ItemArgs, name: &str, value: Option<Text>, out: &mut Text) -> Result<(), ExpandError> {
    match (value, &args.yes) {
        (Some(v), None) => out.take(v),
        (Some(v), Some(yes)) => {
            let saved = ctx.scratch.value.replace(v);
            let result = append(ctx, yes, out);
            ctx.scratch.value = saved;
            result?;
        }
        (None, _) => otherwise(ctx, args, name, out)?,
    }
    Ok(())
}

/// The failure string.
pub fn otherwise(ctx: &mut Context, args: &ItemArgs, name: &str, out: &mut Text) -> Result<(), ExpandError> {
    match &args.no {
        Otherwise::Empty => Ok(()),
        Otherwise::Body(b) => append(ctx, b, out),
        Otherwise::Fail => Err(ExpandError::Forced(format!("\"{name}\" failed and \"fail\" requested"))),
    }
}

/// Is the condition true?
pub fn condition(ctx: &mut Context, c: &Condition) -> Result<bool, ExpandError> {
    if ctx.scratch.expansion_depth >= MAX_DEPTH {
        return failed("expansion nested too deeply");
    }
    ctx.scratch.expansion_depth += 1;
    let result = condition_kind(ctx, &c.kind);
    ctx.scratch.expansion_depth -= 1;
    Ok(result? != c.negate)
}

fn condition_kind(ctx: &mut Context, kind: &ConditionKind) -> Result<bool, ExpandError> {
    match kind {
        ConditionKind::Def(v) => v.defined(ctx),
        ConditionKind::DefHeader(name) => Ok(headers::exists(ctx, name)),
        ConditionKind::Test(def, args, regex) => {
            let mut texts = Texts::new();
            let mut list = None;
            for a in args {
                match a {
                    CondArg::Body(b) => texts.push(text(ctx, b)?),
                    CondArg::List(t) => list = Some(t),
                }
            }
            let fixed = match args.get(1) {
                Some(CondArg::Body(b)) => b.as_literal().is_some(),
                _ => false,
            };
            let regex = fixed.then_some(regex);
            (def.run)(ctx, conditions::Call { name: def.name, args: texts, list, regex })
        }
        ConditionKind::Group { any, list } => {
            let name = if *any { "or" } else { "and" };
            for c in list {
                let yes = condition(ctx, c).map_err(|e| e.map(|m| format!("{m} inside \"{name}{{...}}\" condition")))?;
                if yes == *any {
                    return Ok(*any);
                }
            }
            Ok(!*any)
        }
        ConditionKind::ForEach { name, any, form, list, condition: each } => {
            let subject = text(ctx, list)?;
            for_each(ctx, name, *any, *form, &subject, each)
        }
    }
}

fn for_each(
    ctx: &mut Context,
    name: &str,
    any: bool,
    form: ListForm,
    subject: &Text,
    each: &Condition,
) -> Result<bool, ExpandError> {
    match form {
        ListForm::Exim => for_items(ctx, name, any, list::split_text(subject), each),
        ListForm::Json | ListForm::Jsons => {
            let items = super::items::json::array(subject, form == ListForm::Jsons)?;
            for_items(ctx, name, any, items.into_iter(), each)
        }
    }
}

fn for_items(
    ctx: &mut Context,
    name: &str,
    any: bool,
    items: impl Iterator<Item = Text>,
    each: &Condition,
) -> Result<bool, ExpandError> {
    let saved = ctx.scratch.item.take();
    // An empty list is false for `forall` too, as it is with the reference.
    let mut result = Ok(false);
    for item in items {
        ctx.scratch.item = Some(item);
        match condition(ctx, each) {
            Ok(yes) if yes == any => {
                result = Ok(any);
                break;
            }
            Ok(yes) => result = Ok(yes),
            Err(e) => {
                result = Err(e.map(|m| format!("{m} inside \"{name}\" condition")));
                break;
            }
        }
    }
    ctx.scratch.item = saved;
    result
}
