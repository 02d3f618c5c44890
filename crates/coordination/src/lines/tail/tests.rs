use super::*;
use crate::lines::LinesKind;
use crate::lines::text::{self, tests::Step};

/// A disk that fails at one request, after it has written a part of the text.
#[derive(Debug, Default)]
struct Faulty {
    text: Vec<u8>,
    requests: usize,
    fails_at: Option<usize>,
    fails_for: usize,
    takes: usize,
}

impl Faulty {
    fn fails(&mut self) -> bool {
        self.requests += 1;
        self.fails_at.is_some_and(|at| (at..at + self.fails_for).contains(&self.requests))
    }

    fn asked(&mut self) -> io::Result<()> {
        match self.fails() {
            true => Err(io::ErrorKind::StorageFull.into()),
            false => Ok(()),
        }
    }
}

impl Disk for Faulty {
    fn add(&mut self, text: &[u8]) -> io::Result<()> {
        if self.fails() {
            self.text.extend_from_slice(&text[..self.takes.min(text.len())]);
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.text.extend_from_slice(text);
        Ok(())
    }

    fn store(&mut self) -> io::Result<()> {
        self.asked()
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.asked()?;
        self.text.truncate(usize::try_from(length).unwrap());
        Ok(())
    }

    fn text(&mut self) -> io::Result<Vec<u8>> {
        self.asked()?;
        Ok(self.text.clone())
    }
}

/// The entries of each append; no two appends are equal.
fn additions() -> Vec<Vec<Step>> {
    let submitted = |index| Step::Submitted { moves: vec![index, index + 1] };
    vec![
        vec![submitted(1)],
        vec![submitted(2), Step::Unpaused, submitted(3)],
        vec![submitted(4)],
        vec![submitted(5), submitted(6)],
    ]
}

/// Appends all of them to a faulty disk, and restarts after each. Every acknowledged entry is there, in order. The
/// only other content is whole lines of a failed append, while the disk also refuses the cut.
fn nothing_that_was_acknowledged_is_lost(disk: Faulty) {
    let (mut acknowledged, mut failed) = (Vec::new(), Vec::new());
    let mut tail = AppendFile::of(disk, &[], 0);
    for entries in additions() {
        let text = text::written(&entries).unwrap();
        match tail.append(&text) {
            Ok(()) => acknowledged.extend(entries),
            Err(_) => failed.push(entries),
        }
        // The process ends here, and another process reads the file.
        let found = text::read::<Step>(&tail.disk.text, LinesKind::Journal).unwrap().undated();
        let (ours, more) = found.split_at(acknowledged.len());
        assert_eq!(ours, acknowledged, "{:?}", tail.disk);
        let of_a_failure = failed.iter().any(|entries| entries.starts_with(more));
        assert!(more.is_empty() || (of_a_failure && tail.doubtful), "{:?}", tail.disk);
    }
    // Once there is room, appending goes on by itself.
    tail.disk.fails_at = None;
    tail.append(&text::written(&[Step::Detached]).unwrap()).unwrap();
    acknowledged.push(Step::Detached);
    assert_eq!(
        text::read::<Step>(&tail.disk.text, LinesKind::Journal).unwrap().undated(),
        acknowledged
    );
}

#[test]
fn a_disk_that_is_full_at_any_request_and_after_any_byte_loses_nothing_that_was_acknowledged() {
    let longest = additions().iter().map(|entries| text::written(entries).unwrap().len()).max();
    // Each append takes two requests, and a repair takes three more.
    for fails_at in 1..=12 {
        for fails_for in [1, 2, 3, 4, usize::MAX / 2] {
            for takes in 0..=longest.unwrap() {
                let fails_at = Some(fails_at);
                nothing_that_was_acknowledged_is_lost(Faulty {
                    fails_at,
                    fails_for,
                    takes,
                    ..Faulty::default()
                });
            }
        }
    }
}

#[test]
fn a_file_that_does_not_read_back_takes_nothing() {
    let text = text::written(&[Step::Detached]).unwrap();
    let mut tail = AppendFile::of(
        Faulty { text: text.clone(), ..Faulty::default() },
        &text,
        text.len() as u64,
    );
    tail.disk.fails_at = Some(1);
    tail.disk.fails_for = 1;
    assert!(tail.append(&text).is_err());
    tail.doubtful = true;
    tail.disk.text[3] ^= 1;
    let refused = tail.append(&text).unwrap_err();
    assert_eq!(refused.to_string(), "it does not read back as it was written");
    tail.disk.text[3] ^= 1;
    tail.append(&text).unwrap();
}
