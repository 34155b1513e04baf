//! Executes the steps of a decision on a frame.
