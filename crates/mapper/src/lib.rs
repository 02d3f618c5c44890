//! Born empty.
