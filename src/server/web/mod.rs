//! HTTP: routes, what stands before them, and the connections themselves.

mod body_size;
pub mod cross_site;
pub mod document;
pub mod fn_status;
pub mod headers;
pub mod hydration;
pub mod isolation;
mod leave;
pub mod one_look;
pub mod page_tasks;
pub mod patience;
pub mod router;
pub mod serve;
mod studio_form;
