-- Payments: what providers told, and what was booked of it.

-- Names the state of an account's subscriptions and payments. Whoever books on it has read it before, and is
-- refused where somebody else has booked since.
CREATE TABLE billing_accounts (
    account_id INTEGER PRIMARY KEY REFERENCES accounts (id),
    version    INTEGER NOT NULL CHECK (version > 0)
) STRICT;

CREATE TRIGGER billing_accounts_version_rises BEFORE UPDATE ON billing_accounts
WHEN new.version <> old.version + 1 OR new.account_id <> old.account_id
BEGIN SELECT RAISE(ABORT, 'a version of the billing follows from the one before'); END;

CREATE TRIGGER billing_accounts_stay BEFORE DELETE ON billing_accounts
BEGIN SELECT RAISE(ABORT, 'a version of the billing is never deleted'); END;

-- Who an account is at a provider.
CREATE TABLE payment_customers (
    provider   TEXT    NOT NULL,
    customer   TEXT    NOT NULL,
    account_id INTEGER NOT NULL REFERENCES accounts (id),
    created_at INTEGER NOT NULL,
    PRIMARY KEY (provider, customer)
) STRICT, WITHOUT ROWID;

CREATE INDEX payment_customers_account ON payment_customers (account_id);

CREATE TABLE subscriptions (
    id                   TEXT    PRIMARY KEY,
    provider             TEXT    NOT NULL,
    account_id           INTEGER NOT NULL REFERENCES accounts (id),
    order_id             TEXT,
    status               TEXT    NOT NULL CHECK (status IN ('incomplete', 'active', 'past_due', 'canceled')),
    plan                 TEXT    NOT NULL,
    interval             TEXT    NOT NULL CHECK (interval IN ('month', 'year')),
    credits_per_month    INTEGER NOT NULL CHECK (credits_per_month BETWEEN 0 AND 9007199254740991),
    anchor               INTEGER NOT NULL,
    period_start         INTEGER NOT NULL,
    period_end           INTEGER NOT NULL,
    cancel_at_period_end INTEGER NOT NULL CHECK (cancel_at_period_end IN (0, 1)),
    next_plan            TEXT,
    next_interval        TEXT    CHECK (next_interval IN ('month', 'year')),
    past_due_since       INTEGER,
    ended_at             INTEGER,
    -- One too many: the account had another one. It is ended and refunded, and grants nothing.
    surplus              INTEGER NOT NULL CHECK (surplus IN (0, 1)),
    created_at           INTEGER NOT NULL,
    CHECK ((next_plan IS NULL) = (next_interval IS NULL)),
    CHECK ((status = 'canceled') = (ended_at IS NOT NULL))
) STRICT, WITHOUT ROWID;

CREATE INDEX subscriptions_account ON subscriptions (account_id);

-- An account has one plan.
CREATE UNIQUE INDEX subscriptions_current ON subscriptions (account_id)
WHERE status IN ('active', 'past_due') AND surplus = 0;

-- What the clock has to look at.
CREATE INDEX subscriptions_alive ON subscriptions (period_end) WHERE status <> 'canceled';

CREATE TRIGGER subscriptions_end_for_good BEFORE UPDATE ON subscriptions
WHEN old.status = 'canceled' OR new.account_id <> old.account_id OR new.provider <> old.provider
    OR old.surplus = 1 AND new.surplus = 0
BEGIN SELECT RAISE(ABORT, 'a subscription that has ended never changes'); END;

CREATE TRIGGER subscriptions_stay BEFORE DELETE ON subscriptions
BEGIN SELECT RAISE(ABORT, 'a subscription is never deleted'); END;

CREATE TABLE payments (
    -- The invoice of a plan, else the payment: what its credits are granted under.
    reference       TEXT    PRIMARY KEY,
    provider        TEXT    NOT NULL,
    account_id      INTEGER NOT NULL REFERENCES accounts (id),
    -- The provider's own name of the payment behind an invoice.
    payment         TEXT,
    kind            TEXT    NOT NULL CHECK (kind IN ('plan', 'pack')),
    item            TEXT    NOT NULL,
    interval        TEXT    CHECK (interval IN ('month', 'year')),
    order_id        TEXT,
    subscription_id TEXT    REFERENCES subscriptions (id),
    -- Of the pack, or of each month.
    credits         INTEGER NOT NULL CHECK (credits BETWEEN 0 AND 9007199254740991),
    price_cents     INTEGER NOT NULL CHECK (price_cents >= 0),
    amount_cents    INTEGER NOT NULL CHECK (amount_cents >= 0),
    refunded_cents  INTEGER NOT NULL CHECK (refunded_cents BETWEEN 0 AND amount_cents),
    dispute         TEXT    NOT NULL CHECK (dispute IN ('none', 'open', 'lost', 'won')),
    surplus         INTEGER NOT NULL CHECK (surplus IN (0, 1)),
    period_start    INTEGER,
    period_end      INTEGER,
    paid_at         INTEGER NOT NULL,
    CHECK ((kind = 'plan') = (interval IS NOT NULL AND subscription_id IS NOT NULL AND period_start IS NOT NULL)),
    CHECK ((period_start IS NULL) = (period_end IS NULL))
) STRICT, WITHOUT ROWID;

CREATE INDEX payments_account ON payments (account_id, paid_at);
CREATE INDEX payments_payment ON payments (payment) WHERE payment IS NOT NULL;
CREATE INDEX payments_order ON payments (order_id) WHERE order_id IS NOT NULL;
CREATE INDEX payments_surplus ON payments (reference) WHERE surplus = 1;

CREATE TRIGGER payments_keep_their_terms BEFORE UPDATE ON payments
WHEN new.account_id <> old.account_id OR new.provider <> old.provider OR new.kind <> old.kind
    OR new.credits <> old.credits OR new.amount_cents <> old.amount_cents OR new.price_cents <> old.price_cents
    OR new.surplus <> old.surplus OR new.subscription_id IS NOT old.subscription_id
    OR old.payment IS NOT NULL AND new.payment IS NOT old.payment
BEGIN SELECT RAISE(ABORT, 'of a payment only what went back changes'); END;

CREATE TRIGGER payments_stay BEFORE DELETE ON payments
BEGIN SELECT RAISE(ABORT, 'a payment is never deleted'); END;

-- Events as they came, before they were answered. They are processed from here.
CREATE TABLE payment_events (
    provider     TEXT    NOT NULL,
    id           TEXT    NOT NULL,
    kind         TEXT    NOT NULL,
    -- The very bytes whose signature was checked.
    body         TEXT    NOT NULL,
    status       TEXT    NOT NULL CHECK (status IN ('received', 'processed', 'dead')),
    attempts     INTEGER NOT NULL CHECK (attempts >= 0),
    -- When it is tried next; absent once it is not.
    next_try_at  INTEGER,
    last_error   TEXT,
    received_at  INTEGER NOT NULL,
    processed_at INTEGER,
    PRIMARY KEY (provider, id),
    CHECK ((status = 'received') = (next_try_at IS NOT NULL)),
    CHECK ((status = 'processed') = (processed_at IS NOT NULL))
) STRICT, WITHOUT ROWID;

CREATE INDEX payment_events_due ON payment_events (next_try_at) WHERE status = 'received';
CREATE INDEX payment_events_dead ON payment_events (received_at) WHERE status = 'dead';

CREATE TRIGGER payment_events_keep_their_words BEFORE UPDATE ON payment_events
WHEN new.body <> old.body OR new.kind <> old.kind OR old.status = 'processed'
BEGIN SELECT RAISE(ABORT, 'an event keeps its words, and is processed once'); END;

CREATE TRIGGER payment_events_stay BEFORE DELETE ON payment_events
BEGIN SELECT RAISE(ABORT, 'an event is never deleted'); END;

-- What the demo provider has: its checkouts, subscriptions, payments, and events to be delivered. They are its own,
-- as if it were elsewhere; nothing else looks here.
CREATE TABLE demo_objects (
    id      TEXT    PRIMARY KEY,
    kind    TEXT    NOT NULL CHECK (kind IN ('checkout', 'subscription', 'payment', 'event')),
    -- Rises with each change, so that of two at once one begins again.
    version INTEGER NOT NULL CHECK (version > 0),
    -- When the clock has to look at it.
    due_at  INTEGER,
    body    TEXT    NOT NULL CHECK (json_valid(body))
) STRICT, WITHOUT ROWID;

CREATE INDEX demo_objects_due ON demo_objects (kind, due_at) WHERE due_at IS NOT NULL;
