//! Parts of error messages.

pub(super) fn joined(findings: &[kubernetes::Finding]) -> String {
    let all: Vec<String> = findings.iter().map(ToString::to_string).collect();
    all.join("; ")
}

/// Which deletions were made before the error.
pub(super) fn so_far(deleted: &[String]) -> String {
    match deleted {
        [] => "nothing was deleted".to_owned(),
        some => format!("after {}, nothing more was deleted", some.join(" and ")),
    }
}
