//! Who looks for the answer.

use mapper::Engine;

/// The flag of the planning commands that can search.
#[derive(Debug, clap::Args)]
pub(crate) struct SolverArgs {
    /// Choose the solver
    ///
    /// All solvers follow the same rules and goals.
    #[arg(long, value_enum, value_name = "WHO", default_value = "auto")]
    solver: Who,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Who {
    /// The heuristic, then a short search unless its plan is near-optimal
    Auto,
    /// The heuristic alone
    Heuristic,
    /// A search of all plans, with a proof; for small scopes
    Exact,
}

impl SolverArgs {
    pub(crate) fn engine(&self) -> Engine {
        match self.solver {
            Who::Auto => Engine::Auto,
            Who::Heuristic => Engine::Heuristic,
            Who::Exact => Engine::Exact,
        }
    }
}
