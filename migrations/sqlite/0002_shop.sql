-- Every version of the catalogue; the highest rules. Rows are only added, so that the version a charge
-- was priced by can always be read.
CREATE TABLE catalogue_versions (
    version    INTEGER PRIMARY KEY,
    body       TEXT    NOT NULL CHECK (json_valid(body)),
    created_at INTEGER NOT NULL
) STRICT;

CREATE TRIGGER catalogue_versions_never_change BEFORE UPDATE ON catalogue_versions
BEGIN SELECT RAISE(ABORT, 'a version of the catalogue never changes'); END;

CREATE TRIGGER catalogue_versions_stay BEFORE DELETE ON catalogue_versions
BEGIN SELECT RAISE(ABORT, 'a version of the catalogue is never deleted'); END;

CREATE TRIGGER catalogue_versions_are_not_replaced BEFORE INSERT ON catalogue_versions
WHEN EXISTS (SELECT 1 FROM catalogue_versions WHERE version = new.version)
BEGIN SELECT RAISE(ABORT, 'a version of the catalogue is never replaced'); END;

-- Purchases, from the click to the payment. What was bought is written down at the click: a catalogue
-- that changes meanwhile changes nothing for this order.
CREATE TABLE orders (
    id           TEXT    PRIMARY KEY,
    account_id   INTEGER NOT NULL REFERENCES accounts (id),
    kind         TEXT    NOT NULL CHECK (kind IN ('plan', 'pack')),
    item         TEXT    NOT NULL,
    interval     TEXT    CHECK (interval IN ('month', 'year')),
    credits      INTEGER NOT NULL CHECK (credits BETWEEN 0 AND 9007199254740991),
    amount_cents INTEGER NOT NULL CHECK (amount_cents >= 0),
    status       TEXT    NOT NULL CHECK (status IN ('pending', 'paid', 'declined', 'abandoned')),
    -- The provider's checkout, where it was begun, and where the person pays.
    checkout     TEXT,
    checkout_url TEXT,
    -- When somebody came back from paying; the provider's word decides.
    submitted_at INTEGER,
    -- The page to go back to afterwards, a path on this site.
    return_to    TEXT,
    created_at   INTEGER NOT NULL,
    settled_at   INTEGER,
    CHECK ((kind = 'plan') = (interval IS NOT NULL))
) STRICT, WITHOUT ROWID;

CREATE INDEX orders_account ON orders (account_id, created_at);

CREATE TRIGGER orders_are_paid_once BEFORE UPDATE ON orders
WHEN old.status = 'paid' OR new.account_id <> old.account_id OR new.credits <> old.credits
    OR new.amount_cents <> old.amount_cents OR new.item <> old.item
BEGIN SELECT RAISE(ABORT, 'a paid order never changes'); END;

CREATE TRIGGER orders_stay BEFORE DELETE ON orders
BEGIN SELECT RAISE(ABORT, 'an order is never deleted'); END;

CREATE TRIGGER orders_are_not_replaced BEFORE INSERT ON orders
WHEN EXISTS (SELECT 1 FROM orders WHERE id = new.id)
BEGIN SELECT RAISE(ABORT, 'an order is never replaced'); END;

-- What people made. Files lie in the data folder under the same unguessable name.
CREATE TABLE creations (
    name         TEXT    PRIMARY KEY,
    account_id   INTEGER NOT NULL REFERENCES accounts (id),
    feature      TEXT    NOT NULL,
    prompt       TEXT    NOT NULL,
    -- An answer in words, or absent where there is a file.
    answer       TEXT,
    content_type TEXT    NOT NULL,
    credits_used INTEGER NOT NULL CHECK (credits_used > 0),
    created_at   INTEGER NOT NULL,
    expires_at   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX creations_account ON creations (account_id, created_at);
CREATE INDEX creations_end ON creations (expires_at);
