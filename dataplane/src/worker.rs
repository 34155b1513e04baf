//! Worker threads: receive, decide, apply, send.
