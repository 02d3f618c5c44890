//! Snapshots made from snapshots.
