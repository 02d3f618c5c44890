//! Files, links and folders that become an archive, a layer of an image, or a package.
//!
//! Always in the order of paths, owned by root, and of one time.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use tar::{Builder, EntryType, Header};

/// Paths without a leading slash, with what is there.
#[derive(Default)]
pub(super) struct Tree(BTreeMap<String, Entry>);

pub(super) enum Entry {
    File { bytes: Vec<u8>, mode: u32 },
    Link { to: String },
    Folder { mode: u32 },
}

impl Tree {
    /// Adds an entry, and the folders above it.
    pub(super) fn add(&mut self, path: &str, entry: Entry) {
        for (end, _) in path.match_indices('/') {
            self.0.entry(path[..end].to_owned()).or_insert(Entry::Folder { mode: 0o755 });
        }
        self.0.insert(path.to_owned(), entry);
    }

    /// Adds a file that all may read.
    pub(super) fn file(&mut self, path: &str, bytes: impl Into<Vec<u8>>) {
        self.add(path, Entry::File { bytes: bytes.into(), mode: 0o644 });
    }

    /// Adds a file that all may run.
    pub(super) fn program(&mut self, path: &str, bytes: Vec<u8>) {
        self.add(path, Entry::File { bytes, mode: 0o755 });
    }

    /// Adds everything of another tree, below a folder.
    pub(super) fn graft(&mut self, folder: &str, other: Self) {
        for (path, entry) in other.0 {
            self.add(&format!("{folder}/{path}"), entry);
        }
    }

    /// Adds everything of another tree.
    pub(super) fn merge(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// What has such a path, and the folders above it.
    pub(super) fn only(self, is_wanted: impl Fn(&str) -> bool) -> Self {
        let mut tree = Self::default();
        for (path, entry) in self.0 {
            if is_wanted(&path) {
                tree.add(&path, entry);
            }
        }
        tree
    }

    /// Where a link leads; none if there is no link.
    pub(super) fn target(&self, path: &str) -> Option<&str> {
        match self.0.get(path)? {
            Entry::Link { to } => Some(to),
            Entry::File { .. } | Entry::Folder { .. } => None,
        }
    }

    /// The files, with their contents.
    pub(super) fn files(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.0.iter().filter_map(|(path, entry)| match entry {
            Entry::File { bytes, .. } => Some((path.as_str(), bytes.as_slice())),
            Entry::Link { .. } | Entry::Folder { .. } => None,
        })
    }

    /// A tar of it. `epoch` is the time of every entry.
    pub(super) fn tar(&self, epoch: u64) -> io::Result<Vec<u8>> {
        let mut builder = Builder::new(Vec::new());
        for (path, entry) in &self.0 {
            let mut header = Header::new_gnu();
            header.set_mtime(epoch);
            header.set_uid(0);
            header.set_gid(0);
            match entry {
                Entry::File { bytes, mode } => {
                    header.set_mode(*mode);
                    header.set_size(bytes.len() as u64);
                    builder.append_data(&mut header, path, bytes.as_slice())?;
                }
                Entry::Link { to } => {
                    header.set_mode(0o777);
                    header.set_size(0);
                    header.set_entry_type(EntryType::Symlink);
                    builder.append_link(&mut header, path, to)?;
                }
                Entry::Folder { mode } => {
                    header.set_mode(*mode);
                    header.set_size(0);
                    header.set_entry_type(EntryType::Directory);
                    builder.append_data(&mut header, format!("{path}/"), io::empty())?;
                }
            }
        }
        builder.into_inner()
    }

    /// Writes it into a folder.
    pub(super) fn write(&self, folder: &Path) -> Result<(), Box<dyn Error>> {
        fs::create_dir_all(folder)?;
        // Whatever the user's umask says: dpkg packs this folder, too.
        fs::set_permissions(folder, Permissions::from_mode(0o755))?;
        for (path, entry) in &self.0 {
            let path = folder.join(path);
            let mode = match entry {
                Entry::File { bytes, mode } => {
                    fs::write(&path, bytes)?;
                    *mode
                }
                Entry::Link { to } => {
                    symlink(to, &path)?;
                    continue;
                }
                Entry::Folder { mode } => {
                    fs::create_dir_all(&path)?;
                    *mode
                }
            };
            fs::set_permissions(&path, Permissions::from_mode(mode))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_in_which_entries_are_added_does_not_change_a_byte() {
        let [mut one, mut other] = [Tree::default(), Tree::default()];
        one.file("usr/bin/a", "a");
        one.add("etc/link", Entry::Link { to: "../usr/bin/a".to_owned() });
        other.add("etc/link", Entry::Link { to: "../usr/bin/a".to_owned() });
        other.file("usr/bin/a", "a");
        assert_eq!(one.tar(7).unwrap(), other.tar(7).unwrap());
        assert_ne!(one.tar(7).unwrap(), other.tar(8).unwrap());
    }

    #[test]
    fn a_tar_belongs_to_root_and_names_folders_before_what_is_in_them() {
        let mut tree = Tree::default();
        tree.program("usr/bin/a", b"a".to_vec());
        let bytes = tree.tar(7).unwrap();
        let mut archive = tar::Archive::new(bytes.as_slice());
        let entries: Vec<(String, u64, u32)> = archive
            .entries()
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                let path = entry.path().unwrap().display().to_string();
                (path, entry.header().uid().unwrap(), entry.header().mode().unwrap())
            })
            .collect();
        let expected = [("usr/", 0o755), ("usr/bin/", 0o755), ("usr/bin/a", 0o755)];
        assert_eq!(entries, expected.map(|(path, mode)| (path.to_owned(), 0, mode)));
    }
}
