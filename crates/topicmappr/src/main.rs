//! The `topicmappr` command: maps streams and status, no more.

fn main() {}
