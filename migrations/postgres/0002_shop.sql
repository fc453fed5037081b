-- Every version of the catalogue; the highest rules. Rows are only added, so that the version a charge
-- was priced by can always be read.
CREATE TABLE catalogue_versions (
    version    BIGINT PRIMARY KEY,
    body       TEXT   NOT NULL CHECK (body::json IS NOT NULL),
    created_at BIGINT NOT NULL
);

CREATE TRIGGER catalogue_versions_never_change BEFORE UPDATE ON catalogue_versions FOR EACH ROW
EXECUTE FUNCTION refuse('a version of the catalogue never changes');

CREATE TRIGGER catalogue_versions_stay BEFORE DELETE ON catalogue_versions FOR EACH ROW
EXECUTE FUNCTION refuse('a version of the catalogue is never deleted');

CREATE TRIGGER catalogue_versions_are_not_emptied BEFORE TRUNCATE ON catalogue_versions FOR EACH STATEMENT
EXECUTE FUNCTION refuse('a version of the catalogue is never deleted');

-- Purchases, from the click to the payment. What was bought is written down at the click: a catalogue
-- that changes meanwhile changes nothing for this order.
CREATE TABLE orders (
    id           TEXT   PRIMARY KEY,
    account_id   BIGINT NOT NULL REFERENCES accounts (id),
    kind         TEXT   NOT NULL CHECK (kind IN ('plan', 'pack')),
    item         TEXT   NOT NULL,
    interval     TEXT   CHECK (interval IN ('month', 'year')),
    credits      BIGINT NOT NULL CHECK (credits BETWEEN 0 AND 9007199254740991),
    amount_cents BIGINT NOT NULL CHECK (amount_cents >= 0),
    status       TEXT   NOT NULL CHECK (status IN ('pending', 'paid', 'declined', 'abandoned')),
    -- The provider's checkout, where it was begun, and where the person pays.
    checkout     TEXT,
    checkout_url TEXT,
    -- When somebody came back from paying; the provider's word decides.
    submitted_at BIGINT,
    -- The page to go back to afterwards, a path on this site.
    return_to    TEXT,
    created_at   BIGINT NOT NULL,
    settled_at   BIGINT,
    CHECK ((kind = 'plan') = (interval IS NOT NULL))
);

CREATE INDEX orders_account ON orders (account_id, created_at);

CREATE TRIGGER orders_are_paid_once BEFORE UPDATE ON orders FOR EACH ROW
WHEN (old.status = 'paid' OR new.account_id <> old.account_id OR new.credits <> old.credits
    OR new.amount_cents <> old.amount_cents OR new.item <> old.item)
EXECUTE FUNCTION refuse('a paid order never changes');

CREATE TRIGGER orders_stay BEFORE DELETE ON orders FOR EACH ROW
EXECUTE FUNCTION refuse('an order is never deleted');

CREATE TRIGGER orders_are_not_emptied BEFORE TRUNCATE ON orders FOR EACH STATEMENT
EXECUTE FUNCTION refuse('an order is never deleted');

-- What people made. Files lie in the data folder under the same unguessable name.
CREATE TABLE creations (
    name         TEXT   PRIMARY KEY,
    account_id   BIGINT NOT NULL REFERENCES accounts (id),
    feature      TEXT   NOT NULL,
    prompt       TEXT   NOT NULL,
    -- An answer in words, or absent where there is a file.
    answer       TEXT,
    content_type TEXT   NOT NULL,
    credits_used BIGINT NOT NULL CHECK (credits_used > 0),
    created_at   BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL
);

CREATE INDEX creations_account ON creations (account_id, created_at);
CREATE INDEX creations_end ON creations (expires_at);
