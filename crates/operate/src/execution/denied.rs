//! Handles the loss of the right to move replicas during an execution.

use super::Execution;
use super::act::Acted;
use crate::error::Error;
use crate::events::{Note, RunContext};
use execute::{Aim, JournalEntry, OnDeadBroker};

impl Execution<'_> {
    /// After the right to move replicas is revoked, the execution begins no move. It waits for moves in flight and
    /// restores the configs, which needs another right. Then the run ends with this error.
    pub(super) fn unless_denied(
        &mut self,
        acted: Result<Acted, Error>,
        denied: &mut Option<Error>,
        context: &mut RunContext<'_>,
    ) -> Result<Acted, Error> {
        match acted {
            Err(error) if self.task.terms.aim == Aim::CarryOut && may_not_move(&error) => {
                if denied.is_none() {
                    let text = format!(
                        "{error}: nothing more is begun, and the throttle is put back once nothing is in flight"
                    );
                    context.note(&Note { text, hint: error.hint() })?;
                    // Cancelling a move needs the same right.
                    self.task.terms.limits.on_dead_broker = OnDeadBroker::Wait;
                    self.write(vec![JournalEntry::GaveUp])?;
                    *denied = Some(error);
                }
                Ok(Acted { changed: true, ..Acted::default() })
            }
            acted => acted,
        }
    }
}

/// Whether the right to move replicas, elect leaders or place replicas is missing: all need Alter on the cluster.
fn may_not_move(error: &Error) -> bool {
    let Error::Kafka(error) = error else { return false };
    let kafka::Error::Authorization(denied) = &**error else { return false };
    denied.operation == kafka::Operation::Alter
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_to_move_replicas_is_done_without() {
        let denied = |operation| {
            let (api, resource, principal) = ("A", kafka::Resource::Cluster, None);
            let denied = kafka::Denied { api, resource, operation, principal };
            Error::from(kafka::Error::Authorization(Box::new(denied)))
        };
        assert!(may_not_move(&denied(kafka::Operation::Alter)));
        assert!(!may_not_move(&denied(kafka::Operation::AlterConfigs)));
        assert!(!may_not_move(&denied(kafka::Operation::Describe)));
    }
}
