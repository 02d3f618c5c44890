//! The artefacts of `cargo xtask dist`, used as people use them: a package in a fresh Debian, an image as a container.
//!
//! They need root, and apt's sources for what is fetched. All mounts are in a namespace that ends with its first process.

#[cfg(test)]
mod soak;
