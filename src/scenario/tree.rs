//! YAML as a tree that knows the line of each value.
//!
//! The tree stands between the text and the typed file for two reasons: `--set` changes a value
//! before it is understood, and an error names the line even when the mistake is only found by
//! looking at several fields together. Scalars stay text; whoever reads one knows what it means.

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;
use serde::Deserializer;
use serde::de;
use serde::de::IntoDeserializer;
use serde_saphyr::RenderOptions;
use serde_saphyr::SnippetMode;
use serde_saphyr::Spanned;
use serde_saphyr::UserMessageFormatter;
use serde_saphyr::options::DuplicateKeyPolicy;
use thiserror::Error;

use super::error::Fault;
use super::error::Place;

/// Deeper than any scenario.
const DEPTH_MAX: usize = 16;

/// One value and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    place: Place,
    value: Value,
}

#[derive(Debug, Clone, PartialEq)]
enum Value {
    Empty,
    Scalar(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// Where a field stands: in a map, or in a list.
enum Found<'a> {
    Entry(&'a mut Vec<Entry>, usize),
    Item(&'a mut Vec<Node>, usize),
}

#[derive(Debug, Clone, PartialEq)]
struct Entry {
    key: String,
    key_place: Place,
    node: Node,
}

/// A value for a field, from the command line: `load.seed=9`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    /// The field, as `load.stages.2.at` or `load.stages.burst.at`.
    pub field: String,
    /// The value, as YAML; empty takes the field out.
    pub value: String,
}

/// The text was not `KEY=VALUE`.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("is not KEY=VALUE, as load.seed=9 or load.stages.2.at=600/s")]
pub struct OverrideError;

// === impl Override ===

impl FromStr for Override {
    type Err = OverrideError;

    fn from_str(text: &str) -> Result<Self, OverrideError> {
        let (field, value) = text.split_once('=').ok_or(OverrideError)?;
        if field.is_empty() || field.split('.').any(str::is_empty) {
            return Err(OverrideError);
        }
        Ok(Self { field: field.to_owned(), value: value.to_owned() })
    }
}

// === impl Node ===

impl Node {
    /// Reads YAML text. Bounds on nesting and aliases are those of the parser. Keys that are there
    /// twice stay, so that they can be told with all else that is wrong.
    pub(super) fn parse(text: &str) -> Result<Self, Fault> {
        let options = serde_saphyr::options! { duplicate_keys: DuplicateKeyPolicy::PassThrough };
        serde_saphyr::from_str_with_options(text, options).map_err(|error| {
            let mut options = RenderOptions::new(&UserMessageFormatter);
            options.snippets = SnippetMode::Off;
            let message = error.render_with_options(options);
            let fault = Fault::new(format!("is not YAML: {message}"));
            match error.location() {
                Some(location) => fault.at(Place::Line(location.line())),
                None => fault,
            }
        })
    }

    /// Puts a value where the command line wants it.
    pub(super) fn set(&mut self, change: &Override) -> Result<(), Fault> {
        let at_set =
            |fault: Fault| Fault { place: Some(Place::Set), ..fault }.within(&change.field);
        let mut value = if change.value.trim().is_empty() {
            Self { place: Place::Set, value: Value::Empty }
        } else {
            Self::parse(&change.value).map_err(at_set)?
        };
        value.replace_place(Place::Set);
        let mut node = self;
        for (depth, key) in change.field.split('.').enumerate() {
            if DEPTH_MAX <= depth {
                return Err(at_set(Fault::new("is deeper than any field of a scenario")));
            }
            node = node.child_mut(key).map_err(at_set)?;
        }
        *node = value;
        Ok(())
    }

    /// Where `field` stands, or the innermost part of its path that exists.
    pub(super) fn place_of(&self, field: &str) -> Place {
        let mut node = self;
        for key in field.split('.') {
            match node.child(key) {
                Some(child) => node = child,
                None => break,
            }
        }
        node.place
    }

    /// Takes out every key that stands in its map a second time; what is wrong with each.
    pub(super) fn take_duplicates(&mut self) -> Vec<Fault> {
        let mut faults = Vec::new();
        match &mut self.value {
            Value::Map(entries) => {
                let mut seen: Vec<String> = Vec::new();
                entries.retain_mut(|entry| {
                    let is_new = !seen.contains(&entry.key);
                    if is_new {
                        seen.push(entry.key.clone());
                        let inside = entry.node.take_duplicates();
                        faults.extend(inside.into_iter().map(|fault| fault.within(&entry.key)));
                    } else {
                        let fault = Fault::new("is written twice; keep one");
                        faults.push(fault.within(&entry.key).at(entry.key_place));
                    }
                    is_new
                });
            }
            Value::List(items) => {
                for (item_idx, item) in items.iter_mut().enumerate() {
                    let inside = item.take_duplicates();
                    faults.extend(inside.into_iter().map(|it| it.within(&item_idx.to_string())));
                }
            }
            Value::Empty | Value::Scalar(_) => {}
        }
        faults
    }

    /// Whether `field` stands in it.
    pub(super) fn has(&self, field: &str) -> bool {
        let has = |key: &str, node: &Self| match rest_of(field, key) {
            Some("") => true,
            Some(rest) => node.has(rest),
            None => false,
        };
        match &self.value {
            Value::Map(entries) => entries.iter().any(|entry| has(&entry.key, &entry.node)),
            Value::List(items) => {
                items.iter().enumerate().any(|(idx, item)| has(&idx.to_string(), item))
            }
            Value::Empty | Value::Scalar(_) => false,
        }
    }

    /// Takes a key out of its map, or an item out of its list; `false` if there is none.
    pub(super) fn take(&mut self, field: &str) -> bool {
        self.find(field, |found| match found {
            Found::Entry(entries, idx) => {
                entries.remove(idx);
                true
            }
            Found::Item(items, idx) => {
                items.remove(idx);
                true
            }
        })
    }

    /// Puts `node` where `field` stands; `false` if it does not.
    pub(super) fn replace(&mut self, field: &str, node: Self) -> bool {
        self.find(field, |found| {
            match found {
                Found::Entry(entries, idx) => entries[idx].node = node,
                Found::Item(items, idx) => items[idx] = node,
            }
            true
        })
    }

    /// Adds a key to the map that stands at `parent`; `false` if no map does.
    pub(super) fn add(&mut self, parent: &str, key: &str, node: Self) -> bool {
        let add = |to: &mut Self| {
            let key_place = to.place;
            if to.value == Value::Empty {
                to.value = Value::Map(Vec::new());
            }
            let Value::Map(entries) = &mut to.value else { return false };
            entries.push(Entry { key: key.to_owned(), key_place, node });
            true
        };
        if parent.is_empty() {
            return add(self);
        }
        self.find(parent, |found| match found {
            Found::Entry(entries, idx) => add(&mut entries[idx].node),
            Found::Item(items, idx) => add(&mut items[idx]),
        })
    }

    /// Does something where `field` stands. A key may have dots in it, so no path is split before
    /// the keys that are there have been looked at.
    fn find(&mut self, field: &str, then: impl FnOnce(Found<'_>) -> bool) -> bool {
        match &mut self.value {
            Value::Map(entries) => {
                let keys = entries.iter().map(|entry| rest_of(field, &entry.key));
                match position(keys) {
                    Some((idx, "")) => then(Found::Entry(entries, idx)),
                    Some((idx, rest)) => entries[idx].node.find(rest, then),
                    None => false,
                }
            }
            Value::List(items) => {
                match position((0..items.len()).map(|idx| rest_of(field, &idx.to_string()))) {
                    Some((idx, "")) => then(Found::Item(items, idx)),
                    Some((idx, rest)) => items[idx].find(rest, then),
                    None => false,
                }
            }
            Value::Empty | Value::Scalar(_) => false,
        }
    }

    fn child(&self, key: &str) -> Option<&Self> {
        match &self.value {
            Value::Map(entries) => {
                entries.iter().find(|entry| entry.key == key).map(|entry| &entry.node)
            }
            Value::List(items) => items.get(key.parse::<usize>().ok()?),
            Value::Empty | Value::Scalar(_) => None,
        }
    }

    fn child_mut(&mut self, key: &str) -> Result<&mut Self, Fault> {
        if self.value == Value::Empty {
            self.value = Value::Map(Vec::new());
        }
        match &mut self.value {
            Value::Map(entries) => {
                let entry_idx = entries.iter().position(|entry| entry.key == key);
                let entry_idx = entry_idx.unwrap_or_else(|| {
                    let node = Self { place: Place::Set, value: Value::Empty };
                    entries.push(Entry { key: key.to_owned(), key_place: Place::Set, node });
                    entries.len() - 1
                });
                Ok(&mut entries[entry_idx].node)
            }
            Value::List(items) => {
                let n_items = items.len();
                let index = key
                    .parse::<usize>()
                    .ok()
                    .or_else(|| items.iter().position(|item| item.is_named(key)));
                index.and_then(|index| items.get_mut(index)).ok_or_else(|| {
                    Fault::new(format!(
                        "there is no {key:?}: the list has {n_items} items, counted from 0 or \
                         called by their `name`"
                    ))
                })
            }
            Value::Empty | Value::Scalar(_) => {
                Err(Fault::new(format!("there is no {key:?} inside a single value")))
            }
        }
    }

    fn is_named(&self, name: &str) -> bool {
        matches!(self.child("name"), Some(Self { value: Value::Scalar(text), .. }) if text == name)
    }

    fn replace_place(&mut self, place: Place) {
        self.place = place;
        match &mut self.value {
            Value::List(items) => items.iter_mut().for_each(|item| item.replace_place(place)),
            Value::Map(entries) => entries.iter_mut().for_each(|entry| {
                entry.key_place = place;
                entry.node.replace_place(place);
            }),
            Value::Empty | Value::Scalar(_) => {}
        }
    }

    fn scalar<T: FromStr>(&self, expected: &str) -> Result<T, Fault> {
        let fault = |found: de::Unexpected<'_>| {
            let fault: Fault = de::Error::invalid_type(found, &expected);
            fault.at(self.place)
        };
        match &self.value {
            Value::Scalar(text) => {
                text.parse().map_err(|_| fault(de::Unexpected::Str(text.as_str())))
            }
            Value::Empty => Err(fault(de::Unexpected::Unit)),
            Value::List(_) => Err(fault(de::Unexpected::Seq)),
            Value::Map(_) => Err(fault(de::Unexpected::Map)),
        }
    }
}

/// What is left of the path `field` inside of `key`: nothing where it is the key itself; `None`
/// where it does not lead there.
fn rest_of<'a>(field: &'a str, key: &str) -> Option<&'a str> {
    match field.strip_prefix(key)? {
        "" => Some(""),
        rest => rest.strip_prefix('.'),
    }
}

/// The first that leads there.
fn position<'a>(keys: impl Iterator<Item = Option<&'a str>>) -> Option<(usize, &'a str)> {
    keys.enumerate().find_map(|(idx, rest)| Some((idx, rest?)))
}

// === Text to tree ===

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Value>::deserialize(deserializer)?;
        Ok(Self { place: Place::Line(spanned.referenced.line()), value: spanned.value })
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> de::Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value, a list or a map")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Empty)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Scalar(value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Scalar(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Scalar(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Scalar(value.to_string()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::Scalar(value.to_owned()))
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: de::MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Vec::new();
        while let Some(key) = entries.next_key::<Spanned<String>>()? {
            let key_place = Place::Line(key.referenced.line());
            map.push(Entry { key: key.value, key_place, node: entries.next_value()? });
        }
        Ok(Value::Map(map))
    }
}

// === Tree to types ===

impl<'de> Deserializer<'de> for &'de Node {
    type Error = Fault;

    fn deserialize_any<V: de::Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.value {
            Value::Empty => visitor.visit_unit(),
            Value::Scalar(text) => visitor.visit_str(text),
            Value::List(items) => visitor.visit_seq(Items(items.iter().enumerate())),
            Value::Map(entries) => {
                visitor.visit_map(Entries { rest: entries.iter(), current: None })
            }
        }
        .map_err(|fault: Fault| fault.at(self.place))
    }

    fn deserialize_bool<V: de::Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_bool(self.scalar("true or false")?)
    }

    fn deserialize_u32<V: de::Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_u32(self.scalar("a whole number from 0 to 4294967295")?)
    }

    fn deserialize_u64<V: de::Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_u64(self.scalar("a whole number from 0 to 18446744073709551615")?)
    }

    fn deserialize_option<V: de::Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.value {
            Value::Empty => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: de::Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: de::Visitor<'de>>(
        self,
        _name: &'static str,
        known: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let text: String = self.scalar(&format!("one of {}", known.join(", ")))?;
        visitor.visit_enum(text.into_deserializer()).map_err(|fault: Fault| fault.at(self.place))
    }

    serde::forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u8 u16 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        seq tuple tuple_struct map struct identifier ignored_any
    }
}

struct Items<'de>(std::iter::Enumerate<std::slice::Iter<'de, Node>>);

impl<'de> de::SeqAccess<'de> for Items<'de> {
    type Error = Fault;

    fn next_element_seed<T: de::DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Fault> {
        let Some((item_idx, item)) = self.0.next() else { return Ok(None) };
        seed.deserialize(item)
            .map(Some)
            .map_err(|fault| fault.at(item.place).within(&item_idx.to_string()))
    }
}

struct Entries<'de> {
    rest: std::slice::Iter<'de, Entry>,
    current: Option<&'de Entry>,
}

impl<'de> de::MapAccess<'de> for Entries<'de> {
    type Error = Fault;

    fn next_key_seed<K: de::DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Fault> {
        self.current = self.rest.next();
        let Some(entry) = self.current else { return Ok(None) };
        let key: de::value::StrDeserializer<'_, Fault> = entry.key.as_str().into_deserializer();
        seed.deserialize(key).map(Some).map_err(|fault| fault.at(entry.key_place))
    }

    fn next_value_seed<V: de::DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        let Some(entry) = self.current else {
            return Err(Fault::new("a value was asked for before its key"));
        };
        seed.deserialize(&entry.node).map_err(|fault| fault.at(entry.node.place).within(&entry.key))
    }
}
