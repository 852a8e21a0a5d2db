//! A block as the engine sees it: the ledger's block behind the engine's codec.

use bytes::{BufMut, Bytes};
use commonware_codec::{Buf, BufsMut, EncodeSize, Error as CodecError, Read, Write};
use commonware_consensus::types::Height;
use commonware_consensus::{Block as EngineBlock, BoundedBlock, Heightable};
use commonware_cryptography::Digestible;
use commonware_cryptography::sha256::Digest;
use ledger::block::Block;

use crate::Hash;

/// The ledger's block. Encoded as its length and its own encoding; the digest is the ledger's, so
/// that what members vote on is what the store and every verifier hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sealed(pub(crate) Block);

impl Sealed {
    /// What stands at height 0: no block, only the digest of the genesis file. It is never sent.
    pub(crate) fn genesis(digest: Hash) -> Self {
        let header = ledger::block::Header {
            parent: digest,
            height: 0,
            time_ms: 0,
            tree_size: 0,
            root: [0; 32],
        };
        Self(Block::new(header, &[[]; 0]))
    }
}

impl Sealed {
    fn prefix(&self) -> u32 {
        u32::try_from(self.0.encoded().len()).expect("because a block is bounded far below")
    }
}

impl Write for Sealed {
    fn write(&self, buf: &mut impl BufMut) {
        buf.put_u32(self.prefix());
        buf.put_slice(self.0.encoded());
    }

    fn write_bufs(&self, buf: &mut impl BufsMut) {
        buf.put_u32(self.prefix());
        buf.push(self.0.encoded().clone());
    }
}

impl EncodeSize for Sealed {
    fn encode_size(&self) -> usize {
        PREFIX + self.0.encoded().len()
    }

    fn encode_inline_size(&self) -> usize {
        PREFIX
    }
}

impl Read for Sealed {
    /// The longest encoding of the ledger's block that is taken.
    type Cfg = usize;

    fn read_cfg(buf: &mut impl Buf, limit: &usize) -> Result<Self, CodecError> {
        if buf.remaining() < PREFIX {
            return Err(CodecError::EndOfBuffer);
        }
        let length = buf.get_u32() as usize;
        if length > *limit {
            return Err(CodecError::Invalid("Block", "longer than a block may be"));
        }
        if buf.remaining() < length {
            return Err(CodecError::EndOfBuffer);
        }
        let encoded = buf.take_owned::<Bytes>(length);
        let block = Block::decode_shared(encoded);
        let block = block.map_err(|_| CodecError::Invalid("Block", "malformed"))?;
        // height 0 is the genesis, which nobody sends: its digest is not over its bytes
        if block.header().height == 0 {
            return Err(CodecError::Invalid("Block", "claims to be the genesis"));
        }
        Ok(Self(block))
    }
}

impl Digestible for Sealed {
    type Digest = Digest;

    fn digest(&self) -> Digest {
        if self.0.header().height == 0 {
            return Digest(self.0.header().parent);
        }
        Digest(self.0.digest())
    }
}

impl Heightable for Sealed {
    fn height(&self) -> Height {
        Height::new(self.0.header().height)
    }
}

impl EngineBlock for Sealed {
    fn parent(&self) -> Digest {
        Digest(self.0.header().parent)
    }
}

impl BoundedBlock for Sealed {
    fn max_encode_size(limit: &usize) -> usize {
        PREFIX + limit
    }
}

const PREFIX: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;
    use commonware_codec::{Decode, Encode};
    use commonware_runtime::iobuf::EncodeExt as _;
    use ledger::block::Header;

    fn block(height: u64) -> Sealed {
        let header = Header { parent: [1; 32], height, time_ms: 3, tree_size: 1, root: [5; 32] };
        Sealed(Block::new(header, &[b"entry"]))
    }

    #[test]
    fn a_block_comes_back_and_has_the_ledgers_digest() {
        let sealed = block(2);
        let encoded = sealed.encode();
        assert_eq!(Sealed::decode_cfg(encoded.clone(), &1000).unwrap(), sealed);
        assert_eq!(sealed.digest().0, sealed.0.digest());
        // what goes to the network shares the block's memory, and has the same bytes
        let mut shared = sealed.encode_iobufs();
        assert_eq!(bytes::Buf::copy_to_bytes(&mut shared, encoded.len()), encoded);
        for at in 0..encoded.len() {
            assert!(Sealed::decode_cfg(encoded.slice(..at), &1000).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn neither_a_longer_block_nor_a_genesis_is_read() {
        let encoded = block(2).encode();
        assert!(Sealed::decode_cfg(encoded.clone(), &(encoded.len() - PREFIX)).is_ok());
        assert!(Sealed::decode_cfg(encoded.clone(), &(encoded.len() - PREFIX - 1)).is_err());
        assert!(Sealed::decode_cfg(block(0).encode(), &1000).is_err());
    }
}
