//! Tables: aligned columns without lines, at most 100 wide, good to read and to pipe.

use super::{heading, more};
use std::fmt::{self, Write as _};
use tabled::builder::Builder;
use tabled::settings::object::Columns;
use tabled::settings::peaker::Priority;
use tabled::settings::{Alignment, Modify, Padding, Style, Width};

const WIDTH: usize = 98;
const INDENT: &str = "  ";

/// A table in the making.
pub(crate) struct Table {
    builder: Builder,
    right: Vec<usize>,
}

impl Table {
    /// With these columns; a name that starts with `>` makes a column of numbers.
    pub(crate) fn new(columns: &[&str]) -> Self {
        let mut builder = Builder::default();
        builder.push_record(columns.iter().map(|name| name.trim_start_matches('>')));
        let numbers = columns.iter().enumerate();
        let right =
            numbers.filter(|(_, name)| name.starts_with('>')).map(|(index, _)| index).collect();
        Self { builder, right }
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.builder.push_record(cells);
    }

    /// Its lines, indented.
    /// Writes a row for each line.
    pub(crate) fn write<const N: usize>(
        f: &mut fmt::Formatter<'_>,
        columns: [&str; N],
        rows: impl IntoIterator<Item = [String; N]>,
    ) -> fmt::Result {
        let mut table = Self::new(&columns);
        rows.into_iter().for_each(|row| table.row(row));
        f.write_str(&table.render())
    }

    /// Writes a heading, a row for each of the first `most` items, and how many more there are; nothing if there are no
    /// items. `noun` says what they are, where the heading does not.
    pub(crate) fn section<T, const N: usize>(
        f: &mut fmt::Formatter<'_>,
        name: &str,
        columns: [&str; N],
        (items, most, noun): (&[T], usize, &str),
        row: impl Fn(&T) -> [String; N],
    ) -> fmt::Result {
        if items.is_empty() {
            return Ok(());
        }
        heading(f, name)?;
        Self::write(f, columns, items.iter().take(most).map(row))?;
        more(f, items.len(), most, noun)
    }

    pub(crate) fn render(self) -> String {
        let mut table = self.builder.build();
        table
            .with(Style::blank())
            .with(Padding::new(0, 1, 0, 0))
            .with(Width::wrap(WIDTH).keep_words(true).priority(Priority::max(true)));
        for column in self.right {
            table.with(Modify::new(Columns::one(column)).with(Alignment::right()));
        }
        let mut lines = String::new();
        for line in table.to_string().lines() {
            let line = format!("{INDENT}{line}");
            // A String takes all.
            let _ = writeln!(lines, "{}", line.trim_end());
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_at_the_right_and_lines_end_without_blanks() {
        let mut table = Table::new(&["topic", ">bytes"]);
        table.row(["a".to_owned(), "10 GiB".to_owned()]);
        table.row(["longer".to_owned(), "1 B".to_owned()]);
        assert_eq!(table.render(), "  topic    bytes\n  a       10 GiB\n  longer     1 B\n");
    }

    #[test]
    fn a_long_sentence_is_wrapped_between_words() {
        let mut table = Table::new(&["partition", "why", "what heals it"]);
        let why =
            "replicas on lost brokers 1003, 1006, which hold the only copies that are in sync";
        table.row(["events.raw-0".to_owned(), why.to_owned(), "plan again later".to_owned()]);
        let rendered = table.render();
        assert!(rendered.lines().all(|line| line.len() <= 100), "{rendered}");
        let words: Vec<&str> = rendered.split_whitespace().collect();
        assert!(why.split(' ').all(|word| words.contains(&word)), "{rendered}");
    }

    #[test]
    fn a_long_name_is_wrapped_not_lost() {
        let mut table = Table::new(&["topic", ">bytes"]);
        let name = "n".repeat(249);
        table.row([name.clone(), "1 B".to_owned()]);
        let rendered = table.render();
        assert!(rendered.lines().all(|line| line.len() <= 100), "{rendered}");
        assert_eq!(rendered.matches('n').count(), name.len());
    }
}
