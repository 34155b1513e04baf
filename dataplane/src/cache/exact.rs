//! Exact-match cache.
