//! Applies a new rate that an operator requests from a running execution, unless new replicas would starve under it.

use super::ingest::starved;
use super::requests::Line;
use super::{Execution, Look, Measured};
use crate::error::Error;
use crate::events::{Note, RunContext};
use execute::{Aim, JournalEntry, Pace, Round};
use mapper::Bytes;

impl Execution<'_> {
    /// Applies a requested rate. Returns whether the round has to be planned again.
    pub(super) async fn hears(
        &mut self,
        look: &Look,
        round: &Round,
        context: &mut RunContext<'_>,
    ) -> Result<bool, Error> {
        let asked = self.books.as_mut().and_then(|books| books.inbox.next());
        let Some((id, rate)) = asked else { return Ok(false) };
        let problem = match (self.task.terms.aim, self.task.terms.pace) {
            (Aim::Cancel, _) => Some("the plan is being cancelled".to_owned()),
            (Aim::CarryOut, Pace::Auto) => {
                Some("autothrottle sets the rates of this execution: ask it".to_owned())
            }
            (Aim::CarryOut, Pace::BytesPerSecond(_) | Pace::Unthrottled) => {
                match starved(self, look, round, rate).await {
                    Measured::Starved(starved) => Some(starved.to_string()),
                    Measured::Enough | Measured::Unknown => None,
                }
            }
        };
        let (text, answer) = match problem {
            Some(problem) => {
                let text = format!(
                    "{} per second, which was asked for, is refused: {problem}",
                    Bytes(rate.0)
                );
                (text, Line::Refused { id, problem })
            }
            None => {
                let pace = Pace::BytesPerSecond(rate);
                self.task.terms.pace = pace;
                self.write(vec![JournalEntry::Paced { pace }])?;
                (
                    format!("the throttle is {} per second from now on", Bytes(rate.0)),
                    Line::Taken { id },
                )
            }
        };
        context.note(&Note::new(text))?;
        self.books.iter().for_each(|books| books.inbox.answer(answer.clone()));
        Ok(true)
    }
}
