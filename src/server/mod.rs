//! The server: everything that needs a disk, a socket, a clock or a secret. Compiled only for the server.

pub mod billing;
pub mod chain_key;
pub mod clock;
pub mod config;
pub mod current_catalogue;
pub mod generators;
pub mod identity;
pub mod jobs;
pub mod ledger;
pub mod presets;
pub mod random;
pub mod rest;
pub mod secret;
pub mod services;
pub mod start;
pub mod store;
pub mod upstreams;
pub mod web;
