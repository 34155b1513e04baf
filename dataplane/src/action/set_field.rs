//! Sets a header field in a frame and keeps the checksums right.
