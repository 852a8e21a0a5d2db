//! Syslog frames: to be filled.
