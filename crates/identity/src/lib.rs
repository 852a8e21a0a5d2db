//! HCP and TRC assertions: who asks, how sure, for what purpose.
