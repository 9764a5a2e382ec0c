//! The fields of a JSON object that a format asks for; the rest is checked and not kept.
//!
//! One object a line: an object that is spread over several lines is not supported. The decoder is serde_json; what is
//! added here is that only the wanted paths are decoded, borrowed where nothing is escaped, and that a line which is
//! JSON but for its characters (Latin-1 bytes, half a surrogate pair) is read with U+FFFD in their place.

use super::record::Text;
use super::repair::{repair, without_odd_numbers};
use crate::odd::{self, Odd};
use crate::{Found, Reject};
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

/// The node that all paths begin at.
const ROOT: usize = 0;

/// Names of a path at most.
const DEPTH_MAX: usize = 16;

/// The wanted paths, as a tree.
#[derive(Debug, Clone)]
pub(super) struct Paths {
    nodes: Vec<Node>,
    slots: usize,
}

#[derive(Debug, Clone, Default)]
struct Node {
    children: Vec<(Box<str>, usize)>,
    slot: Option<usize>,
}

/// What stands at a path.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value<'a> {
    /// A string.
    Text(Text<'a>),
    /// A whole number.
    Int(i64),
    /// Any other number.
    Float(f64),
    /// `true` or `false`.
    Bool(bool),
    /// `null`.
    Null,
    /// A list: its first string, and how many elements it has.
    List(Option<Text<'a>>, u32),
    /// An object.
    Object,
}

/// What stands at each path, in the order the paths were added.
pub(super) type Values<'a> = Vec<Option<Value<'a>>>;

impl Paths {
    /// No paths yet.
    pub(super) fn new() -> Self {
        Paths {
            nodes: vec![Node::default()],
            slots: 0,
        }
    }

    /// The tree of fixed paths.
    pub(super) fn of(paths: &[&str]) -> Self {
        let mut tree = Paths::new();
        for path in paths {
            // A path that is no path takes its slot all the same, and finds nothing.
            tree.slots = tree.add(path).map_or(tree.slots + 1, |_| tree.slots);
        }
        tree
    }

    /// Adds a dotted path (`context.mail.to`, `to.0` for a list's element) and gives its slot; a path that is there
    /// already keeps its own. A key `"context.mail.to"` of the whole object is found by the same path.
    pub(super) fn add(&mut self, path: &str) -> Result<usize, String> {
        self.slot_of(path).ok_or_else(|| {
            format!(
                "`{path}` is not a path: write at most {DEPTH_MAX} names joined by single dots, as in `context.mail.to`"
            )
        })
    }

    fn slot_of(&mut self, path: &str) -> Option<usize> {
        let names: Vec<&str> = path.split('.').collect();
        if names.len() > DEPTH_MAX || names.iter().any(|name| name.is_empty()) {
            return None;
        }
        let at = names.into_iter().try_fold(ROOT, |at, name| self.child(at, name))?;
        // Elastic's schema and lograge write the whole path as one key.
        let root = self.nodes.get_mut(ROOT)?;
        if path.contains('.') && !root.children.iter().any(|(name, _)| **name == *path) {
            root.children.push((path.into(), at));
        }
        let next = self.slots;
        let slot = *self.nodes.get_mut(at)?.slot.get_or_insert(next);
        self.slots = self.slots.max(slot + 1);
        Some(slot)
    }

    /// The child of that name, which is added if there is none.
    fn child(&mut self, at: usize, name: &str) -> Option<usize> {
        let next = self.nodes.len();
        let node = self.nodes.get_mut(at)?;
        if let Some((_, child)) = node.children.iter().find(|(child, _)| **child == *name) {
            return Some(*child);
        }
        node.children.push((name.into(), next));
        self.nodes.push(Node::default());
        Some(next)
    }

    /// Reads a line. A number that is none is null, and noted.
    ///
    /// # Errors
    /// Not one JSON object.
    pub(super) fn read<'a>(&self, line: &'a [u8], odd: &mut Option<Odd<'a>>) -> Result<Values<'a>, Reject> {
        match self.strict(line) {
            Ok(values) => Ok(values),
            Err(error) => self.repaired(line, odd).ok_or_else(|| reject(line, &error)),
        }
    }

    #[cold]
    fn repaired<'a>(&self, line: &'a [u8], odd: &mut Option<Odd<'a>>) -> Option<Values<'a>> {
        let owned_values = |line: &[u8]| Some(self.strict(line).ok()?.into_iter().map(owned).collect());
        if let Some(values) = repair(line).and_then(|line| owned_values(&line)) {
            return Some(values);
        }
        let (numbers, first) = without_odd_numbers(line)?;
        let values = owned_values(&numbers).or_else(|| owned_values(&repair(&numbers)?))?;
        odd::note(odd, "number", first);
        Some(values)
    }

    fn strict<'a>(&self, line: &'a [u8]) -> serde_json::Result<Values<'a>> {
        let mut values = vec![None; self.slots];
        let mut decoder = serde_json::Deserializer::from_slice(line);
        let nodes = &self.nodes;
        let node = nodes.get(ROOT).ok_or_else(|| Error::custom("no paths"))?;
        decoder.deserialize_map(Seed {
            nodes,
            node,
            values: &mut values,
        })?;
        decoder.end()?;
        Ok(values)
    }
}

impl<'a> Value<'a> {
    /// The value as text: a string, a list's first string, a number or a truth value as it is printed.
    pub(super) fn into_text(self) -> Option<Text<'a>> {
        let printed = match self {
            Value::Text(text) => return Some(text),
            Value::List(first, _) => return first,
            Value::Int(number) => number.to_string(),
            Value::Float(number) => number.to_string(),
            Value::Bool(truth) => truth.to_string(),
            Value::Null | Value::Object => return None,
        };
        Some(Cow::Owned(printed.into_bytes()))
    }
}

/// What stands in a slot.
pub(super) fn value_at<'v, 'a>(values: &'v Values<'a>, slot: usize) -> Option<&'v Value<'a>> {
    values.get(slot)?.as_ref()
}

/// Takes the value out of a slot.
pub(super) fn take_value<'a>(values: &mut Values<'a>, slot: usize) -> Option<Value<'a>> {
    values.get_mut(slot)?.take()
}

/// Takes the text out of a slot.
pub(super) fn take<'a>(values: &mut Values<'a>, slot: usize) -> Option<Text<'a>> {
    take_value(values, slot)?.into_text().filter(|text| !text.is_empty())
}

/// Where serde_json stopped and what it wanted there.
#[cold]
fn reject(line: &[u8], error: &serde_json::Error) -> Reject {
    use serde_json::error::Category;
    let start: usize = line
        .split_inclusive(|byte| *byte == b'\n')
        .take(error.line().saturating_sub(1))
        .map(<[u8]>::len)
        .sum();
    let offset = (start + error.column().saturating_sub(1)).min(line.len());
    let found = line.get(offset).map_or(Found::End, |byte| Found::Byte(*byte));
    match error.classify() {
        Category::Eof => Reject {
            offset: line.len(),
            expected: "the rest of the JSON object",
            found: Found::End,
        },
        Category::Data => Reject {
            offset: 0,
            expected: "one JSON object per line",
            found: line.first().map_or(Found::End, |byte| Found::Byte(*byte)),
        },
        Category::Syntax | Category::Io => Reject {
            offset,
            expected: "JSON",
            found,
        },
    }
}

fn owned(value: Option<Value<'_>>) -> Option<Value<'static>> {
    let keep = |text: Text<'_>| Cow::Owned(text.into_owned());
    Some(match value? {
        Value::Text(text) => Value::Text(keep(text)),
        Value::List(first, length) => Value::List(first.map(keep), length),
        Value::Int(number) => Value::Int(number),
        Value::Float(number) => Value::Float(number),
        Value::Bool(truth) => Value::Bool(truth),
        Value::Null => Value::Null,
        Value::Object => Value::Object,
    })
}

/// Decodes the value at one node of the tree into `values`.
struct Seed<'t, 'v, 'a> {
    nodes: &'t [Node],
    node: &'t Node,
    values: &'v mut Values<'a>,
}

impl<'a> Seed<'_, '_, 'a> {
    fn keep<E>(self, value: Value<'a>) -> Result<(), E> {
        if let Some(place) = self.node.slot.and_then(|slot| self.values.get_mut(slot)) {
            *place = Some(value);
        }
        Ok(())
    }
}

impl<'a> DeserializeSeed<'a> for Seed<'_, '_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, decoder: D) -> Result<(), D::Error> {
        decoder.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for Seed<'_, '_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("one JSON object per line")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        let nodes = self.nodes;
        if let Some(place) = self.node.slot.and_then(|slot| self.values.get_mut(slot)) {
            *place = Some(Value::Object);
        }
        while let Some(child) = map.next_key_seed(Key(&self.node.children))? {
            match child.and_then(|node| nodes.get(node)) {
                Some(node) => map.next_value_seed(Seed {
                    nodes,
                    node,
                    values: self.values,
                })?,
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut list: A) -> Result<(), A::Error> {
        let nodes = self.nodes;
        let here = self.node;
        let mut length = 0u32;
        let mut first = None;
        loop {
            let child = here.children.iter().find(|(name, _)| name.parse() == Ok(length));
            let more = match child.and_then(|(_, node)| nodes.get(*node)) {
                Some(node) => list
                    .next_element_seed(Seed {
                        nodes,
                        node,
                        values: self.values,
                    })?
                    .is_some(),
                None if length == 0 && here.slot.is_some() => match list.next_element::<Element<'a>>()? {
                    Some(Element(text)) => {
                        first = text;
                        true
                    }
                    None => false,
                },
                None => list.next_element::<IgnoredAny>()?.is_some(),
            };
            if !more {
                break;
            }
            length = length.saturating_add(1);
        }
        self.keep(Value::List(first, length))
    }

    fn visit_borrowed_str<E>(self, text: &'a str) -> Result<(), E> {
        self.keep(Value::Text(Cow::Borrowed(text.as_bytes())))
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.keep(Value::Text(Cow::Owned(text.as_bytes().to_vec())))
    }

    fn visit_i64<E>(self, number: i64) -> Result<(), E> {
        self.keep(Value::Int(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<(), E> {
        self.keep(match i64::try_from(number) {
            Ok(number) => Value::Int(number),
            Err(_) => Value::Float(number as f64),
        })
    }

    fn visit_f64<E>(self, number: f64) -> Result<(), E> {
        self.keep(Value::Float(number))
    }

    fn visit_bool<E>(self, truth: bool) -> Result<(), E> {
        self.keep(Value::Bool(truth))
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.keep(Value::Null)
    }
}

/// A key: the child of that name, if one is wanted. Nothing is allocated.
struct Key<'t>(&'t [(Box<str>, usize)]);

impl<'a> DeserializeSeed<'a> for Key<'_> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'a>>(self, decoder: D) -> Result<Self::Value, D::Error> {
        decoder.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<Self::Value, E> {
        Ok(self.0.iter().find(|(name, _)| **name == *key).map(|(_, node)| *node))
    }
}

/// A list's first element, if it is a string.
struct Element<'a>(Option<Text<'a>>);

impl<'a> serde::Deserialize<'a> for Element<'a> {
    fn deserialize<D: Deserializer<'a>>(decoder: D) -> Result<Self, D::Error> {
        let mut values = vec![None];
        let node = Node {
            children: Vec::new(),
            slot: Some(0),
        };
        Seed {
            nodes: &[],
            node: &node,
            values: &mut values,
        }
        .deserialize(decoder)?;
        let text = match values.pop().flatten() {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        };
        Ok(Element(text))
    }
}

#[cfg(test)]
mod tests;
