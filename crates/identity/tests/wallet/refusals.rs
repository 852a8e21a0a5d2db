//! Each row of the table, broken once.
