//! SOAP envelope, XCPD, XCA, XDR, ATNA audit messages, ETSI REM evidence: bytes <-> types.
