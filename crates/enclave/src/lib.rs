//! The vault: keys in use, sealing between two vaults.
