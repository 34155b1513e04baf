//! a port in memory, for benches and model tests.
