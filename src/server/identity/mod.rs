//! Identity: passwords, who may try how often, and sessions.

pub mod passwords;
pub mod sessions;
pub mod throttle;
