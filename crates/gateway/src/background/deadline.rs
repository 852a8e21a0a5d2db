//! Evidence whose other half did not come by the deadline: what we alone can prove goes to the log
//! (docs/decisions/0006-half-evidence.md).

use enclave::VaultError;
use exchange::{Side, TransactionId};
use ledger::evidence::{EvidenceError, JointStatement, RequestStatement};
use ledger::journal::{JournalError, Outcome, Row, State, Step};

use crate::node::Node;
use crate::secrets::SecretsError;

/// Looks for rows that are past their deadline.
#[derive(Default)]
pub struct Deadline {
    /// Rows of which nothing can be proven, because the journal's file is damaged.
    damaged: Vec<(TransactionId, Side)>,
}

impl Deadline {
    /// Looks once; gives how many rows became halves. At most [`TURN`] rows, one fsync.
    pub async fn turn(&mut self, node: &Node) -> Result<usize, JournalError> {
        let before = node.clock.now().checked_sub(node.limits.receipt_deadline);
        let Ok(before) = before else { return Ok(0) };
        let mut halves = Vec::new();
        for row in node.journal.overdue(before, TURN + self.damaged.len()).await? {
            let number = (row.txid, row.side);
            if self.damaged.contains(&number) {
                continue;
            }
            // a signature each: let requests go in between
            tokio::task::yield_now().await;
            match half(node, row).await {
                Ok(row) => halves.push(row),
                Err(error) => {
                    tracing::error!(%error, txid = %number.0, "evidence cannot be closed");
                    if !error.passes() {
                        self.damaged.push(number);
                    }
                }
            }
        }
        let made = commit(node, halves).await?;
        made.iter().for_each(|row| node.note_half(row));
        Ok(made.len())
    }
}

/// What we alone can prove: our answer to a signed request, or that there was no answer.
async fn half(node: &Node, row: Row) -> Result<Row, HalfError> {
    let seal = &node.sealing().seal;
    let statement = match row.state {
        State::Answered => row.statement.clone(),
        _ if row.request.is_empty() => plain(node, &row).await?.sign(seal)?,
        _ => JointStatement::unanswered(&row.request)?.sign(seal)?,
    };
    Ok(Row { state: State::Half, statement, ..row })
}

/// Why a row cannot be closed.
#[derive(Debug, thiserror::Error)]
enum HalfError {
    #[error(transparent)]
    Evidence(#[from] EvidenceError),
    #[error(transparent)]
    Secrets(#[from] SecretsError),
}

impl HalfError {
    /// Whether it may be gone at the next turn.
    fn passes(&self) -> bool {
        let Self::Secrets(error) = self else { return false };
        matches!(error, SecretsError::Journal(_) | SecretsError::Vault(VaultError::Gone))
    }
}

/// We were asked by a country without KONFIDO, which signs nothing. Of secrets that were erased nothing
/// is committed to.
async fn plain(node: &Node, row: &Row) -> Result<JointStatement, SecretsError> {
    let secrets = node.secrets(row).await?.unwrap_or_default();
    let (requester, provider, asked) = (row.requester, row.provider, secrets.commitments());
    let request = RequestStatement::new(row.txid, row.transaction, requester, provider, asked);
    Ok(JointStatement::unanswered_alone(&request))
}

/// Makes the halves durable, but for those whose other half came while we looked.
async fn commit(node: &Node, halves: Vec<Row>) -> Result<Vec<Row>, JournalError> {
    if halves.is_empty() {
        return Ok(halves);
    }
    let step = |rows| Step { replay: None, rows };
    if node.journal.commit(step(halves.clone())).await? == Outcome::Recorded {
        return Ok(halves);
    }
    let mut made = Vec::new();
    for row in halves {
        if node.journal.commit(step(vec![row.clone()])).await? == Outcome::Recorded {
            made.push(row);
        }
    }
    Ok(made)
}

/// Rows in one turn: about 10 ms of signatures when they are RSA.
pub const TURN: usize = 64;
