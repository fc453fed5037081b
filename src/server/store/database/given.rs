//! Changes that come with their rows: one statement takes them all, however many there are. SQLite takes them as
//! `VALUES`, PostgreSQL as one array for each column, so that neither has to open a list that it was handed as text. A
//! single row SQLite takes in the plain form of its statement, for which it makes no list of its own.
//! The texts are made of the names of our tables and columns alone (`AssertSqlSafe`); what others say is a parameter.

use super::Value;
use crate::server::store::{StoreError, StoreResult};
use std::fmt::Write as _;
use std::iter::repeat_with;

/// A statement of SQLite takes 32,766 parameters (sqlite.org/limits.html), which so many rows stay below with 31 columns.
const MAX_ROWS: usize = 1_024;
/// Above this size all statements of a text have the same one, or a single row: a text is prepared for each combination of
/// sizes.
const MAX_MIXED_ROWS: usize = 64;

/// Adds the statements of all changes for SQLite, and the values; gives the number of statements.
pub(super) fn write_all_sqlite(
    changes: impl IntoIterator<Item = Given>,
    text: &mut String,
    values: &mut Vec<Value<'static>>,
) -> usize {
    let changes: Vec<Given> = changes.into_iter().collect();
    let largest = changes.iter().map(Given::row_count).max().map_or(1, size_for);
    let least = if largest > MAX_MIXED_ROWS { largest } else { 1 };
    changes.into_iter().map(|change| change.write_sqlite(least, text, values)).sum()
}

/// The size of a statement for so many rows, or for the first of them: a power of two, so that few are prepared, and no
/// more than half of one is empty.
fn size_for(rows: usize) -> usize {
    rows.next_power_of_two().min(MAX_ROWS)
}

/// What is done with the rows.
#[derive(Clone, Copy, Debug)]
pub enum Deed {
    /// They are added.
    Insert,
    /// They are added, or take the place of the one with the same value in that column.
    Upsert(&'static str),
    /// The rows are changed that have the values of so many first columns.
    Update(usize),
}

/// A change of one table, by rows of `N` columns.
#[derive(Debug)]
pub struct Change<const N: usize> {
    /// Which table.
    pub table: &'static str,
    /// What is done.
    pub deed: Deed,
    /// In the order in which rows give their values. The first is never without one.
    pub columns: [&'static str; N],
}

impl<const N: usize> Change<N> {
    /// The change with its rows.
    pub fn by(&'static self, rows: impl IntoIterator<Item = [Value<'static>; N]>) -> Given {
        let (table, deed, columns) = (self.table, self.deed, &self.columns);
        Given { table, deed, columns, values: rows.into_iter().flatten().collect() }
    }
}

/// A change with its rows.
#[derive(Debug)]
pub struct Given {
    table: &'static str,
    deed: Deed,
    columns: &'static [&'static str],
    /// Row by row.
    values: Vec<Value<'static>>,
}

impl Given {
    /// Whether there are no rows, so that there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    fn row_count(&self) -> usize {
        self.values.len() / self.columns.len()
    }

    /// Adds the statement for SQLite, with a `?` for each value, and the values. The number of rows is filled up to one
    /// of few with empty ones, which are passed over: a statement is prepared for each number. Gives the number of
    /// statements.
    fn write_sqlite(mut self, least: usize, text: &mut String, values: &mut Vec<Value<'static>>) -> usize {
        let (width, mut statements) = (self.columns.len(), 0);
        if self.row_count() == 1 {
            self.write_single(text);
            values.extend(self.into_single());
            return 1;
        }
        while !self.is_empty() {
            let rest = self.values.split_off(self.values.len().min(MAX_ROWS * width));
            let these = std::mem::replace(&mut self.values, rest);
            let places = size_for(these.len() / width).max(least);
            values.extend(these.into_iter().chain(repeat_with(|| Value::Integer(None))).take(places * width));

            let row = places_of(width);
            let rows = vec![row.as_str(); places].join(",");
            // Writing into a text never fails.
            let _ = write!(text, "WITH given ({}) AS (VALUES {rows}) ", self.columns.join(", "));
            self.write_deed(text, "given", &format!("given.{} IS NOT NULL", self.columns[0]));
            text.push(';');
            statements += 1;
        }
        statements
    }

    /// Adds the statement for the only row, with a `?` for each value.
    fn write_single(&self, text: &mut String) {
        // Writing into a text never fails.
        let _ = match self.deed {
            Deed::Insert | Deed::Upsert(_) => {
                write!(text, "{};", self.insert(&format!("VALUES {}", places_of(self.columns.len()))))
            }
            Deed::Update(keys) => {
                let (keys, others) = self.columns.split_at(keys);
                let equal = |names: &[&str], between| {
                    names.iter().map(|name| format!("{name} = ?")).collect::<Vec<_>>().join(between)
                };
                write!(text, "UPDATE {} SET {} WHERE {};", self.table, equal(others, ", "), equal(keys, " AND "))
            }
        };
    }

    /// Its values, in the order in which that statement takes them: an UPDATE has the keys at its end.
    fn into_single(mut self) -> Vec<Value<'static>> {
        if let Deed::Update(keys) = self.deed {
            self.values.rotate_left(keys);
        }
        self.values
    }

    /// Adds the statement for PostgreSQL without its end; its arrays are the parameters from that one on. It does
    /// nothing where the condition is false.
    pub(super) fn write_postgres(&self, text: &mut String, first_parameter: usize, condition: &str) {
        let array = |(value, number): (&Value<'_>, usize)| match value {
            Value::Integer(_) => format!("${number}::bigint[]"),
            Value::Text(_) => format!("${number}::text[]"),
        };
        let first_row = self.values.iter().take(self.columns.len());
        let arrays: Vec<_> = first_row.zip(first_parameter..).map(array).collect();
        let source = format!("unnest({}) AS given ({})", arrays.join(", "), self.columns.join(", "));
        self.write_deed(text, &source, condition);
    }

    /// Column by column, as PostgreSQL takes them.
    ///
    /// # Errors
    /// Where a column has values of two kinds.
    pub(super) fn into_arrays(self) -> StoreResult<Vec<Array>> {
        let width = self.columns.len();
        let mut arrays: Vec<_> = self.values.iter().take(width).map(Array::for_values_like).collect();
        for (place, value) in self.values.into_iter().enumerate() {
            match (&mut arrays[place % width], value) {
                (Array::Integers(array), Value::Integer(number)) => array.push(number),
                (Array::Texts(array), Value::Text(text)) => array.push(text.map(Into::into)),
                (Array::Integers(_), Value::Text(_)) | (Array::Texts(_), Value::Integer(_)) => {
                    return Err(StoreError::Corrupt(format!("a value for {}", self.columns[place % width])));
                }
            }
        }
        Ok(arrays)
    }

    /// The statement that adds these rows, or lets each take the place of another one.
    fn insert(&self, rows: &str) -> String {
        let insert = format!("INSERT INTO {} ({}) {rows}", self.table, self.columns.join(", "));
        match self.deed {
            Deed::Upsert(key) => {
                let others: Vec<_> = self.columns.iter().copied().filter(|name| *name != key).collect();
                format!("{insert} ON CONFLICT ({key}) DO UPDATE SET {}", assignments(&others, "excluded"))
            }
            Deed::Insert | Deed::Update(_) => insert,
        }
    }

    fn write_deed(&self, text: &mut String, source: &str, condition: &str) {
        let table = self.table;
        // Writing into a text never fails.
        let _ = match self.deed {
            Deed::Insert | Deed::Upsert(_) => {
                let columns = self.columns.join(", ");
                text.write_str(&self.insert(&format!("SELECT {columns} FROM {source} WHERE {condition}")))
            }
            Deed::Update(keys) => {
                let is_same = |name: &&str| format!("{table}.{name} = given.{name}");
                let same_keys = self.columns[..keys].iter().map(is_same).collect::<Vec<_>>().join(" AND ");
                let assignments = assignments(&self.columns[keys..], "given");
                write!(text, "UPDATE {table} SET {assignments} FROM {source} WHERE {same_keys} AND {condition}")
            }
        };
    }
}

/// The places of a row of so many values.
fn places_of(width: usize) -> String {
    format!("({})", vec!["?"; width].join(","))
}

/// What columns become.
fn assignments(columns: &[&str], source: &str) -> String {
    let assignment = |name: &&str| format!("{name} = {source}.{name}");
    columns.iter().map(assignment).collect::<Vec<_>>().join(", ")
}

/// A column of all rows.
#[derive(Debug)]
pub(super) enum Array {
    /// Of whole numbers.
    Integers(Vec<Option<i64>>),
    /// Of texts.
    Texts(Vec<Option<String>>),
}

impl Array {
    fn for_values_like(value: &Value<'_>) -> Self {
        match value {
            Value::Integer(_) => Self::Integers(Vec::new()),
            Value::Text(_) => Self::Texts(Vec::new()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static NOTES: Change<2> = Change { table: "notes", deed: Deed::Insert, columns: ["id", "words"] };
    static WORDS: Change<2> = Change { table: "notes", deed: Deed::Update(1), columns: ["id", "words"] };
    static LATEST: Change<2> = Change { table: "notes", deed: Deed::Upsert("id"), columns: ["id", "words"] };

    fn rows(count: i64) -> impl Iterator<Item = [Value<'static>; 2]> {
        (0..count).map(|id| [id.into(), "word".into()])
    }

    fn sqlite(given: Given) -> (String, usize) {
        let (mut text, mut values) = (String::new(), Vec::new());
        let statements = write_all_sqlite([given], &mut text, &mut values);
        assert_eq!(text.matches(';').count(), statements);
        assert_eq!(text.matches('?').count(), values.len());
        (text, values.len())
    }

    #[test]
    fn rows_stand_in_the_statement_filled_up_to_one_of_few_numbers() {
        let expected = "WITH given (id, words) AS (VALUES (?,?),(?,?),(?,?),(?,?)) INSERT INTO notes (id, words) \
                        SELECT id, words FROM given WHERE given.id IS NOT NULL;";
        assert_eq!(sqlite(NOTES.by(rows(3))), (expected.to_owned(), 8));
        assert_eq!(sqlite(NOTES.by(rows(4))).1, 8);
        assert_eq!(sqlite(NOTES.by(rows(65))).1, 2 * 128);
        assert_eq!(sqlite(NOTES.by(rows(0))), (String::new(), 0));
    }

    #[test]
    fn a_single_row_is_put_down_plainly() {
        static PAIRS: Change<3> = Change { table: "pairs", deed: Deed::Update(2), columns: ["a", "b", "words"] };
        let (mut text, mut values) = (String::new(), Vec::new());
        let pair = PAIRS.by([[1_i64.into(), 2_i64.into(), "word".into()]]);
        let changes = [NOTES.by(rows(1)), LATEST.by(rows(1)), pair, NOTES.by(rows(100))];
        let statements = write_all_sqlite(changes, &mut text, &mut values);
        let expected = "INSERT INTO notes (id, words) VALUES (?,?);\
                        INSERT INTO notes (id, words) VALUES (?,?) ON CONFLICT (id) DO UPDATE SET words = excluded.words;\
                        UPDATE pairs SET words = ? WHERE a = ? AND b = ?;WITH given ";
        assert!(text.starts_with(expected), "{text}");
        assert_eq!((statements, values.len()), (4, 2 + 2 + 3 + 2 * 128));
        assert!(matches!(&values[4..7], [Value::Text(_), Value::Integer(Some(1)), Value::Integer(Some(2))]));
    }

    #[test]
    fn more_rows_than_a_statement_takes_are_several_statements() {
        let (text, values) = sqlite(NOTES.by(rows(1_025)));
        assert_eq!((text.matches("INSERT").count(), values), (2, 2 * 2 * 1_024));
    }

    #[test]
    fn rows_are_arrays_for_postgresql() {
        let given = LATEST.by(rows(2));
        let mut text = String::new();
        given.write_postgres(&mut text, 4, "true");
        let expected = "INSERT INTO notes (id, words) SELECT id, words FROM unnest($4::bigint[], $5::text[]) AS given \
                        (id, words) WHERE true ON CONFLICT (id) DO UPDATE SET words = excluded.words";
        assert_eq!(text, expected);
        let arrays = given.into_arrays().unwrap();
        assert!(matches!(&arrays[..], [Array::Integers(ids), Array::Texts(_)] if *ids == [Some(0), Some(1)]));
    }

    #[test]
    fn an_update_finds_its_rows_by_the_first_columns() {
        let mut text = String::new();
        WORDS.by(rows(1)).write_postgres(&mut text, 1, "true");
        let expected = "UPDATE notes SET words = given.words FROM unnest($1::bigint[], $2::text[]) AS given (id, words) \
                        WHERE notes.id = given.id AND true";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_column_has_values_of_one_kind() {
        let mixed = NOTES.by([[1_i64.into(), "a".into()], [2_i64.into(), 3_i64.into()]]);
        assert!(matches!(mixed.into_arrays(), Err(StoreError::Corrupt(_))));
    }
}
