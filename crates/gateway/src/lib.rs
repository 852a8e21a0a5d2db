//! The composition of outbound, inbound and national; the road of one request.
