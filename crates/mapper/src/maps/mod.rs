//! Maps: which topics go to which brokers, as operators write them.
