//! Finds a process by a part of its command line. It is the only sign of a broker that is recovering its logs.

use std::fs;
use std::io;

/// The id of another process whose command line contains this text. An ended process that its parent has not waited
/// for yet does not count.
pub fn runs(text: &str) -> io::Result<Option<u32>> {
    let own = std::process::id();
    for entry in fs::read_dir("/proc")? {
        let Ok(entry) = entry else { continue };
        let id = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok());
        let Some(id) = id.filter(|id| *id != own) else { continue };
        // A process that ends at this moment counts as ended.
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        // Other probes also have the text in their arguments, and do not count.
        if line.contains(text) && !line.contains(" live ") {
            return Ok(Some(id));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Child, Command};
    use std::time::Duration;

    /// A child process that is killed when the test ends, even by a panic.
    struct Sleeper(Child);

    impl Drop for Sleeper {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    #[test]
    fn a_process_is_found_by_its_arguments_until_it_ends() {
        let own = format!("86399.{}", std::process::id());
        let sleeper = Sleeper(Command::new("sleep").arg(&own).spawn().unwrap());
        // A process that has just started shows no arguments yet.
        let found = (0..1_000).find_map(|_| {
            std::thread::sleep(Duration::from_millis(10));
            runs(&own).unwrap()
        });
        assert_eq!(found, Some(sleeper.0.id()));
        drop(sleeper);
        assert_eq!(runs(&own).unwrap(), None);
    }
}
