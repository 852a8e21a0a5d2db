//! Bilateral evidence, Merkle log, proofs, offline verification.
