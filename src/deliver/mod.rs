//! Delivery of one message: routing, local and remote deliveries, retries, journal, bounces.

pub mod local;
pub mod remote;
