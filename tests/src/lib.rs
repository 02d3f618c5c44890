//! The tests live beside this folder, in `tests/`.
