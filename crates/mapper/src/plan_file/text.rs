//! Writes the text of a plan file. A plan of a million moves repeats names and numbers. This module writes these in the
//! same form as serde, but faster. Serde writes the parts that occur once.

use super::{EntryOut, PlanWire, VERSION};
use crate::ids::{BrokerId, PartitionId};
use crate::plan::Move;
use serde::Serialize;
use std::io::{self, Write};

/// The text is written in pieces of about this size, in bytes.
const FLUSH_AT: usize = 1 << 16;

/// Writes a partition map, and the plan if there is one, as one line of JSON.
pub(super) fn write<'p>(
    map: impl Iterator<Item = EntryOut<'p>>,
    plan: Option<&'p PlanWire<'p>>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut text = PlanText::to(out);
    text.put("{\"version\":");
    text.number(VERSION);
    text.put(",\"partitions\":");
    text.list(map, PlanText::entry)?;
    if let Some(plan) = plan {
        text.put(",\"plan\":{");
        text.members(&plan.head)?;
        text.put(",");
        text.members(&*plan.request)?;
        text.put(",\"moves\":");
        text.list(plan.moves.iter(), PlanText::change)?;
        text.put(",\"steps\":");
        text.list(plan.steps.iter(), |text, step| text.indices(step))?;
        text.put(",");
        text.members(&plan.tail)?;
        text.put("}");
    }
    text.put("}\n");
    text.flush()
}

/// JSON while it is written.
struct PlanText<'p, 'o> {
    out: &'o mut dyn Write,
    waiting: Vec<u8>,
    digits: itoa::Buffer,
    /// The last topic's name, and its JSON. Entries of one topic follow each other, so it is escaped once.
    topic: &'p str,
    topic_in_json: Vec<u8>,
}

impl<'p, 'o> PlanText<'p, 'o> {
    fn to(out: &'o mut dyn Write) -> Self {
        let waiting = Vec::with_capacity(FLUSH_AT * 2);
        Self { out, waiting, digits: itoa::Buffer::new(), topic: "", topic_in_json: b"\"\"".into() }
    }

    fn put(&mut self, text: &str) {
        self.waiting.extend_from_slice(text.as_bytes());
    }

    fn number(&mut self, number: u64) {
        let digits = self.digits.format(number);
        self.waiting.extend_from_slice(digits.as_bytes());
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.write_all(&self.waiting)?;
        self.waiting.clear();
        self.out.flush()
    }

    /// Elements with a comma between each two.
    fn list<T>(
        &mut self,
        elements: impl Iterator<Item = T>,
        mut element: impl FnMut(&mut Self, T) -> io::Result<()>,
    ) -> io::Result<()> {
        self.put("[");
        for (at, value) in elements.enumerate() {
            if at > 0 {
                self.put(",");
            }
            element(self, value)?;
            if self.waiting.len() >= FLUSH_AT {
                self.out.write_all(&self.waiting)?;
                self.waiting.clear();
            }
        }
        self.put("]");
        Ok(())
    }

    /// The text that serde writes between the braces of an object.
    fn members(&mut self, object: &impl Serialize) -> io::Result<()> {
        let written = serde_json::to_vec(object)?;
        let within = written.get(1..written.len().saturating_sub(1));
        self.waiting.extend_from_slice(within.unwrap_or_default());
        Ok(())
    }

    fn entry(&mut self, entry: EntryOut<'p>) -> io::Result<()> {
        self.partition(entry.topic, entry.partition)?;
        self.put(",\"replicas\":");
        self.brokers(entry.replicas);
        self.log_dirs(entry.log_dirs)?;
        self.put("}");
        Ok(())
    }

    fn change(&mut self, change: &'p Move) -> io::Result<()> {
        self.partition(&change.topic, change.partition)?;
        self.put(",\"from\":");
        self.brokers(&change.from);
        if !change.via.is_empty() {
            self.put(",\"via\":");
            serde_json::to_writer(&mut self.waiting, &change.via)?;
        }
        self.put(",\"to\":");
        self.brokers(&change.to);
        self.log_dirs(&change.log_dirs)?;
        self.put(",\"reason\":\"");
        self.put(change.reason.as_str());
        self.put("\"");
        if let Some(bytes) = change.bytes {
            self.put(",\"bytes\":");
            self.number(bytes.0);
        }
        if change.disk_bytes.0 > 0 {
            self.put(",\"disk_bytes\":");
            self.number(change.disk_bytes.0);
        }
        self.put("}");
        Ok(())
    }

    fn partition(&mut self, topic: &'p str, partition: PartitionId) -> io::Result<()> {
        if !std::ptr::eq(self.topic, topic) && self.topic != topic {
            self.topic = topic;
            self.topic_in_json.clear();
            serde_json::to_writer(&mut self.topic_in_json, topic)?;
        }
        self.put("{\"topic\":");
        self.waiting.extend_from_slice(&self.topic_in_json);
        self.put(",\"partition\":");
        self.number(partition.0.into());
        Ok(())
    }

    fn log_dirs(&mut self, log_dirs: &[String]) -> io::Result<()> {
        if !log_dirs.is_empty() {
            self.put(",\"log_dirs\":");
            serde_json::to_writer(&mut self.waiting, log_dirs)?;
        }
        Ok(())
    }

    fn brokers(&mut self, brokers: &[BrokerId]) {
        self.numbers(brokers.iter().map(|broker| broker.0.into()));
    }

    fn indices(&mut self, indices: &[usize]) -> io::Result<()> {
        self.numbers(indices.iter().map(|index| *index as u64));
        Ok(())
    }

    fn numbers(&mut self, numbers: impl Iterator<Item = u64>) {
        self.waiting.push(b'[');
        for (at, number) in numbers.enumerate() {
            if at > 0 {
                self.waiting.push(b',');
            }
            self.number(number);
        }
        self.waiting.push(b']');
    }
}
