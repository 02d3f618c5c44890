//! The next command for the operator.

use super::outputs::Written;
use crate::session::Session;
use crate::views::{Caution, KafkaTool, Next};
use mapper::{Plan, Snapshot};
use std::collections::BTreeSet;
use std::path::Path;

/// The most brokers in the next command: it still works if one of them is down.
const BOOTSTRAP: usize = 2;

/// The same command, with a flag that accepts exactly these warnings.
pub(super) fn despite(cautions: &[Caution], session: &Session<'_, '_>) -> Next {
    let codes: BTreeSet<&str> = cautions.iter().map(|caution| caution.code).collect();
    let codes: Vec<&str> = codes.into_iter().collect();
    let flag = format!("--ignore-warns={}", codes.join(","));
    Next::again(&session.command_line(), "--ignore-warns", &flag)
}

/// The command that carries the plan out. If no file for that was written, the command that writes it.
pub(super) fn after(
    plan: &Plan,
    written: &Written,
    snapshot: &Snapshot,
    session: &Session<'_, '_>,
) -> Next {
    if plan.moves.is_empty() {
        return Next::default();
    }
    let again = |flag| Next::again(&session.command_line(), "", flag);
    let tool = kafka_tool(plan, snapshot, session);
    let by_files = || {
        let names = written.steps.iter().map(|files| files.iter().map(|file| text(file)).collect());
        let names: Vec<Vec<String>> = names.collect();
        (!names.is_empty()).then(|| Next::reassign_steps(&tool, &names))?
    };
    let Some(file) = &written.plan else {
        return by_files().unwrap_or_else(|| again("--out-file plan.json"));
    };
    let instead = match plan.steps.len() {
        ..2 => {
            let elect = plan.moves.iter().any(|change| change.from.first() != change.to.first());
            Next::reassign(&tool, &text(file), elect)
        }
        // Kafka's own tool has no steps: it would start all of them at once.
        steps => by_files().unwrap_or_else(|| Next::reassign_by_step(&tool, &text(file), steps)),
    };
    let drains = !plan.request.emptied().is_empty();
    Next::execute(&tool, &text(file), drains, instead)
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

fn kafka_tool(plan: &Plan, snapshot: &Snapshot, session: &Session<'_, '_>) -> KafkaTool {
    let (bootstrap, config) = session.global.source.kafka_tool_flags();
    let known = || {
        let live = snapshot.brokers().iter().filter(|broker| broker.live);
        let addresses = live.filter_map(|b| Some(format!("{}:{}", b.host.as_ref()?, b.port?)));
        let addresses: Vec<String> = addresses.take(BOOTSTRAP).collect();
        (!addresses.is_empty()).then(|| addresses.join(","))
    };
    KafkaTool {
        bootstrap: bootstrap.map(str::to_owned).or_else(known),
        config: config.map(|path| text(path)),
        between_volumes: plan.moved_between_volumes().0 > 0,
    }
}
