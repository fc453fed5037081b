-- Two roles for one PostgreSQL database: one owns the tables and migrates them, the other is the server's.
--
-- Whoever owns a table can disable its triggers, and so rewrite history. The server therefore does not own
-- what it uses: it may add to history, and change only what a running ledger changes, column by column.
-- Somebody who takes over the server gets no more than that.
--
-- Run it with psql in Scrip's own database, as a superuser, in this order:
--
--   createdb scrip
--   psql -d scrip -v owner=scrip_owner -v app=scrip_app -f ops/postgres-roles.sql    makes the roles
--   psql -d scrip -c '\password scrip_owner' -c '\password scrip_app'
--   scrip migrate                                                                    as scrip_owner
--   psql -d scrip -v owner=scrip_owner -v app=scrip_app -f ops/postgres-roles.sql    grants the rights
--   scrip serve                                                                      as scrip_app
--
-- Run it again after every migration that adds a table: until then the server is refused there. It takes
-- all rights away and gives them anew in one transaction, so a server that is running does not notice, and
-- a right that is no longer written here is gone.
--
-- Tables that one role made when it still did everything are handed over first, in the same database:
--   REASSIGN OWNED BY old_role TO scrip_owner;

\set ON_ERROR_STOP on
\set QUIET on
\if :{?owner} \else
    \set owner scrip_owner
\endif
\if :{?app} \else
    \set app scrip_app
\endif

BEGIN;

SELECT format('CREATE ROLE %I LOGIN', name) FROM (VALUES (:'owner'), (:'app')) AS wanted (name)
WHERE NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = name) \gexec

SELECT current_schema() AS schema,
    to_regclass('accounts') IS NOT NULL AS is_migrated,
    EXISTS (SELECT 1 FROM pg_roles WHERE rolname = :'app' AND rolsuper)
        OR pg_has_role(:'app', :'owner', 'MEMBER')
        OR EXISTS (SELECT 1 FROM pg_class WHERE relnamespace = current_schema()::regnamespace
            AND relowner = to_regrole(quote_ident(:'app'))) AS app_is_too_mighty \gset

\if :app_is_too_mighty
    DO 'BEGIN RAISE EXCEPTION ''the application role is a superuser, a member of the owner, or owns tables''; END';
\endif

-- A temporary table is found before the real one of the same name. Whoever can make one shows the trigger
-- that checks history a history of their own. Nobody but the owner makes anything in this database.
REVOKE CREATE, TEMPORARY ON DATABASE :"DBNAME" FROM PUBLIC, :"app";
REVOKE CREATE ON SCHEMA :"schema" FROM PUBLIC, :"app";
GRANT CONNECT ON DATABASE :"DBNAME" TO :"owner", :"app";
GRANT USAGE, CREATE ON SCHEMA :"schema" TO :"owner";
GRANT USAGE ON SCHEMA :"schema" TO :"app";

\if :is_migrated

-- What was granted on single columns goes with it.
REVOKE ALL ON ALL TABLES IN SCHEMA :"schema" FROM PUBLIC, :"app";
REVOKE ALL ON ALL SEQUENCES IN SCHEMA :"schema" FROM PUBLIC, :"app";
GRANT EXECUTE ON FUNCTION json_each(text), instr(text, text) TO :"app";

-- The server checks when it starts that the tables are those of its version.
GRANT SELECT ON _sqlx_migrations TO :"app";

-- History, and what is as final: read and added to.
GRANT SELECT, INSERT ON transactions, chain_keys, chain_starts, idempotency_keys, service_requests, audit,
    catalogue_versions TO :"app";

-- What changes with every operation of the ledger. UPDATE of one column is enough to lock a row.
GRANT SELECT, INSERT, UPDATE (balance, held, debt, last_seq, next_due, chain_rows, chain_code,
    chain_seal) ON accounts TO :"app";
GRANT SELECT, INSERT, UPDATE (remaining, held, expired, clawed_back) ON grants TO :"app";
GRANT SELECT, INSERT, UPDATE (status, captured, reason, settled_at) ON holds TO :"app";
GRANT SELECT, INSERT, UPDATE (plan, reference, credits_per_month, anchor, first_month, next_month, end_month,
    renewal_credits) ON allowances TO :"app";

-- People, their purchases and their keys.
GRANT SELECT, INSERT, UPDATE (role, password_hash, name) ON users TO :"app";
GRANT SELECT, INSERT, UPDATE (status, settled_at, checkout, checkout_url, submitted_at) ON orders TO :"app";
GRANT SELECT, INSERT, UPDATE (last_used_at, revoked_at) ON api_keys TO :"app";

-- The number that says whether they have changed; triggers raise it.
GRANT SELECT, UPDATE (number) ON access_changes TO :"app";

-- Payments. What was paid stays; what became of it changes.
GRANT SELECT, INSERT, UPDATE (version) ON billing_accounts TO :"app";
GRANT SELECT, INSERT ON payment_customers TO :"app";
GRANT SELECT, INSERT, UPDATE (status, plan, interval, credits_per_month, anchor, period_start, period_end,
    cancel_at_period_end, next_plan, next_interval, past_due_since, ended_at, surplus) ON subscriptions TO :"app";
GRANT SELECT, INSERT, UPDATE (payment, refunded_cents, dispute) ON payments TO :"app";
GRANT SELECT, INSERT, UPDATE (status, attempts, next_try_at, last_error, processed_at) ON payment_events TO :"app";
GRANT SELECT, INSERT, UPDATE (version, due_at, body), DELETE ON demo_objects TO :"app";

-- What has an end.
GRANT SELECT, INSERT, DELETE ON creations TO :"app";
GRANT SELECT, INSERT, UPDATE, DELETE ON sessions TO :"app";

\else
    \echo 'There are no tables yet. Run "scrip migrate" as' :owner 'and then this file again.'
\endif

COMMIT;
