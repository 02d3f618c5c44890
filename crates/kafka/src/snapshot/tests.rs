//! What a capture promises, against a cluster of fake brokers.
