//! An OpenNCP-A behind us: the message is handed on as it came, and so is the answer.

use exchange::{Code, Refusal, Transaction};
use ihe::mtom::Package;
use transport::Peer;
use transport::client::{Client, ClientError};

/// Posts a message and reads the answer; says who gave it.
pub async fn relay(
    client: &Client,
    path: &str,
    transaction: Transaction,
    package: &Package,
) -> Result<(Package, Option<Peer>), Refusal> {
    let (content_type, body) = package.pieces(transaction.request_action());
    let answer =
        client.post_pieces(path, &content_type, body).await.map_err(|e| unreachable_peer(&e))?;
    let package = Package::parse(&answer.content_type, answer.body).map_err(|e| {
        let detail = format!("status {}: {e}", answer.status);
        Refusal::new(
            Code::ErrorGeneric,
            "the national contact point gave no SOAP answer; try again",
        )
        .with_detail(detail)
    })?;
    Ok((package, answer.peer))
}

/// The refusal that a failed call becomes.
pub fn unreachable_peer(error: &ClientError) -> Refusal {
    let hint = match error {
        ClientError::Connect(_) | ClientError::WrongPeer(_) => {
            "the other side cannot be reached; nothing was sent, try again"
        }
        _ => {
            "the other side gave no complete answer; ask again before you assume that nothing happened"
        }
    };
    Refusal::new(Code::ErrorGenericConnectionNotPossible, hint).with_detail(error.to_string())
}
