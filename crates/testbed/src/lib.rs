//! Invented countries in one process: citizens, clinicians, documents, certificates, attacks.
