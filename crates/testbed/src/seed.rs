//! What a national store is filled with.
