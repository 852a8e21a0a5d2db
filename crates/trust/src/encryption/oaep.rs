//! RSA-OAEP with the hash of its label and the hash of its mask apart.
//!
//! Real eIDAS nodes send OAEP-SHA256 with MGF1-SHA1 (the meaning of `rsa-oaep-mgf1p` with a SHA-256
//! `DigestMethod`); aws-lc has it, aws-lc-rs does not offer it. This is the one module of this
//! crate that talks to C.

#![expect(unsafe_code, reason = "aws-lc-rs offers OAEP only with equal hashes")]

use std::ptr;

use aws_lc_sys as lc;
use zeroize::Zeroizing;

use super::Undecipherable;
use super::structure::Hash;

/// An RSA private key, with the modulus that a ciphertext is below.
pub(super) struct RsaKey {
    key: *mut lc::EVP_PKEY,
    modulus: Vec<u8>,
}

// SAFETY: an EVP_PKEY is reference-counted with atomics and not changed after it was parsed;
// aws-lc documents concurrent use of a key as allowed when nobody changes it.
unsafe impl Send for RsaKey {}
// SAFETY: as above.
unsafe impl Sync for RsaKey {}

impl Drop for RsaKey {
    fn drop(&mut self) {
        // SAFETY: the pointer came from EVP_parse_private_key and is freed once.
        unsafe { lc::EVP_PKEY_free(self.key) }
    }
}

/// Frees the context on every way out.
struct Context(*mut lc::EVP_PKEY_CTX);

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: the pointer came from EVP_PKEY_CTX_new and is freed once.
        unsafe { lc::EVP_PKEY_CTX_free(self.0) }
    }
}

impl Hash {
    fn evp(self) -> *const lc::EVP_MD {
        // SAFETY: these functions take nothing and give pointers to static data.
        unsafe {
            match self {
                Self::Sha1 => lc::EVP_sha1(),
                Self::Sha256 => lc::EVP_sha256(),
                Self::Sha384 => lc::EVP_sha384(),
                Self::Sha512 => lc::EVP_sha512(),
            }
        }
    }
}

impl RsaKey {
    /// Reads a PKCS#8 private key of at least 2048 bits.
    pub(super) fn from_pkcs8(der: &[u8]) -> Option<Self> {
        let mut bytes = lc::CBS { data: der.as_ptr(), len: der.len() };
        // SAFETY: `bytes` describes `der`, which outlives the call; the result is null or owned by us.
        let key = unsafe { lc::EVP_parse_private_key(&raw mut bytes) };
        if key.is_null() {
            return None;
        }
        let mut key = Self { key, modulus: Vec::new() };
        // SAFETY: the key is not null.
        let (kind, bits) = unsafe { (lc::EVP_PKEY_id(key.key), lc::EVP_PKEY_bits(key.key)) };
        if kind != lc::EVP_PKEY_RSA || bits < 2048 {
            return None;
        }
        // SAFETY: the key is not null.
        key.modulus = vec![0; usize::try_from(unsafe { lc::EVP_PKEY_size(key.key) }).ok()?];
        let (to, room) = (key.modulus.as_mut_ptr(), key.modulus.len());
        // SAFETY: it is an RSA key, which has a modulus; both belong to the key. `room` is what `to` has.
        let written = unsafe {
            lc::BN_bn2bin_padded(to, room, lc::RSA_get0_n(lc::EVP_PKEY_get0_RSA(key.key)))
        };
        (written == 1).then_some(key)
    }

    /// Decrypts; the label is empty, as XML Encryption's `OAEPparams` is in eIDAS. What is no
    /// ciphertext for this key, in length or in value, would be refused before the key is used:
    /// another one is decrypted in its place.
    pub(super) fn decrypt(
        &self,
        label: Hash,
        mask: Hash,
        ciphertext: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Undecipherable> {
        // SAFETY: the key is not null; a null engine means the default.
        let context = Context(unsafe { lc::EVP_PKEY_CTX_new(self.key, ptr::null_mut()) });
        if context.0.is_null() {
            return Err(Undecipherable);
        }
        // SAFETY: the context is not null and lives to the end of this function.
        let ready = unsafe {
            lc::EVP_PKEY_decrypt_init(context.0) == 1
                && lc::EVP_PKEY_CTX_set_rsa_padding(context.0, lc::RSA_PKCS1_OAEP_PADDING) == 1
                && lc::EVP_PKEY_CTX_set_rsa_oaep_md(context.0, label.evp()) == 1
                && lc::EVP_PKEY_CTX_set_rsa_mgf1_md(context.0, mask.evp()) == 1
        };
        if !ready {
            return Err(Undecipherable);
        }
        let size = self.modulus.len();
        let ours = ciphertext.len() == size && ciphertext < self.modulus.as_slice();
        let mut substitute = vec![0; size];
        substitute[size - 1] = 2;
        let ciphertext = if ours { ciphertext } else { &substitute };
        let mut plaintext = Zeroizing::new(vec![0; size]);
        let mut length = plaintext.len();
        // SAFETY: `length` says how long `plaintext` is; the ciphertext is given with its length.
        let done = unsafe {
            lc::EVP_PKEY_decrypt(
                context.0,
                plaintext.as_mut_ptr(),
                &raw mut length,
                ciphertext.as_ptr(),
                ciphertext.len(),
            )
        };
        if done != 1 || !ours {
            // SAFETY: empties this thread's error queue, which nobody reads.
            unsafe { lc::ERR_clear_error() };
            return Err(Undecipherable);
        }
        plaintext.truncate(length);
        Ok(plaintext)
    }
}
