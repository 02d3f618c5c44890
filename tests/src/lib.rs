//! The tests are next to this folder, in `tests/`.
