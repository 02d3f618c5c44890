//! Values from files that may be replaced while the program runs: tokens, certificates and keys.

use crate::error::Error;
use crate::files;
use mapper::joined;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The shortest time between two reads. Kubernetes takes up to a minute to deliver a changed Secret.
const APART: Duration = Duration::from_secs(2);

type Make<T, E> = Box<dyn Fn(&[Vec<u8>]) -> Result<T, E> + Send + Sync>;

/// A value made from files, and made again when they change. While the files are unusable, the last good value stays.
pub struct Watched<T, E> {
    paths: Vec<PathBuf>,
    make: Make<T, E>,
    state: Mutex<State<T>>,
}

struct State<T> {
    value: T,
    /// The content that the value was made from. Modification times are unreliable where links are replaced.
    from: Vec<Vec<u8>>,
    looked: Instant,
    /// The last logged reason why the files are unusable.
    told: Option<String>,
}

impl<T: Clone, E: From<Error> + fmt::Display> Watched<T, E> {
    /// Makes the value from the content of these files.
    ///
    /// # Errors
    /// A file cannot be read, or its content is not valid.
    pub fn open(
        paths: &[&Path],
        make: impl Fn(&[Vec<u8>]) -> Result<T, E> + Send + Sync + 'static,
    ) -> Result<Self, E> {
        let paths: Vec<PathBuf> = paths.iter().map(|path| (*path).to_owned()).collect();
        let from = read(&paths)?;
        let state = State { value: make(&from)?, from, looked: Instant::now(), told: None };
        Ok(Self { paths, make: Box::new(make), state: Mutex::new(state) })
    }

    /// The value, from the files as they were at most two seconds ago.
    pub fn now(&self) -> T {
        self.after(APART)
    }

    fn after(&self, apart: Duration) -> T {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.looked.elapsed() >= apart {
            state.looked = Instant::now();
            self.look(&mut state);
        }
        state.value.clone()
    }

    fn look(&self, state: &mut State<T>) {
        let made = read(&self.paths).map_err(E::from).and_then(|from| {
            let same = from == state.from;
            Ok((if same { None } else { Some((self.make)(&from)?) }, from))
        });
        let paths = || joined(self.paths.iter().map(|path| path.display()));
        match made {
            Ok((value, from)) => {
                if let Some(value) = value {
                    tracing::info!(files = paths(), "files have changed: they are read again");
                    (state.value, state.from) = (value, from);
                }
                state.told = None;
            }
            Err(error) => {
                let told = error.to_string();
                if state.told.as_ref() != Some(&told) {
                    tracing::error!(files = paths(), %error, "changed files cannot be used: what was read before stays");
                    state.told = Some(told);
                }
            }
        }
    }
}

fn read(paths: &[PathBuf]) -> Result<Vec<Vec<u8>>, Error> {
    let read = |path: &PathBuf| files::read(path).map_err(crate::error::Error::from);
    paths.iter().map(read).collect()
}

/// The value is left out, because it may be a secret.
impl<T, E> fmt::Debug for Watched<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watched").field("paths", &self.paths).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
    use std::os::unix::fs::symlink;

    #[test]
    fn what_is_replaced_is_read_again_and_what_is_broken_leaves_the_last_good_value() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        // Kubernetes replaces files like this: the file is a link into a folder that is itself a link, and the
        // folder's link is replaced.
        for (version, text) in [("1", "one"), ("2", "two"), ("3", "")] {
            std::fs::create_dir(at(version)).unwrap();
            std::fs::write(at(version).join("token"), text).unwrap();
        }
        let swap = |version: &str| {
            let new = at("..new");
            symlink(version, &new).unwrap();
            std::fs::rename(&new, at("..data")).unwrap();
        };
        swap("1");
        symlink("..data/token", at("token")).unwrap();
        let watched = Watched::open(&[&at("token")], |texts| match texts[0].as_slice() {
            b"" => Err(Error::from(local::Error::Flags("empty".to_owned()))),
            text => Ok(text.to_owned()),
        })
        .unwrap();
        let now = || watched.after(Duration::ZERO);
        assert_eq!(now(), b"one");
        swap("2");
        assert_eq!(watched.after(Duration::from_secs(60)), b"one", "not at every use");
        assert_eq!(now(), b"two");
        let told = || watched.state.lock().unwrap().told.clone();
        assert_eq!(told(), None);
        swap("3");
        assert_eq!(now(), b"two");
        assert!(told().unwrap().contains("empty"));
        std::fs::remove_file(at("token")).unwrap();
        assert_eq!(now(), b"two");
        assert!(told().unwrap().contains("token"), "which file");
        std::fs::write(at("token"), "four").unwrap();
        assert_eq!(now(), b"four");
        assert_eq!(told(), None);
    }
}
