//! The doors for pages: server functions, one file per area. Each finds out who calls, makes one call of a
//! service and gives a typed answer. They are public endpoints under `/fn`: whoever can reach the site can
//! call them, so every check stands inside.

#[allow(missing_docs, reason = "the server macro makes fields of the arguments, which the functions describe")]
pub mod admin;
#[allow(missing_docs, reason = "the server macro makes fields of the arguments, which the functions describe")]
pub mod billing;
pub mod error;
#[allow(missing_docs, reason = "the server macro makes fields of the arguments, which the functions describe")]
pub mod history;
#[allow(missing_docs, reason = "the server macro makes fields of the arguments, which the functions describe")]
pub mod keys;
#[allow(missing_docs, reason = "the server macro makes fields of the arguments, which the functions describe")]
pub mod session;
#[allow(missing_docs, reason = "the server macro makes fields of the arguments, which the functions describe")]
pub mod shop;
#[allow(missing_docs, reason = "the server macro makes fields of the arguments, which the functions describe")]
pub mod studio;
pub mod studio_features;
pub mod views;

#[cfg(feature = "ssr")]
pub(crate) mod guard;

pub use error::{ApiError, Field, Problem};
