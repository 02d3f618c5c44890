//! `--man`: our help as a manual page.

use crate::cli::Cli;
use crate::error::Error;
use clap::CommandFactory;
use clap_mangen::Man;
use operate::Status;
use std::io::Write;

/// Writes the page: `autothrottle --man | man -l -`.
pub(crate) fn write(out: &mut dyn Write) -> Result<Status, Error> {
    let man = Man::new(Cli::command()).title("AUTOTHROTTLE");
    let mut page = Vec::new();
    man.render(&mut page).map_err(local::Error::Stream)?;
    out.write_all(&page).map_err(local::Error::Stream)?;
    Ok(Status::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_every_flag_and_what_the_program_is() {
        let mut page = Vec::new();
        write(&mut page).unwrap();
        let page = String::from_utf8(page).unwrap();
        assert!(page.contains(".TH AUTOTHROTTLE 1"), "{page}");
        for arg in Cli::command().get_arguments().filter_map(|arg| arg.get_long()) {
            let flag = format!("\\-\\-{}", arg.replace('-', "\\-"));
            assert!(page.contains(&flag), "{flag} is not in\n{page}");
        }
    }
}
