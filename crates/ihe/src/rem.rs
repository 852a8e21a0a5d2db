//! ETSI REM evidence: to be filled.
