//! Flags with a closed list of values.

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};

/// A value of a flag: its name, its meaning, and its help line.
pub type NamedValue<T> = (&'static str, T, &'static str);

/// Parses the name of one of these values.
pub fn one_of<T: Copy + Send + Sync + 'static>(
    all: &'static [NamedValue<T>],
) -> impl TypedValueParser<Value = T> {
    let names = all.iter().map(|(name, _, help)| PossibleValue::new(*name).help(*help));
    PossibleValuesParser::new(names).try_map(|name| {
        let found = all.iter().find(|(known, ..)| *known == name);
        found.map(|(_, value, _)| *value).ok_or_else(|| format!("{name:?} is no value"))
    })
}
