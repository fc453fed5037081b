-- People. The number is the account's key in every table; the public id is what leaves the server.
CREATE TABLE users (
    id            INTEGER PRIMARY KEY,
    public_id     TEXT    NOT NULL UNIQUE,
    email         TEXT    NOT NULL UNIQUE,
    name          TEXT    NOT NULL,
    -- Absent for people who cannot sign in by password.
    password_hash TEXT,
    role          TEXT    NOT NULL CHECK (role IN ('user', 'admin')),
    created_at    INTEGER NOT NULL
) STRICT;

-- One wallet per person. The totals repeat what the grants say, so that a read is one row and a proof is
-- one comparison.
CREATE TABLE accounts (
    id       INTEGER PRIMARY KEY REFERENCES users (id),
    balance  INTEGER NOT NULL DEFAULT 0 CHECK (balance BETWEEN 0 AND 9007199254740991),
    held     INTEGER NOT NULL DEFAULT 0 CHECK (held BETWEEN 0 AND balance),
    -- What a clawback found spent already, and the next credits pay off.
    debt     INTEGER NOT NULL DEFAULT 0 CHECK (debt BETWEEN 0 AND 9007199254740991),
    -- The number of the last change. Numbers only rise.
    last_seq INTEGER NOT NULL DEFAULT 0 CHECK (last_seq >= 0),
    -- When time next makes something true: a hold or a grant ends, a month begins. Only the job that books what is due
    -- looks here; the rule is the program's.
    next_due INTEGER,
    -- The head of the chain of its history: how many rows there are, the code of the last one, and a seal over
    -- both that only who has the key can make.
    chain_rows INTEGER NOT NULL DEFAULT 0 CHECK (chain_rows >= 0),
    chain_code TEXT NOT NULL,
    chain_seal TEXT NOT NULL
) STRICT;

CREATE INDEX accounts_due ON accounts (next_due) WHERE next_due IS NOT NULL;

CREATE TRIGGER accounts_number_rises BEFORE UPDATE ON accounts
WHEN new.last_seq < old.last_seq OR new.id <> old.id
BEGIN SELECT RAISE(ABORT, 'the number of changes of an account only rises'); END;

CREATE TRIGGER accounts_are_not_replaced BEFORE INSERT ON accounts
WHEN EXISTS (SELECT 1 FROM accounts WHERE id = new.id)
BEGIN SELECT RAISE(ABORT, 'an account is never replaced'); END;

CREATE TRIGGER accounts_stay BEFORE DELETE ON accounts
BEGIN SELECT RAISE(ABORT, 'an account is never deleted'); END;

CREATE TABLE grants (
    account_id INTEGER NOT NULL REFERENCES accounts (id),
    -- The number of the transaction that opened it.
    id         INTEGER NOT NULL,
    source     TEXT    NOT NULL CHECK (source IN
        ('signup', 'monthly', 'purchase', 'promotion', 'referral', 'adjustment', 'restored')),
    reference  TEXT,
    amount     INTEGER NOT NULL CHECK (amount BETWEEN 1 AND 9007199254740991),
    remaining  INTEGER NOT NULL CHECK (remaining BETWEEN 0 AND amount),
    held       INTEGER NOT NULL DEFAULT 0 CHECK (held BETWEEN 0 AND remaining),
    -- How much of it ended unspent.
    expired    INTEGER NOT NULL DEFAULT 0 CHECK (expired BETWEEN 0 AND amount),
    -- How much of it was taken back, from what remained of it or as debt.
    clawed_back INTEGER NOT NULL DEFAULT 0 CHECK (clawed_back BETWEEN 0 AND amount),
    expires_at INTEGER,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (account_id, id)
) STRICT, WITHOUT ROWID;

-- A payment, a month or a sign-up grants once, whoever asks and however often.
CREATE UNIQUE INDEX grants_reference ON grants (source, reference) WHERE reference IS NOT NULL;

-- Only for the columns that it guards: a batch, which saves the others, does not run it.
CREATE TRIGGER grants_keep_their_terms
BEFORE UPDATE OF account_id, id, source, reference, amount, expires_at, created_at ON grants
WHEN new.account_id <> old.account_id OR new.id <> old.id OR new.source <> old.source
    OR new.reference IS NOT old.reference OR new.amount <> old.amount
    OR new.expires_at IS NOT old.expires_at OR new.created_at <> old.created_at
BEGIN SELECT RAISE(ABORT, 'of a grant only what remains, is held, has expired or was taken back may change'); END;

CREATE TRIGGER grants_stay BEFORE DELETE ON grants
BEGIN SELECT RAISE(ABORT, 'a grant is never deleted'); END;

CREATE TRIGGER grants_are_not_replaced BEFORE INSERT ON grants
WHEN EXISTS (SELECT 1 FROM grants WHERE account_id = new.account_id AND id = new.id)
BEGIN SELECT RAISE(ABORT, 'a grant is never replaced'); END;

CREATE TABLE holds (
    account_id   INTEGER NOT NULL REFERENCES accounts (id),
    -- The number of the change that made it.
    id           INTEGER NOT NULL,
    amount       INTEGER NOT NULL CHECK (amount BETWEEN 1 AND 9007199254740991),
    status       TEXT    NOT NULL CHECK (status = 'pending' OR status = 'captured' OR status = 'released'
        OR status = 'expired'),
    captured     INTEGER NOT NULL DEFAULT 0 CHECK (captured BETWEEN 0 AND amount),
    feature      TEXT,
    units        INTEGER,
    rate_version INTEGER,
    description  TEXT    NOT NULL,
    actor        TEXT    NOT NULL,
    metadata     TEXT    CHECK (json_valid(metadata)),
    reason       TEXT,
    deadline     INTEGER NOT NULL,
    created_at   INTEGER NOT NULL,
    settled_at   INTEGER,
    -- Pairs of grant and credits, in the order in which they are taken. They only ever come and go with
    -- the hold, so they stand in its row.
    draws        TEXT    NOT NULL CHECK (json_valid(draws)),
    PRIMARY KEY (account_id, id),
    CHECK ((status = 'pending') = (settled_at IS NULL)),
    CHECK ((status = 'captured') = (captured > 0))
) STRICT, WITHOUT ROWID;

CREATE INDEX holds_pending ON holds (account_id) WHERE status = 'pending';

CREATE TRIGGER holds_settle_once BEFORE UPDATE ON holds
WHEN old.status <> 'pending' OR new.amount <> old.amount OR new.draws <> old.draws
    OR new.account_id <> old.account_id OR new.id <> old.id OR new.deadline <> old.deadline
BEGIN SELECT RAISE(ABORT, 'a hold is settled once, and keeps its terms'); END;

CREATE TRIGGER holds_are_not_replaced BEFORE INSERT ON holds
WHEN EXISTS (SELECT 1 FROM holds WHERE account_id = new.account_id AND id = new.id)
BEGIN SELECT RAISE(ABORT, 'a hold is never replaced'); END;

CREATE TRIGGER holds_stay BEFORE DELETE ON holds
BEGIN SELECT RAISE(ABORT, 'a hold is never deleted'); END;

-- History. Append-only: see the triggers. Rows lie in the order in which they were written, so that those of a batch
-- share their pages, and only the short entry of the key has a place near others of its account.
CREATE TABLE transactions (
    -- transactions_follow looks for the account, which a foreign key would do once more for every row.
    account_id    INTEGER NOT NULL,
    seq           INTEGER NOT NULL CHECK (seq > 0),
    -- In a CHECK, SQLite makes the list of an IN anew for every row, which takes as long as adding the row.
    type          TEXT    NOT NULL CHECK (type = 'debit' OR type = 'credit' OR type = 'refund' OR type = 'purchase'
        OR type = 'expiry' OR type = 'clawback'),
    cause         TEXT    NOT NULL CHECK (cause = 'charge' OR cause = 'capture' OR cause = 'grant' OR cause = 'refund'
        OR cause = 'adjust' OR cause = 'expire' OR cause = 'clawback' OR cause = 'repay' OR cause = 'reset'
        OR cause = 'undo'),
    amount        INTEGER NOT NULL,
    balance_after INTEGER NOT NULL CHECK (balance_after BETWEEN 0 AND 9007199254740991),
    debt_after    INTEGER NOT NULL CHECK (debt_after BETWEEN 0 AND 9007199254740991),
    feature       TEXT,
    units         INTEGER,
    rate_version  INTEGER,
    description   TEXT    NOT NULL,
    actor         TEXT    NOT NULL,
    metadata      TEXT    CHECK (json_valid(metadata)),
    hold_id       INTEGER,
    refund_of     INTEGER,
    created_at    INTEGER NOT NULL,
    -- Pairs of grant and signed credits: from and to which grants it moved how much.
    draws         TEXT    NOT NULL,
    -- Follows from the row before and from all that this row says, by a key that is not in this database.
    code          TEXT    NOT NULL,
    -- Stands in the chain for the description and the metadata once they are erased.
    erased_words  TEXT,
    PRIMARY KEY (account_id, seq),
    -- A clawback or an undone reset of credits that were all spent moves nothing: it only makes the debt.
    CHECK (CASE WHEN type = 'credit' OR type = 'refund' OR type = 'purchase' THEN amount > 0
        WHEN cause = 'clawback' OR cause = 'undo' THEN amount <= 0 ELSE amount < 0 END),
    FOREIGN KEY (account_id, refund_of) REFERENCES transactions (account_id, seq),
    FOREIGN KEY (account_id, hold_id) REFERENCES holds (account_id, id)
) STRICT;

-- What was already given back of a charge is asked at every refund.
CREATE INDEX transactions_refund_of ON transactions (account_id, refund_of, amount) WHERE refund_of IS NOT NULL;

-- A row follows from the one before, or is the first of an account. Its draws are of grants that are there, and add up to
-- what the row moved. A pair is two whole numbers; the single pair of most rows is compared as a text, without opening the
-- list. Nor does a row take the place of another one: SQLite's own number of a row is -1 here, unless a statement gives
-- one. All in one trigger, since each trigger is a program of its own for every row.
CREATE TRIGGER transactions_follow BEFORE INSERT ON transactions
WHEN coalesce(
    (SELECT new.balance_after - new.amount <> balance_after OR new.seq <= seq
        FROM transactions WHERE account_id = new.account_id ORDER BY seq DESC LIMIT 1),
    new.balance_after <> new.amount OR NOT EXISTS (SELECT 1 FROM accounts WHERE id = new.account_id))
    OR EXISTS (SELECT 1 FROM transactions WHERE rowid = new.rowid AND new.rowid <> -1)
    OR CASE
        WHEN new.amount <> 0 AND EXISTS (SELECT 1 FROM grants
            WHERE account_id = new.account_id AND id = CAST(substr(new.draws, 3) AS INTEGER)
                AND new.draws = '[[' || id || ',' || new.amount || ']]') THEN 0
        WHEN NOT json_valid(new.draws) THEN 1
        ELSE (
            SELECT count(*) = count(g.id) AND coalesce(sum(part.value ->> 1), 0) = new.amount
                AND coalesce(min(typeof(part.value ->> 1) = 'integer' AND part.value ->> 1 <> 0
                    AND json_array_length(part.value) = 2), 1)
            FROM json_each(new.draws) part
            LEFT JOIN grants g ON g.account_id = new.account_id AND g.id = part.value ->> 0) IS NOT 1
        END
BEGIN SELECT RAISE(ABORT, 'a row of history follows from the row before, and its draws add up to its amount'); END;

-- Only the words of a person may be erased, once, and what stood for them in the chain stays.
CREATE TRIGGER transactions_never_change BEFORE UPDATE ON transactions
WHEN old.erased_words IS NOT NULL OR new.erased_words IS NULL OR new.description <> '' OR new.metadata IS NOT NULL
    OR (new.rowid, new.account_id, new.seq, new.type, new.cause, new.amount, new.balance_after, new.debt_after,
        new.feature, new.units, new.rate_version, new.actor, new.hold_id, new.refund_of, new.created_at, new.draws,
        new.code)
    IS NOT (old.rowid, old.account_id, old.seq, old.type, old.cause, old.amount, old.balance_after, old.debt_after,
        old.feature, old.units, old.rate_version, old.actor, old.hold_id, old.refund_of, old.created_at, old.draws,
        old.code)
BEGIN SELECT RAISE(ABORT, 'history is append-only'); END;

CREATE TRIGGER transactions_stay BEFORE DELETE ON transactions
BEGIN SELECT RAISE(ABORT, 'history is append-only'); END;

-- Keys of the chain, by the code of nothing: the newest is the one that rules. The key itself is a file.
CREATE TABLE chain_keys (
    id         INTEGER PRIMARY KEY,
    proof      TEXT    NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

-- Where the chain of an account begins anew with another key: its rows up to a number, all under one code.
CREATE TABLE chain_starts (
    key_id     INTEGER NOT NULL REFERENCES chain_keys (id),
    account_id INTEGER NOT NULL REFERENCES accounts (id),
    last_seq   INTEGER NOT NULL CHECK (last_seq >= 0),
    row_count  INTEGER NOT NULL CHECK (row_count >= 0),
    code       TEXT    NOT NULL,
    PRIMARY KEY (key_id, account_id)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER chain_keys_are_not_replaced BEFORE INSERT ON chain_keys
WHEN EXISTS (SELECT 1 FROM chain_keys WHERE id = new.id)
BEGIN SELECT RAISE(ABORT, 'the chain is append-only'); END;

CREATE TRIGGER chain_keys_never_change BEFORE UPDATE ON chain_keys
BEGIN SELECT RAISE(ABORT, 'the chain is append-only'); END;

CREATE TRIGGER chain_keys_stay BEFORE DELETE ON chain_keys
BEGIN SELECT RAISE(ABORT, 'the chain is append-only'); END;

CREATE TRIGGER chain_starts_are_not_replaced BEFORE INSERT ON chain_starts
WHEN EXISTS (SELECT 1 FROM chain_starts WHERE key_id = new.key_id AND account_id = new.account_id)
BEGIN SELECT RAISE(ABORT, 'the chain is append-only'); END;

CREATE TRIGGER chain_starts_never_change BEFORE UPDATE ON chain_starts
BEGIN SELECT RAISE(ABORT, 'the chain is append-only'); END;

CREATE TRIGGER chain_starts_stay BEFORE DELETE ON chain_starts
BEGIN SELECT RAISE(ABORT, 'the chain is append-only'); END;

-- The answers that were given, so that a repeated request gets the same one.
CREATE TABLE idempotency_keys (
    account_id  INTEGER NOT NULL REFERENCES accounts (id),
    key         TEXT    NOT NULL CHECK (length(key) BETWEEN 1 AND 255),
    -- SHA-256 of the request, in hexadecimal.
    fingerprint TEXT    NOT NULL,
    -- What the caller was told, byte for byte.
    answer      TEXT    NOT NULL,
    created_at  INTEGER NOT NULL,
    PRIMARY KEY (account_id, key)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER idempotency_keys_are_not_replaced BEFORE INSERT ON idempotency_keys
WHEN EXISTS (SELECT 1 FROM idempotency_keys WHERE account_id = new.account_id AND key = new.key)
BEGIN SELECT RAISE(ABORT, 'an idempotency key is used once'); END;

CREATE TRIGGER idempotency_keys_never_change BEFORE UPDATE ON idempotency_keys
BEGIN SELECT RAISE(ABORT, 'an idempotency key is used once'); END;

CREATE TRIGGER idempotency_keys_stay BEFORE DELETE ON idempotency_keys
BEGIN SELECT RAISE(ABORT, 'an idempotency key is used once'); END;

-- Which credits come each month.
CREATE TABLE allowances (
    account_id        INTEGER PRIMARY KEY REFERENCES accounts (id),
    plan              TEXT    NOT NULL,
    reference         TEXT    NOT NULL,
    credits_per_month INTEGER NOT NULL CHECK (credits_per_month BETWEEN 0 AND 9007199254740991),
    anchor            INTEGER NOT NULL,
    first_month       INTEGER NOT NULL CHECK (first_month >= 0),
    next_month        INTEGER NOT NULL CHECK (next_month >= first_month),
    -- The first month that is not paid for; absent where nothing has to be paid.
    end_month         INTEGER CHECK (end_month >= next_month),
    -- What that month will bring once it is paid for; only to be told.
    renewal_credits   INTEGER NOT NULL CHECK (renewal_credits BETWEEN 0 AND 9007199254740991)
) STRICT;

-- What administrators and the system did, and why.
CREATE TABLE audit (
    id         INTEGER PRIMARY KEY,
    account_id INTEGER REFERENCES accounts (id),
    -- The row of history that it explains, where there is one.
    seq        INTEGER,
    actor      TEXT    NOT NULL,
    action     TEXT    NOT NULL,
    detail     TEXT    NOT NULL CHECK (json_valid(detail)),
    created_at INTEGER NOT NULL
) STRICT;

CREATE INDEX audit_account ON audit (account_id, id);

CREATE TRIGGER audit_is_not_replaced BEFORE INSERT ON audit
WHEN EXISTS (SELECT 1 FROM audit WHERE id = new.id)
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;

CREATE TRIGGER audit_never_changes BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;

CREATE TRIGGER audit_stays BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
