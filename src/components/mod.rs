//! Views that more than one page uses.

mod admin_tabs;
mod balance_card;
mod cost_table;
mod creation_card;
mod credit_badge;
mod form;
mod frame;
mod history_table;
mod insufficient_prompt;
mod key_list;
mod loaded;
mod menu;
mod offers;
mod payment_table;
mod person_payments;
mod picture_field;
mod plan_standing;
mod purchase_dialog;
mod subscription_card;
mod text;
mod viewer;

pub use admin_tabs::AdminTabs;
pub use balance_card::BalanceCard;
pub use cost_table::CostTable;
pub use creation_card::CreationCard;
pub use credit_badge::CreditBadge;
pub use form::{FormError, SelectField, TextField, count_done};
pub use frame::PageFrame;
pub use history_table::HistoryTable;
pub use insufficient_prompt::InsufficientPrompt;
pub use key_list::{CopyButton, KeyTable, LIFETIMES, MadeKey};
pub use loaded::{Loaded, NothingHere};
pub use menu::Menu;
pub use offers::{IntervalSwitch, PackOffers, PlanOffers};
pub use payment_table::PaymentTable;
pub use person_payments::PersonPayments;
pub use picture_field::PictureField;
pub use purchase_dialog::{BuyLink, PurchaseDialog, PurchaseOptions};
pub use subscription_card::SubscriptionCard;
pub use text::{Icon, Moment, encode_query, every, history_row, signed_amount, terms_in_words};

pub use crate::domain::credits::credit_count;
pub use viewer::Viewer;
