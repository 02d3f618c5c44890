//! Topics that are off their maps, and problems of the maps.

use super::{DoctorFinding, Needs, Severity};
use local::words::counted;
use mapper::maps::{MapSeverity as OfMaps, Unmapped};

/// Topics that the maps do not cover, and findings about the maps.
#[derive(Debug, Default)]
pub(crate) struct OffMap {
    pub(crate) unmapped: Vec<Unmapped>,
    /// Topics with replicas on brokers outside their map.
    pub(crate) drifted: Vec<String>,
    pub(crate) problems: Vec<(OfMaps, String)>,
}

impl OffMap {
    /// What is wrong with the maps, and which topics are off them.
    pub(super) fn findings(&self) -> Vec<DoctorFinding> {
        let mut found = Vec::new();
        for (severity, message) in &self.problems {
            let severity = match severity {
                OfMaps::Error | OfMaps::Warning => Severity::Warning,
                OfMaps::Notice => Severity::Notice,
            };
            found.push(
                DoctorFinding::new("maps", severity, message.clone())
                    .run(Needs::Maps, "maps check"),
            );
        }
        if !self.unmapped.is_empty() {
            let lost = self.unmapped.iter().filter(|topic| topic.lost_replicas > 0).count();
            let severity = if lost > 0 { Severity::Warning } else { Severity::Notice };
            let message = format!("{} in no map", counted(self.unmapped.len(), "topic"));
            let names = self.unmapped.iter().map(|topic| topic.topic.clone());
            let finding = DoctorFinding::new("unmapped", severity, message).topics(names);
            found.push(match lost {
                0 => finding,
                lost => finding.hint(format!(
                    "{lost} of them with lost replicas, which no plan by maps heals"
                )),
            });
        }
        if !self.drifted.is_empty() {
            let message = format!("{} off their map", counted(self.drifted.len(), "topic"));
            let finding = DoctorFinding::new("drift", Severity::Warning, message);
            found.push(finding.topics(self.drifted.clone()).rebuild(true));
        }
        found
    }
}
