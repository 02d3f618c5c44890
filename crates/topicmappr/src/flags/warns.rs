//! `--ignore-warns`: which warnings the operator has read and accepts.

use std::collections::BTreeSet;
use std::str::FromStr;

/// The closed list of warnings (design: their codes never change).
pub(crate) const CODES: [&str; 13] = [
    "no-rack",
    "few-racks",
    "leaderless",
    "shallow-leaders",
    "less-even",
    "lost-brokers",
    "max-lost",
    "unmapped-lost",
    "map-count",
    "stale-facts",
    "no-broker-id",
    "kubernetes-differs",
    "will-return",
];

/// The flag.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct WarnArgs {
    /// Ignore warnings with these codes; without codes, ignore all
    #[arg(
        long,
        value_name = "CODE,...",
        global = true,
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true",
        default_value = "false",
        hide_default_value = true
    )]
    pub(crate) ignore_warns: Ignored,
}

/// The warnings that do not stop a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ignored {
    /// All.
    All,
    /// Those of these codes.
    Codes(BTreeSet<&'static str>),
}

impl Ignored {
    /// Whether a warning of this code stops nothing.
    pub(crate) fn covers(&self, code: &str) -> bool {
        match self {
            Self::All => true,
            Self::Codes(codes) => codes.contains(code),
        }
    }
}

impl FromStr for Ignored {
    type Err = String;

    fn from_str(value: &str) -> Result<Self, String> {
        // The flag was a boolean once, and still is in many an environment.
        match value.trim() {
            "true" | "all" => return Ok(Self::All),
            "false" => return Ok(Self::Codes(BTreeSet::new())),
            _ => {}
        }
        let named = value.split(',').map(str::trim).filter(|code| !code.is_empty());
        let known = named.map(|code| {
            let found = CODES.into_iter().find(|known| *known == code);
            found.ok_or_else(|| {
                format!("no warning has the code {code:?}; there are {}", CODES.join(", "))
            })
        });
        known.collect::<Result<_, _>>().map(Self::Codes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_code_is_refused() {
        assert!("no-rack,norack".parse::<Ignored>().is_err());
        let some = "no-rack, max-lost".parse::<Ignored>().unwrap();
        assert!(some.covers("max-lost") && !some.covers("few-racks"));
    }

    #[test]
    fn the_old_boolean_still_works() {
        assert_eq!("true".parse(), Ok(Ignored::All));
        assert!(!"false".parse::<Ignored>().unwrap().covers("no-rack"));
    }
}
