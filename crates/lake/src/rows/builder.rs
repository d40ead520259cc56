//! Rows of one table, appended column by column straight into Arrow builders.

use arrow::array::{
    ArrayRef, BooleanArray, BooleanBuilder, Date32Builder, Int64Builder, ListBuilder, MapBuilder,
    MapFieldNames, RecordBatch, StringBuilder, TimestampMicrosecondBuilder,
};
use arrow::compute::filter_record_batch;
use std::sync::Arc;

use crate::error::{LakeError, Result};
use crate::schema::{ColumnKind, Table, TableDef, text_list_element};

/// Rows of one table under construction, and which of the batch's files each came from.
pub(crate) struct TableBuilder {
    table: Table,
    def: &'static TableDef,
    columns: Vec<ColumnBuilder>,
    /// Column that the next value goes to.
    next: usize,
    /// For each row, the position of its file in the batch.
    files: Vec<u32>,
    bytes: usize,
}

enum ColumnBuilder {
    Text(StringBuilder),
    Time(TimestampMicrosecondBuilder),
    Date(Date32Builder),
    Count(Int64Builder),
    Flag(BooleanBuilder),
    TextList(ListBuilder<StringBuilder>),
    TextMap(MapBuilder<StringBuilder, StringBuilder>),
}

impl ColumnBuilder {
    fn new(kind: ColumnKind) -> Self {
        match kind {
            ColumnKind::Text => Self::Text(StringBuilder::new()),
            ColumnKind::Time => {
                Self::Time(TimestampMicrosecondBuilder::new().with_data_type(kind.data_type()))
            }
            ColumnKind::Date => Self::Date(Date32Builder::new()),
            ColumnKind::Count => Self::Count(Int64Builder::new()),
            ColumnKind::Flag => Self::Flag(BooleanBuilder::new()),
            ColumnKind::TextList => Self::TextList(
                ListBuilder::new(StringBuilder::new()).with_field(text_list_element()),
            ),
            ColumnKind::TextMap => Self::TextMap(MapBuilder::new(
                Some(MapFieldNames {
                    entry: "key_value".to_owned(),
                    key: "key".to_owned(),
                    value: "value".to_owned(),
                }),
                StringBuilder::new(),
                StringBuilder::new(),
            )),
        }
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Text(builder) => Arc::new(builder.finish()),
            Self::Time(builder) => Arc::new(builder.finish()),
            Self::Date(builder) => Arc::new(builder.finish()),
            Self::Count(builder) => Arc::new(builder.finish()),
            Self::Flag(builder) => Arc::new(builder.finish()),
            Self::TextList(builder) => Arc::new(builder.finish()),
            Self::TextMap(builder) => Arc::new(builder.finish()),
        }
    }
}

impl TableBuilder {
    pub(crate) fn new(table: Table) -> Self {
        let def = table.def();
        let columns = def.columns.iter().map(|column| ColumnBuilder::new(column.kind)).collect();
        Self { table, def, columns, next: 0, files: Vec::new(), bytes: 0 }
    }

    pub(crate) fn rows(&self) -> usize {
        self.files.len()
    }

    /// Roughly what the rows take in memory.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The builder that `name` goes to, which must be the next column.
    fn column(&mut self, name: &'static str) -> &mut ColumnBuilder {
        let index = self.next;
        debug_assert_eq!(self.def.columns[index].name, name, "columns out of order");
        self.next += 1;
        &mut self.columns[index]
    }

    pub(crate) fn text(&mut self, name: &'static str, value: Option<&str>) -> &mut Self {
        self.bytes += 4 + value.map_or(0, str::len);
        match self.column(name) {
            ColumnBuilder::Text(builder) => builder.append_option(value),
            _ => debug_assert!(false, "{name} is not text"),
        }
        self
    }

    pub(crate) fn time(&mut self, name: &'static str, value: Option<i64>) -> &mut Self {
        self.bytes += 8;
        match self.column(name) {
            ColumnBuilder::Time(builder) => builder.append_option(value),
            _ => debug_assert!(false, "{name} is not a time"),
        }
        self
    }

    pub(crate) fn date(&mut self, name: &'static str, value: Option<i32>) -> &mut Self {
        self.bytes += 4;
        match self.column(name) {
            ColumnBuilder::Date(builder) => builder.append_option(value),
            _ => debug_assert!(false, "{name} is not a date"),
        }
        self
    }

    pub(crate) fn count(&mut self, name: &'static str, value: Option<i64>) -> &mut Self {
        self.bytes += 8;
        match self.column(name) {
            ColumnBuilder::Count(builder) => builder.append_option(value),
            _ => debug_assert!(false, "{name} is not a count"),
        }
        self
    }

    /// A time or a count, whichever the column is.
    pub(crate) fn integer(&mut self, name: &'static str, value: Option<i64>) -> &mut Self {
        match self.def.columns[self.next].kind {
            ColumnKind::Time => self.time(name, value),
            _ => self.count(name, value),
        }
    }

    pub(crate) fn flag(&mut self, name: &'static str, value: Option<bool>) -> &mut Self {
        self.bytes += 1;
        match self.column(name) {
            ColumnBuilder::Flag(builder) => builder.append_option(value),
            _ => debug_assert!(false, "{name} is not a flag"),
        }
        self
    }

    /// An empty list is stored as null.
    pub(crate) fn list(&mut self, name: &'static str, values: &[&str]) -> &mut Self {
        self.bytes += 4 + values.iter().map(|value| 4 + value.len()).sum::<usize>();
        match self.column(name) {
            ColumnBuilder::TextList(builder) => {
                for value in values {
                    builder.values().append_value(value);
                }
                builder.append(!values.is_empty());
            }
            _ => debug_assert!(false, "{name} is not a list"),
        }
        self
    }

    /// An empty map is stored as null. Of a key given twice, the last value counts: map readers
    /// refuse duplicate keys.
    pub(crate) fn map(&mut self, name: &'static str, pairs: &[(&str, &str)]) -> &mut Self {
        self.bytes += 4 + pairs.iter().map(|(k, v)| 8 + k.len() + v.len()).sum::<usize>();
        match self.column(name) {
            ColumnBuilder::TextMap(builder) => {
                for (index, (key, value)) in pairs.iter().enumerate() {
                    if pairs[index + 1..].iter().any(|(later, _)| later == key) {
                        continue;
                    }
                    builder.keys().append_value(key);
                    builder.values().append_value(value);
                }
                // Keys and values are appended in pairs, so that this cannot fail.
                let appended = builder.append(!pairs.is_empty());
                debug_assert!(appended.is_ok(), "{name} has keys without values");
            }
            _ => debug_assert!(false, "{name} is not a map"),
        }
        self
    }

    /// Ends a row that came from the batch's file number `file`.
    pub(crate) fn end_row(&mut self, file: u32) {
        debug_assert_eq!(self.next, self.columns.len(), "row of {} is incomplete", self.table);
        self.next = 0;
        self.files.push(file);
    }

    /// The rows so far, and for each the number of its file.
    pub(crate) fn finish(mut self) -> Result<TableRows> {
        let columns = self.columns.iter_mut().map(ColumnBuilder::finish).collect();
        let batch = RecordBatch::try_new(self.table.schema(), columns)
            .map_err(|error| LakeError::bug(format!("build rows of {}", self.table), error))?;
        Ok(TableRows { table: self.table, batch, files: self.files })
    }
}

/// Rows of one table, in the order in which they were pushed.
pub(crate) struct TableRows {
    pub(crate) table: Table,
    pub(crate) batch: RecordBatch,
    /// For each row, the position of its file in the batch.
    pub(crate) files: Vec<u32>,
}

impl TableRows {
    /// Whether the file of every row is `wanted`.
    pub(crate) fn are_all_of(&self, wanted: &[bool]) -> bool {
        wanted.iter().all(|wanted| *wanted)
            || self.files.iter().all(|&file| wanted.get(file as usize) == Some(&true))
    }

    /// The rows whose file is `wanted`.
    pub(crate) fn only(&self, wanted: &[bool]) -> Result<Self> {
        let is_wanted = |file: u32| wanted.get(file as usize) == Some(&true);
        let keep: BooleanArray = self.files.iter().map(|&file| Some(is_wanted(file))).collect();
        let batch = filter_record_batch(&self.batch, &keep)
            .map_err(|error| LakeError::bug(format!("choose rows of {}", self.table), error))?;
        let files = self.files.iter().copied().filter(|&file| is_wanted(file)).collect();
        Ok(Self { table: self.table, batch, files })
    }
}
