//! How far a search goes, by what was asked for and by how much there is to weigh. Sizes decide, never a clock.

use crate::exact::{EXACT, MOST_BINARIES, POLISHED, SolverChoice, SolverLimits, thorough};
use crate::no_plan::NoPlan;
use crate::plan::CONSTRUCTIVE;
use crate::request::Engine;

/// How far a search goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SearchLimits {
    /// To the proof, or to the limit of what one may wait for.
    Thorough,
    /// A few milliseconds, where the heuristic's plan is not proven to be near the best.
    Short,
    /// No search: the linear relaxation is a bound, and the plan follows it where it is far from that.
    Led,
}

/// With more seats than this to weigh, a few milliseconds are not enough for a search.
const MOST_SHORT: usize = 300;
/// With more, what is built is near enough to the bound, and the relaxation not worth its time.
const MOST_LED: usize = 60_000;
/// Nodes of the search tree for each round, for each part of the cluster that is planned apart.
const SHORT_NODES: u64 = 100;
/// With more than a few hundred seats to weigh, closer to the bound than a millionth is not worth a search.
const GAP: f64 = 1e-6;
const SHORT_GAP: f64 = 1e-3;

impl SearchLimits {
    /// `None`: no search at all.
    ///
    /// # Errors
    /// [`NoPlan::TooLarge`]: the exact solver is asked for, and would not come to an end.
    pub(super) fn of(engine: Engine, binaries: usize) -> Result<Option<Self>, NoPlan> {
        match engine {
            Engine::Exact if binaries > MOST_BINARIES => {
                Err(NoPlan::TooLarge { binaries, most: MOST_BINARIES })
            }
            Engine::Exact => Ok(Some(Self::Thorough)),
            Engine::Auto if binaries <= MOST_SHORT => Ok(Some(Self::Short)),
            Engine::Auto if binaries <= MOST_LED => Ok(Some(Self::Led)),
            Engine::Auto | Engine::Heuristic => Ok(None),
        }
    }

    pub(super) fn limits(self, binaries: usize) -> SolverLimits {
        let gap = if binaries > MOST_SHORT { GAP } else { 0.0 };
        match self {
            Self::Thorough => thorough(binaries, gap),
            Self::Short | Self::Led => {
                SolverLimits { who: SolverChoice::Quick, nodes: SHORT_NODES, gap: SHORT_GAP }
            }
        }
    }

    /// As plans name who found the answer.
    pub(super) fn engine(self) -> &'static str {
        match self {
            Self::Thorough => EXACT,
            Self::Short => POLISHED,
            Self::Led => CONSTRUCTIVE,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_decides_how_far_a_search_goes() {
        let auto = |binaries| SearchLimits::of(Engine::Auto, binaries).unwrap();
        let sizes = [MOST_SHORT, MOST_SHORT + 1, MOST_LED + 1];
        assert_eq!(sizes.map(auto), [Some(SearchLimits::Short), Some(SearchLimits::Led), None]);
        assert_eq!(SearchLimits::of(Engine::Heuristic, 1).unwrap(), None);
        assert!(SearchLimits::of(Engine::Exact, MOST_BINARIES).unwrap().is_some());
        assert!(SearchLimits::of(Engine::Exact, MOST_BINARIES + 1).is_err());
    }
}
