//! Laws that every plan obeys, over random clusters and requests.

mod clusters;
mod laws;
mod mutations;
