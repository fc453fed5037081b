//! The migrations, as they stand in `migrations/`, the same numbers for both databases.

use sqlx::SqlStr;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use std::borrow::Cow;

/// Takes the files of one folder into the program.
macro_rules! migrations {
    ($folder:literal: $($version:literal $name:literal,)*) => {
        migrator(&[$(($version, $name, include_str!(concat!("../../../../migrations/", $folder, "/", $name, ".sql")))),*])
    };
}

pub(super) fn sqlite() -> Migrator {
    migrations!("sqlite": 1 "0001_ledger", 2 "0002_shop", 3 "0003_access", 4 "0004_billing",)
}

pub(super) fn postgres() -> Migrator {
    migrations!("postgres": 1 "0001_ledger", 2 "0002_shop", 3 "0003_access", 4 "0004_billing",)
}

fn migrator(files: &[(i64, &'static str, &'static str)]) -> Migrator {
    let migration = |(version, name, text): &(i64, &'static str, &'static str)| {
        Migration::new(*version, Cow::Borrowed(*name), MigrationType::Simple, SqlStr::from_static(text), false)
    };
    Migrator { migrations: files.iter().map(migration).collect(), ..Migrator::DEFAULT }
}
