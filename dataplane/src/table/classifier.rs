//! Tuple-space search: the rules of one table, by mask.
