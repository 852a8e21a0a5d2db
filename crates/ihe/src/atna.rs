//! ATNA audit messages: to be filled.
