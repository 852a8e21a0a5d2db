//! Mutual TLS, certificate reload, listeners, limits, timeouts, problem responses.
