//! Who looks for the answer.

use console::{NamedValue, one_of};
use mapper::Engine;

/// The flag of the planning commands that can search.
#[derive(Debug, clap::Args)]
pub(crate) struct SolverArgs {
    /// Choose the solver
    ///
    /// All solvers follow the same rules and goals.
    #[arg(long, value_name = "WHO", default_value = "auto", value_parser = one_of(&SOLVERS))]
    solver: Engine,
}

const SOLVERS: [NamedValue<Engine>; 3] = [
    ("auto", Engine::Auto, "The heuristic, then a short search unless its plan is near-optimal"),
    ("heuristic", Engine::Heuristic, "The heuristic alone"),
    ("exact", Engine::Exact, "A search of all plans, with a proof; for small scopes"),
];

impl SolverArgs {
    pub(crate) fn engine(&self) -> Engine {
        self.solver
    }
}
