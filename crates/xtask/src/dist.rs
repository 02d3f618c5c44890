//! `cargo xtask dist`: makes what people install, in `target/dist`.
//!
//! In: a checkout, its commit's time, and the Debian packages that the programs are linked with. Out: an archive, a Debian
//! package, an image, a bill of materials, and checksums of all. No time, order or folder of the machine is in them.

mod archive;
mod contents;
mod debian;
mod image;
mod libraries;
mod package;
mod programs;
mod release;
mod sbom;
mod tool;
mod tree;

use std::fs;

use crate::project::Outcome;
use crate::shipped;
use contents::Contents;
use release::Release;

pub(crate) fn run() -> Outcome {
    let release = Release::of_checkout()?;
    let programs = programs::build(&release)?;
    let crates = shipped::crates(&release.target)?;
    let linked = libraries::linked(&programs)?;
    let sbom = sbom::document(&release, &crates, &linked)?;
    let contents = Contents::of(&release, programs, &crates, &sbom)?;

    let folder = release.folder();
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    let artefacts = vec![
        release.artefact(".cdx.json", sbom.as_bytes())?,
        archive::write(&release, &contents)?,
        package::write(&release, &contents)?,
        image::write(&release, &contents, &linked)?,
    ];
    let sums = tool::output(tool::named("sha256sum").args(&artefacts).current_dir(&folder))?;
    fs::write(folder.join("SHA256SUMS"), &sums)?;
    print!("{}\n{sums}", folder.display());
    Ok(())
}
