//! YAML as a tree in which every value has its place, so that all mistakes of a document are reported at once.

use crate::error::DefinitionError;
use crate::mistake::DefinitionMistake;
use mapper::maps::{DEEPEST, MapPlace, yaml_message};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{DuplicateKeyPolicy, Location, Options, Spanned};
use std::fmt;

/// A value and its place.
pub(crate) struct Tree {
    pub(crate) place: MapPlace,
    pub(crate) value: YamlValue,
}

pub(crate) enum YamlValue {
    Null,
    /// Text, numbers and booleans, as they are written.
    Scalar(String),
    List(Vec<Tree>),
    Map(Vec<YamlEntry>),
}

impl YamlValue {
    /// Its description for errors.
    pub(crate) fn described(&self) -> String {
        match self {
            Self::Null => "nothing".to_owned(),
            Self::Scalar(text) => format!("{text:?}"),
            Self::List(_) => "a list".to_owned(),
            Self::Map(_) => "a mapping".to_owned(),
        }
    }
}

/// A key of a mapping, and its value.
pub(crate) struct YamlEntry {
    pub(crate) key: String,
    pub(crate) place: MapPlace,
    pub(crate) value: Tree,
}

/// Reads every document of a text. It stops at invalid YAML, but not at a repeated key.
pub(crate) fn read(document: &str, text: &str) -> (Vec<Tree>, Vec<DefinitionError>) {
    let source = YamlSource { document, text };
    match documents(text, DuplicateKeyPolicy::Error) {
        Ok(nodes) => (source.trees(nodes), Vec::new()),
        Err(error) => {
            let twice = matches!(error, serde_saphyr::Error::DuplicateMappingKey { .. });
            let rest = documents(text, DuplicateKeyPolicy::FirstWins).ok().filter(|_| twice);
            (source.trees(rest.unwrap_or_default()), vec![source.refused(&error)])
        }
    }
}

type Node = Spanned<NodeIn>;

fn documents(
    text: &str,
    duplicate_keys: DuplicateKeyPolicy,
) -> Result<Vec<Node>, serde_saphyr::Error> {
    let options: Options = serde_saphyr::options! {
        with_snippet: false,
        strict_booleans: true,
        duplicate_keys: duplicate_keys,
        budget: serde_saphyr::budget! { max_depth: DEEPEST },
    };
    serde_saphyr::from_multiple_with_options(text, options)
}

struct YamlSource<'a> {
    document: &'a str,
    text: &'a str,
}

impl YamlSource<'_> {
    fn place(&self, location: Location) -> MapPlace {
        MapPlace::in_yaml(self.document, location)
    }

    fn refused(&self, error: &serde_saphyr::Error) -> DefinitionError {
        DefinitionError {
            place: self.place(error.location().unwrap_or(Location::UNKNOWN)),
            topic: None,
            key: None,
            mistake: DefinitionMistake::Yaml(yaml_message(error)),
        }
    }

    fn trees(&self, nodes: Vec<Node>) -> Vec<Tree> {
        nodes.into_iter().map(|node| self.tree(node)).collect()
    }

    fn tree(&self, node: Node) -> Tree {
        let place = self.place(node.referenced);
        let value = match node.value {
            NodeIn::Null => YamlValue::Null,
            NodeIn::Text(text) => YamlValue::Scalar(text),
            NodeIn::Plain(parsed) => YamlValue::Scalar(self.as_written(node.defined, parsed)),
            NodeIn::List(items) => YamlValue::List(self.trees(items)),
            NodeIn::Map(pairs) => YamlValue::Map(
                pairs
                    .into_iter()
                    .map(|(key, value)| YamlEntry {
                        place: self.place(key.referenced),
                        key: key.value,
                        value: self.tree(value),
                    })
                    .collect(),
            ),
        };
        Tree { place, value }
    }

    /// A number or a boolean as the operator wrote it: `0.50` stays `0.50`.
    fn as_written(&self, defined: Location, parsed: String) -> String {
        let span = defined.span();
        let bytes = span.byte_offset().zip(span.byte_len()).and_then(|(start, length)| {
            let start = usize::try_from(start).ok()?;
            self.text.get(start..start.checked_add(usize::try_from(length).ok()?)?)
        });
        // A tag (`!!int 5`) precedes the value.
        let word = bytes.and_then(|text| text.split_whitespace().last());
        word.map_or(parsed, str::to_owned)
    }
}

enum NodeIn {
    Null,
    Text(String),
    /// A number or a boolean, if the parser recognizes one.
    Plain(String),
    List(Vec<Node>),
    Map(Vec<(Spanned<String>, Node)>),
}

impl<'de> Deserialize<'de> for NodeIn {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = NodeIn;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("YAML")
    }

    fn visit_unit<E>(self) -> Result<NodeIn, E> {
        Ok(NodeIn::Null)
    }

    fn visit_none<E>(self) -> Result<NodeIn, E> {
        Ok(NodeIn::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<NodeIn, D::Error> {
        NodeIn::deserialize(deserializer)
    }

    fn visit_bool<E>(self, yes: bool) -> Result<NodeIn, E> {
        Ok(NodeIn::Plain(yes.to_string()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<NodeIn, E> {
        Ok(NodeIn::Plain(number.to_string()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<NodeIn, E> {
        Ok(NodeIn::Plain(number.to_string()))
    }

    fn visit_i128<E>(self, number: i128) -> Result<NodeIn, E> {
        Ok(NodeIn::Plain(number.to_string()))
    }

    fn visit_u128<E>(self, number: u128) -> Result<NodeIn, E> {
        Ok(NodeIn::Plain(number.to_string()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<NodeIn, E> {
        Ok(NodeIn::Plain(number.to_string()))
    }

    fn visit_str<E>(self, text: &str) -> Result<NodeIn, E> {
        Ok(NodeIn::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<NodeIn, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(NodeIn::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<NodeIn, A::Error> {
        let mut pairs = Vec::new();
        while let Some(pair) = map.next_entry()? {
            pairs.push(pair);
        }
        Ok(NodeIn::Map(pairs))
    }
}
