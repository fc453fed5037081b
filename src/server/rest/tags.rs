//! The groups of the interface's description.

/// Costs, charges and holds.
pub const SPENDING: &str = "Spending";
/// Balances and history.
pub const HISTORY: &str = "Balance and history";
/// What programs and administrators do to accounts.
pub const ACCOUNTS: &str = "Accounts";
/// Plans, packs and payments.
pub const BILLING: &str = "Billing";
/// What is made for credits.
pub const FEATURES: &str = "Features";
/// The description itself.
pub const DESCRIPTION: &str = "Description";

/// All of them with a sentence each, in the order in which they are shown.
pub const ALL: [(&str, &str); 6] = [
    (SPENDING, "What things cost; spend at once, or reserve and settle later."),
    (HISTORY, "Where an account stands, and how it came there."),
    (
        ACCOUNTS,
        "Make accounts, grant, and give back: for service keys and administrators. Every path of one's own account is there again for theirs.",
    ),
    (BILLING, "Plans, packs and how they are paid."),
    (FEATURES, "Things that are made for credits; what was not delivered costs nothing."),
    (DESCRIPTION, "This description, for programs and for people."),
];
