//! Templates of selectors: what a write purges. Where a part is missing the selector is widened,
//! never narrowed: too much goes, nothing stale stays. Only `on_write.missing = "skip"` leaves such
//! a selector out. It is widened too where a part is a digest that other nodes cannot make.

use super::diagnostic::{Code, Findings};
use super::expr::{Expr, Resolved};
use super::extract::{Datum, Given, QueryShape, ValueOf};
use super::names::Names;
use super::read::Text;
use super::scan::Slip;
use super::template::{Piece, Purpose, Template};
use crate::base::limits::KEY_BYTES_MAX;
use crate::entry::order::{Glob, Selector};

/// What kind of selector a template gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SelectorKind {
    /// A key, or a pattern where a star stands in it.
    Key,
    /// A prefix, cut where a part is missing.
    Prefix,
    /// A pattern.
    Pattern,
    /// A tag, or all that fit.
    Tag,
    /// A type, by name.
    Type,
    /// A route, by name.
    Rule,
    /// A tenant, by name.
    Tenant,
    /// A target.
    Url,
    /// Everything.
    All,
}

/// A selector as the rules have it.
#[derive(Clone, Debug)]
pub(super) struct SelectorTemplate {
    pub(super) kind: SelectorKind,
    pub(super) template: Template,
    /// As it stands in the file.
    pub(super) written: Text,
}

/// A selector of one write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedSelector {
    /// What goes.
    pub selector: Selector,
    /// Whether a part that is missing, or that other nodes cannot make, made it wider than the rule
    /// has it.
    pub widened: bool,
}

impl SelectorTemplate {
    /// Reads a selector, or tells what is wrong with it.
    pub(super) fn read(
        text: &Text,
        names: &Names,
        skip_missing: bool,
        found: &mut Findings,
    ) -> Option<Self> {
        let (kind, offset) = kind_of(&text.value);
        let purpose = if kind == SelectorKind::Url { Purpose::Target } else { Purpose::Selector };
        let rest = text.value.get(offset..).unwrap_or_default();
        let slips = Template::parse(rest, names, purpose)
            .map_err(|slips| moved(slips, offset))
            .and_then(|template| {
                let one = Self { kind, template, written: text.clone() };
                let refused = one.refusals(names, skip_missing);
                if refused.is_empty() { Ok(one) } else { Err(refused) }
            });
        let tell = |slips: Vec<Slip>| slips.into_iter().for_each(|slip| slip.tell(text, found));
        slips.map_err(tell).ok()
    }

    /// Why it cannot be used as it is.
    fn refusals(&self, names: &Names, skip_missing: bool) -> Vec<Slip> {
        let whole = 0..self.written.value.len();
        let slip = |message: String| Slip::new(Code::Selector, whole.clone(), message);
        let mut slips = Vec::new();
        if self.template.pieces.is_empty() && self.kind != SelectorKind::All {
            slips
                .push(slip("this selector names nothing".to_owned()).help("everything is \"all\""));
        }
        let parts = self.template.values().next().is_some();
        if parts && matches!(self.kind, SelectorKind::Type | SelectorKind::Rule) {
            slips.push(slip("`type:` and `rule:` take a name without parts".to_owned()));
        }
        if self.kind == SelectorKind::Tenant {
            slips.extend(self.no_tenant().map(slip));
        } else if self.kind == SelectorKind::Url {
            let first = self.template.pieces.first();
            if !matches!(first, Some(Piece::Text(text)) if is_target(text)) {
                slips
                    .push(slip("`url:` takes a target that begins with a slash or http://".into()));
            }
            if let Some(value) = self.template.values().find(|value| value.may_be_missing(names)) {
                let message = format!(
                    "`{{{}}}` may be missing, and a target cannot be widened",
                    value.written
                );
                slips.push(slip(message).help("use key:, prefix:, pattern: or tag:"));
            }
        } else if let (false, Some(value)) = (skip_missing, self.starts_open(names)) {
            let message =
                format!("`{{{}}}` may be missing, and no text stands before it", value.written);
            slips.push(slip(message).help(
                "the selector would be widened to everything: give it a prefix, a default, or \
                 on_write.missing = \"skip\"",
            ));
        }
        slips
    }

    /// Why it names no tenant: what is not the name of one cannot be widened either.
    fn no_tenant(&self) -> Option<String> {
        match self.template.pieces.as_ref() {
            [] => None,
            [Piece::Text(name)] if Selector::parse(&format!("tenant:{name}")).is_ok() => None,
            [Piece::Value(value)] if value.of == ValueOf::Tenant && value.steps.is_empty() => None,
            _ => Some("`tenant:` takes `{tenant}`, or one name as keys have it".to_owned()),
        }
    }

    /// The first value, if nothing that is always there stands before it and it may be missing.
    fn starts_open(&self, names: &Names) -> Option<&Expr> {
        match self.template.pieces.first() {
            Some(Piece::Value(value)) if value.may_be_missing(names) => Some(value),
            _ => None,
        }
    }

    /// The selector for one write. `None` when nothing can be stored under what it names, or when
    /// a part is missing and that means to leave it out.
    pub(super) fn plan(&self, given: &Given<'_>, skip_missing: bool) -> Option<PlannedSelector> {
        let shape = QueryShape { sorted: true, ignored: &[] };
        let mut text = String::new();
        let mut widened = false;
        for piece in &self.template.pieces {
            match piece {
                Piece::Text(own) => text.push_str(own),
                Piece::Value(value) => match value.resolve(given, &shape) {
                    Resolved::Text(own) => text.push_str(own),
                    // Nothing is stored under a key or tag of that length.
                    Resolved::Value(datum) if datum.bytes.len() > KEY_BYTES_MAX => return None,
                    Resolved::Value(datum) if !value.is_apart(given) => {
                        self.write_value(&datum, &mut text);
                    }
                    Resolved::Missing if skip_missing => return None,
                    Resolved::Missing | Resolved::Value(_) => {
                        widened = true;
                        if self.kind == SelectorKind::Tenant {
                            // Whose it is nobody knows: it may be anybody's.
                            return Some(PlannedSelector { selector: Selector::All, widened });
                        }
                        if self.kind == SelectorKind::Prefix {
                            break;
                        }
                        text.push('*');
                    }
                },
            }
        }
        if text.len() > KEY_BYTES_MAX {
            return None;
        }
        Some(PlannedSelector { selector: self.selector(text, widened), widened })
    }

    fn write_value(&self, datum: &Datum<'_>, text: &mut String) {
        // An empty value of a key is `%~`; in a target it is nothing.
        if self.kind != SelectorKind::Url || !datum.bytes.is_empty() {
            datum.write_escaped(text);
        }
    }

    fn selector(&self, text: String, widened: bool) -> Selector {
        match self.kind {
            SelectorKind::Prefix if text.is_empty() => Selector::All,
            SelectorKind::Prefix => Selector::Prefix(text),
            SelectorKind::Key if text.contains('*') => Selector::Pattern(Glob::new(&text)),
            SelectorKind::Key => Selector::Key(text),
            SelectorKind::Pattern => Selector::Pattern(Glob::new(&text)),
            SelectorKind::Tag if text.contains('*') => Selector::Tags(Glob::new(&text)),
            SelectorKind::Tag => Selector::Tag(text),
            SelectorKind::Type => Selector::Type(text),
            SelectorKind::Rule => Selector::Rule(text),
            SelectorKind::Tenant => Selector::of_tenant(&text),
            SelectorKind::Url if widened => Selector::All,
            SelectorKind::Url => Selector::Url(text),
            SelectorKind::All => Selector::All,
        }
    }

    /// The name in `type:NAME` or `rule:NAME`.
    pub(super) fn name(&self) -> &str {
        match self.template.pieces.as_ref() {
            [Piece::Text(name)] => name,
            _ => "",
        }
    }
}

/// The kind by the word before the first colon, and where the rest begins.
fn kind_of(text: &str) -> (SelectorKind, usize) {
    let words = [
        ("key:", SelectorKind::Key),
        ("prefix:", SelectorKind::Prefix),
        ("pattern:", SelectorKind::Pattern),
        ("tag:", SelectorKind::Tag),
        ("type:", SelectorKind::Type),
        ("rule:", SelectorKind::Rule),
        ("url:", SelectorKind::Url),
        ("tenant:", SelectorKind::Tenant),
    ];
    if text == "all" {
        return (SelectorKind::All, text.len());
    }
    let found = words.into_iter().find(|(word, _)| text.starts_with(word));
    found.map_or((SelectorKind::Key, 0), |(word, kind)| (kind, word.len()))
}

fn is_target(text: &str) -> bool {
    text.starts_with('/') || text.starts_with("http://") || text.starts_with("https://")
}

fn moved(slips: Vec<Slip>, by: usize) -> Vec<Slip> {
    slips
        .into_iter()
        .map(|slip| Slip { range: slip.range.start + by..slip.range.end + by, ..slip })
        .collect()
}
