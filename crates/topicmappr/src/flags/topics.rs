//! `--topics`, `--topics-exclude`: which topics a command is about.

use crate::error::Error;
use mapper::TopicSelection;
use mapper::scope::{Scope, TopicPattern, split_patterns};

/// The flags that choose topics.
#[derive(Debug, clap::Args)]
pub(crate) struct TopicArgs {
    /// Select topics by regexes over whole names
    ///
    /// Separate regexes with commas, or repeat the flag.
    #[arg(long, value_name = "REGEX,...")]
    topics: Vec<String>,
    /// Leave these topics alone, even if --topics or a map selects them
    ///
    /// Separate regexes with commas, or repeat the flag.
    #[arg(long, value_name = "REGEX,...")]
    topics_exclude: Vec<String>,
}

impl TopicArgs {
    /// Names no topic.
    pub(crate) fn is_empty(&self) -> bool {
        self.topics.is_empty()
    }

    /// Leaves out none either.
    pub(crate) fn chooses_all(&self) -> bool {
        self.topics.is_empty() && self.topics_exclude.is_empty()
    }

    /// The topics meant; all without these flags.
    pub(crate) fn selection(&self) -> Result<TopicSelection, Error> {
        Ok(match self.chooses_all() {
            true => TopicSelection::Rest,
            false => TopicSelection::Matching(self.scope(Some(".*"))?),
        })
    }

    /// All topics but those of `--topics-exclude`.
    pub(crate) fn scope_of_excludes(&self) -> Result<Scope, Error> {
        Ok(Scope {
            include: vec![TopicPattern::new(".*")?],
            exclude: compile(&self.topics_exclude)?,
        })
    }

    /// The topics meant, where `otherwise` stands in for absent `--topics`.
    pub(crate) fn scope(&self, otherwise: Option<&str>) -> Result<Scope, Error> {
        let include = match (&self.topics[..], otherwise) {
            ([], Some(pattern)) => vec![TopicPattern::new(pattern)?],
            (topics, _) => patterns("--topics", topics)?,
        };
        Ok(Scope { include, exclude: compile(&self.topics_exclude)? })
    }
}

/// The patterns of a flag that chooses topics.
///
/// An empty flag is what an unset variable of a script leaves behind. It must mean neither all topics nor none.
pub(crate) fn patterns(flag: &'static str, values: &[String]) -> Result<Vec<TopicPattern>, Error> {
    let patterns = compile(values)?;
    if patterns.is_empty() && !values.is_empty() {
        return Err(local::Error::flag(flag, values.join(","), "there is no regex in it").into());
    }
    Ok(patterns)
}

fn compile(values: &[String]) -> Result<Vec<TopicPattern>, Error> {
    let sources = values.iter().flat_map(|value| split_patterns(value));
    let patterns: Result<_, _> = sources.map(|source| TopicPattern::new(&source)).collect();
    Ok(patterns?)
}
