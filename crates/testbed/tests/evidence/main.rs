//! Bilateral evidence between two nodes when one of them is late, down, forgetful or lies.

mod abandoned;
mod circle;
mod deadline;
mod erasure;
mod gauges;
mod hostile;
mod keys;
mod receipts;
mod refusals;
mod seals;
