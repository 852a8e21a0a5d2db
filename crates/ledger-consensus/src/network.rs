//! The network between members: TCP, each connection authenticated by both consensus keys.

use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::time::Duration;

use commonware_consensus::marshal;
use commonware_consensus::marshal::standard::Standard;
use commonware_consensus::simplex;
use commonware_consensus::simplex::scheme::ed25519::Scheme;
use commonware_cryptography::ChaCha20Poly1305;
use commonware_cryptography::ed25519::{PrivateKey, PublicKey};
use commonware_cryptography::sha256::Digest;
use commonware_p2p::authenticated::lookup::{self, Oracle};
use commonware_p2p::utils::mux::prefixed;
use commonware_p2p::{
    Address, AddressableManager as _, AddressableTrackedPeers, Ingress, max_message_size,
};
use commonware_runtime::tokio::Context;
use commonware_runtime::{Handle, Quota, Supervisor as _};
use commonware_stream::cups::{self, Cups};
use commonware_stream::sake::{self, Sake};
use commonware_utils::ordered::Map;
use commonware_utils::{Hostname, NZU32, NZUsize};
use ledger::order::MAX_TOLD;

use crate::config::{Agreed, Config, Member};
use crate::engine::{Channels, Peers};
use crate::epochs::public_key;
use crate::frame::MAX_FRAME;
use crate::sealed::Sealed;

type Sender = lookup::Sender<PublicKey, Context>;
type Receiver = lookup::Receiver<PublicKey>;

/// Starts it. Nobody is connected before the engine names the members.
pub(crate) fn start(
    context: &Context,
    config: &Config,
    key: PrivateKey,
) -> (Channels<Sender, Receiver>, Oracle<PublicKey>, Handle<()>) {
    let handshake = Cups::<_, ChaCha20Poly1305>::new(
        Sake {
            signer: key,
            synchrony_bound: SKEW,
            max_handshake_age: SKEW,
            version: sake::Version::V1,
        },
        cups::Version::V1,
    );
    let Agreed { members, .. } = config.agreed;
    let most = NonZeroUsize::new(members as usize).expect("because the configuration was checked");
    let size = largest(&config.agreed);
    let mailbox = NonZeroUsize::MIN.saturating_add(MAILBOX);
    let make = if config.local { lookup::Config::local } else { lookup::Config::recommended };
    let mut cfg = make(handshake, &namespace(config), config.listen, most, size, mailbox);
    cfg.allow_private_ips = config.local || config.private;
    // members are known by their keys; their addresses may be names, or lie behind a gateway
    cfg.bypass_ip_check = true;
    cfg.tracked_peer_sets = EPOCHS;
    if config.local {
        cfg.allowed_handshake_rate_per_ip = Quota::per_second(NZU32!(512));
        cfg.allowed_handshake_rate_per_subnet = Quota::per_second(NZU32!(512));
        cfg.peer_connection_cooldown = Duration::from_millis(250);
        cfg.dial_frequency = Duration::from_millis(100);
    }
    let (mut network, oracle) = lookup::Network::new(context.child("network"), cfg);
    let channels = Channels {
        votes: network.register(0, VOTES),
        certificates: network.register(1, VOTES),
        resolver: network.register(2, FETCHES),
        blocks: network.register(3, SENT),
        backfill: network.register(4, FETCHES),
        entries: network.register(5, SENT),
        told: network.register(6, TOLD),
    };
    (channels, oracle, network.start())
}

/// Separates this ledger's connections and signatures from every other's.
pub(crate) fn namespace(config: &Config) -> Vec<u8> {
    [b"konfido ledger ".as_slice(), &config.genesis].concat()
}

/// The longest message. Whoever sends a longer one is cut off, so all members have the same.
pub(crate) fn largest(agreed: &Agreed) -> u32 {
    let Agreed { block, members, .. } = agreed;
    max_message_size(&[
        prefixed(simplex::max_payload_size::<Scheme, Digest>(*members)),
        marshal::max_payload_size::<Standard<Sealed>, Scheme>(*members, block),
        MAX_FRAME,
        MAX_TOLD,
    ])
}

impl Peers for Oracle<PublicKey> {
    fn follow(&mut self, epoch: u64, members: &[Member]) {
        let of = |voting: bool| {
            let these = members.iter().filter(|member| member.voting == voting);
            let these =
                these.filter_map(|member| Some((public_key(&member.key)?, address(member)?)));
            Map::from_iter_dedup(these)
        };
        self.track(epoch, AddressableTrackedPeers::new(of(true), of(false)));
    }
}

fn address(member: &Member) -> Option<Address> {
    if let Ok(socket) = member.address.parse::<SocketAddr>() {
        return Some(Address::Symmetric(socket));
    }
    let (host, port) = member.address.rsplit_once(':')?;
    let host = Hostname::new(host).ok()?;
    let port = port.parse().ok()?;
    let egress = SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
    Some(Address::Asymmetric { ingress: Ingress::Dns { host, port }, egress })
}

/// How far two members' clocks may differ when they connect.
const SKEW: Duration = Duration::from_secs(30);
const MAILBOX: usize = 1023;
/// This epoch's members, and those of the one before.
const EPOCHS: NonZeroUsize = NZUsize!(2);
/// Messages from each member: so many a second, so many at once. The engine reserves a place for all that may
/// come at once from all members that there may be in [`EPOCHS`], so these are what its memory is made of.
const VOTES: Quota = Quota::per_second(NZU32!(1024)).allow_burst(NZU32!(256));
const FETCHES: Quota = Quota::per_second(NZU32!(512)).allow_burst(NZU32!(128));
const SENT: Quota = Quota::per_second(NZU32!(256)).allow_burst(NZU32!(64));
const TOLD: Quota = Quota::per_second(NZU32!(64)).allow_burst(NZU32!(16));
