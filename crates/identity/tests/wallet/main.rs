//! The wallet, from the link to the person: an invented PID provider, wallet and relying party.

#[path = "../../../testbed/src/wallet/answer.rs"]
mod answer;
#[path = "../../../testbed/src/wallet/holder.rs"]
mod holder;
#[path = "../../../testbed/src/wallet/issuer.rs"]
mod issuer;
#[path = "../../../testbed/src/wallet/parts.rs"]
mod parts;
mod refusals;
mod round_trip;
mod samples;
mod scene;
mod sessions;
#[path = "../../../testbed/src/wallet/signer.rs"]
#[expect(dead_code, reason = "the fuzz targets use more of it")]
mod signer;
