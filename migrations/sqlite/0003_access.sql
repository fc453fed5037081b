-- Who may come in: sessions of browsers, and keys of programs.

CREATE TABLE sessions (
    id         TEXT    PRIMARY KEY,
    -- As JSON: whose it is, and when they were last seen.
    data       TEXT    NOT NULL CHECK (json_valid(data)),
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX sessions_end ON sessions (expires_at);

CREATE TABLE api_keys (
    id           TEXT    PRIMARY KEY,
    -- SHA-256 of the key, in hexadecimal. The key has 128 random bits, so nothing slower is needed.
    hash         TEXT    NOT NULL UNIQUE,
    -- Whose it is; absent of a service key, which acts for any account.
    account_id   INTEGER REFERENCES accounts (id),
    -- Of a service key: what it may do, separated by commas.
    scopes       TEXT    NOT NULL,
    -- What its maker calls it.
    label        TEXT    NOT NULL,
    created_at   INTEGER NOT NULL,
    expires_at   INTEGER,
    -- By the minute.
    last_used_at INTEGER,
    revoked_at   INTEGER,
    CHECK ((account_id IS NULL) = (scopes <> ''))
) STRICT, WITHOUT ROWID;

CREATE INDEX api_keys_account ON api_keys (account_id) WHERE account_id IS NOT NULL;

CREATE TRIGGER api_keys_keep_their_terms BEFORE UPDATE ON api_keys
WHEN new.id <> old.id OR new.hash <> old.hash OR new.account_id IS NOT old.account_id OR new.scopes <> old.scopes
    OR old.revoked_at IS NOT NULL AND new.revoked_at IS NOT old.revoked_at
BEGIN SELECT RAISE(ABORT, 'of a key only its use and its end may change'); END;

CREATE TRIGGER api_keys_are_not_replaced BEFORE INSERT ON api_keys
WHEN EXISTS (SELECT 1 FROM api_keys WHERE id = new.id OR hash = new.hash)
BEGIN SELECT RAISE(ABORT, 'a key is never replaced'); END;

-- The answers to requests that make accounts: their idempotency keys belong to who called, an API key by its id, or an
-- administrator as `admin-` and their id.
CREATE TABLE service_requests (
    caller      TEXT    NOT NULL,
    key         TEXT    NOT NULL CHECK (length(key) BETWEEN 1 AND 255),
    -- SHA-256 of the request, in hexadecimal.
    fingerprint TEXT    NOT NULL,
    -- What the caller was told, byte for byte.
    answer      TEXT    NOT NULL,
    created_at  INTEGER NOT NULL,
    PRIMARY KEY (caller, key)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER service_requests_are_not_replaced BEFORE INSERT ON service_requests
WHEN EXISTS (SELECT 1 FROM service_requests WHERE caller = new.caller AND key = new.key)
BEGIN SELECT RAISE(ABORT, 'an idempotency key is used once'); END;

CREATE TRIGGER service_requests_never_change BEFORE UPDATE ON service_requests
BEGIN SELECT RAISE(ABORT, 'an idempotency key is used once'); END;

CREATE TRIGGER service_requests_stay BEFORE DELETE ON service_requests
BEGIN SELECT RAISE(ABORT, 'an idempotency key is used once'); END;

-- How often a key was revoked or a person changed. Programs remember both between calls, and look here twice a second
-- whether they still may. New keys and new people change nothing that was remembered.
CREATE TABLE access_changes (
    id     INTEGER PRIMARY KEY CHECK (id = 1),
    number INTEGER NOT NULL
) STRICT;

INSERT INTO access_changes (id, number) VALUES (1, 0);

CREATE TRIGGER api_keys_count_changes AFTER UPDATE OF revoked_at, expires_at ON api_keys
BEGIN UPDATE access_changes SET number = number + 1; END;

CREATE TRIGGER users_count_changes AFTER UPDATE ON users
BEGIN UPDATE access_changes SET number = number + 1; END;
