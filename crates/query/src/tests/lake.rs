//! A lake of hand-made rows in memory.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Int64Array, ListBuilder, MapBuilder, MapFieldNames,
    RecordBatch, StringArray, StringBuilder, TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field};
use arrow::util::pretty::pretty_format_batches;
use chrono::DateTime;
use datafusion::catalog::TableProvider;
use datafusion::datasource::MemTable;
use rolecall_lake::schema::Table;
use tokio::sync::OnceCell;

use crate::{NamedOwner, Networks, Session, SessionOptions, Values};

/// Account of the callers.
pub(crate) const DEV: &str = "111111111111";
/// Account of the roles.
pub(crate) const PROD: &str = "222222222222";

const MICROS: i64 = 1_000_000;

/// `10:00:00` on 5 January 2026, or a whole timestamp.
pub(crate) fn at(text: &str) -> i64 {
    let whole = if text.len() > 8 { text.to_owned() } else { format!("2026-01-05T{text}") };
    DateTime::parse_from_rfc3339(&format!("{whole}Z")).unwrap().timestamp() * MICROS
}

/// The name that CloudTrail gives to a log file of the account and region that it delivers at `time`, in
/// microseconds; `id` is letters and digits.
pub(crate) fn delivered_name(account: &str, region: &str, time: i64, id: &str) -> String {
    let stamp = DateTime::from_timestamp_micros(time).unwrap().format("%Y%m%dT%H%MZ");
    format!("{account}_CloudTrail_{region}_{stamp}_{id}.json.gz")
}

/// A cell.
#[derive(Debug, Clone)]
pub(crate) enum Cell {
    Text(String),
    Number(i64),
    Flag(bool),
    List(Vec<String>),
    Map(Vec<(String, String)>),
}

/// A row: cells by column name.
#[derive(Debug, Clone, Default)]
pub(crate) struct Row(BTreeMap<&'static str, Cell>);

impl Row {
    pub(crate) fn text(mut self, column: &'static str, text: impl Into<String>) -> Self {
        self.0.insert(column, Cell::Text(text.into()));
        self
    }

    pub(crate) fn number(mut self, column: &'static str, number: i64) -> Self {
        self.0.insert(column, Cell::Number(number));
        self
    }

    pub(crate) fn flag(mut self, column: &'static str, flag: bool) -> Self {
        self.0.insert(column, Cell::Flag(flag));
        self
    }

    pub(crate) fn list(mut self, column: &'static str, items: &[&str]) -> Self {
        self.0.insert(column, Cell::List(items.iter().map(|item| (*item).to_owned()).collect()));
        self
    }

    pub(crate) fn map(mut self, column: &'static str, entries: &[(&str, &str)]) -> Self {
        let entries = entries.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        self.0.insert(column, Cell::Map(entries.collect()));
        self
    }

    pub(crate) fn without(mut self, column: &'static str) -> Self {
        self.0.remove(column);
        self
    }
}

/// A credential event that succeeded.
pub(crate) fn event(id: &str, time: &str, name: &str) -> Row {
    let source = match name {
        "SwitchRole" | "ConsoleLogin" => "signin.amazonaws.com",
        "CreateSession" => "rolesanywhere.amazonaws.com",
        _ => "sts.amazonaws.com",
    };
    Row::default()
        .text("event_id", id)
        .number("event_time", at(time))
        .number("event_date", at(time) / (86_400 * MICROS))
        .text("event_source", source)
        .text("event_name", name)
        .text("aws_region", "us-east-1")
        .text("recipient_account_id", PROD)
        .text("outcome", "success")
        .text("log_file", format!("{id}.json.gz"))
        .number("record_index", 0)
}

impl Row {
    pub(crate) fn by_user(self, name: &str, key: &str) -> Self {
        self.text("caller_type", "IAMUser")
            .text("caller_arn", format!("arn:aws:iam::{DEV}:user/{name}"))
            .text("caller_account_id", DEV)
            .text("caller_user_name", name)
            .text("caller_principal_id", format!("AIDA{}", name.to_uppercase()))
            .text("caller_access_key_id", key)
    }

    /// Called by a session of a role of `account`, whose unique id is `AROA` and its name.
    pub(crate) fn by_role(self, account: &str, role: &str, session: &str) -> Self {
        self.text("caller_type", "AssumedRole")
            .text("caller_arn", format!("arn:aws:sts::{account}:assumed-role/{role}/{session}"))
            .text("caller_issuer_arn", format!("arn:aws:iam::{account}:role/{role}"))
            .text("caller_account_id", account)
            .text("caller_principal_id", format!("AROA{}:{session}", role.to_uppercase()))
            .text("caller_session_name", session)
    }

    pub(crate) fn by_service(self, service: &str) -> Self {
        self.text("caller_type", "AWSService")
            .text("caller_invoked_by", service)
            .text("source_service", service)
    }

    /// The role owner's copy of a call from another account.
    pub(crate) fn masked(self, principal_id: &str) -> Self {
        self.text("caller_type", "AWSAccount")
            .text("caller_account_id", DEV)
            .text("caller_principal_id", principal_id)
    }

    /// Asks for a role of `account`; its unique id is `AROA` and its name.
    pub(crate) fn role(self, account: &str, role: &str, session: &str) -> Self {
        self.text("role_arn", format!("arn:aws:iam::{account}:role/{role}"))
            .text("role_arn_source", "request")
            .text("role_account_id", account)
            .text("role_name", role)
            .text("role_path", "/")
            .text("role_id", format!("AROA{}", role.to_uppercase()))
            .text("session_name", session)
            .text("session_arn", format!("arn:aws:sts::{account}:assumed-role/{role}/{session}"))
    }

    /// Hands out `key` until `expires`.
    pub(crate) fn issues(self, key: &str, expires: &str) -> Self {
        self.text("issued_access_key_id", key).number("issued_expiration", at(expires))
    }

    pub(crate) fn failed(self, code: &str) -> Self {
        self.text("outcome", "failure").text("error_code", code)
    }
}

/// A change in IAM that succeeded, in the callers' account.
pub(crate) fn change(id: &str, time: &str, name: &str, target_type: &str, target: &str) -> Row {
    Row::default()
        .text("event_id", id)
        .number("event_time", at(time))
        .number("event_date", at(time) / (86_400 * MICROS))
        .text("event_name", name)
        .text("event_source", "iam.amazonaws.com")
        .text("recipient_account_id", DEV)
        .text("outcome", "success")
        .text("actor_arn", format!("arn:aws:iam::{DEV}:user/admin"))
        .text("target_type", target_type)
        .text("target_name", target)
        .text("log_file", format!("{id}.json.gz"))
        .number("record_index", 0)
}

/// What was done with a credential.
pub(crate) fn used(first: &str, last: &str, count: i64) -> Row {
    let hour = at(first) / (3_600 * MICROS) * 3_600 * MICROS;
    Row::default()
        .number("hour", hour)
        .number("event_date", hour / (86_400 * MICROS))
        .text("credential_kind", "none")
        .text("event_source", "s3.amazonaws.com")
        .text("event_name", "ListBuckets")
        .text("aws_region", "eu-west-1")
        .text("recipient_account_id", PROD)
        .text("source_ip", "198.51.100.7")
        .text("user_agent", "aws-cli/2")
        .number("event_count", count)
        .number("first_time", at(first))
        .number("last_time", at(last))
        .text("sample_event_id", format!("use-{first}"))
        .text("log_file", "uses.json.gz")
}

impl Row {
    pub(crate) fn key(self, key: &str) -> Self {
        let kind = if key.starts_with("AKIA") { "long_term" } else { "temporary" };
        self.text("access_key_id", key).text("credential_kind", kind)
    }

    pub(crate) fn in_session(self, account: &str, role: &str, session: &str, made: &str) -> Self {
        self.text("principal_type", "AssumedRole")
            .text("principal_id", format!("AROA{}:{session}", role.to_uppercase()))
            .text("principal_arn", format!("arn:aws:sts::{account}:assumed-role/{role}/{session}"))
            .text("account_id", account)
            .text("role_arn", format!("arn:aws:iam::{account}:role/{role}"))
            .text("role_id", format!("AROA{}", role.to_uppercase()))
            .text("session_name", session)
            .number("session_created", at(made))
    }

    pub(crate) fn of_user(self, name: &str) -> Self {
        self.text("principal_type", "IAMUser")
            .text("principal_id", format!("AIDA{}", name.to_uppercase()))
            .text("principal_arn", format!("arn:aws:iam::{DEV}:user/{name}"))
            .text("account_id", DEV)
            .text("user_name", name)
    }
}

/// Rows by table.
#[derive(Debug, Default)]
pub(crate) struct TestLake {
    rows: BTreeMap<&'static str, Vec<Row>>,
    expired_before: Option<i32>,
    networks: Networks,
    owners: Vec<NamedOwner>,
    /// One per order of rows.
    sessions: OnceCell<Vec<Session>>,
}

/// How many orders of rows each answer is asked for in.
const ORDERS: u64 = 2;

impl TestLake {
    /// Asked with these networks.
    pub(crate) fn networks(self, networks: Networks) -> Self {
        Self { networks, sessions: OnceCell::new(), ..self }
    }

    /// Asked with these owners.
    pub(crate) fn owners(self, owners: impl IntoIterator<Item = NamedOwner>) -> Self {
        Self { owners: owners.into_iter().collect(), sessions: OnceCell::new(), ..self }
    }

    /// Rows of days before that of `time` have expired.
    pub(crate) fn expired_before(mut self, time: &str) -> Self {
        self.expired_before = Some(i32::try_from(at(time) / (86_400 * MICROS)).unwrap());
        self
    }

    pub(crate) fn events(self, rows: impl IntoIterator<Item = Row>) -> Self {
        self.rows("credential_events", rows)
    }

    pub(crate) fn activity(self, rows: impl IntoIterator<Item = Row>) -> Self {
        self.rows("activity", rows)
    }

    pub(crate) fn rows(mut self, table: &'static str, rows: impl IntoIterator<Item = Row>) -> Self {
        self.rows.entry(table).or_default().extend(rows);
        self.sessions = OnceCell::new();
        self
    }

    /// The rows of both.
    pub(crate) fn merged(self, other: Self) -> Self {
        other.rows.into_iter().fold(self, |lake, (table, rows)| lake.rows(table, rows))
    }

    /// Sessions over the same rows in different orders.
    pub(crate) async fn sessions(&self) -> &[Session] {
        let open = async || {
            let mut sessions = Vec::new();
            for order in 0..ORDERS {
                sessions.push(self.open(order).await);
            }
            sessions
        };
        self.sessions.get_or_init(open).await
    }

    /// A session over the rows in one order.
    pub(crate) async fn open(&self, order: u64) -> Session {
        let mut tables: HashMap<String, Arc<dyn TableProvider>> = HashMap::new();
        for table in Table::READABLE {
            let mut rows = self.rows.get(table.name()).cloned().unwrap_or_default();
            shuffle(&mut rows, order);
            let columns = table.schema().fields().iter().map(|field| array(field, &rows)).collect();
            let batch = RecordBatch::try_new(table.schema(), columns).unwrap();
            // Two partitions, so that order depends on more than one stream.
            let half = batch.num_rows() / 2;
            let parts =
                vec![vec![batch.slice(0, half)], vec![batch.slice(half, batch.num_rows() - half)]];
            let provider = MemTable::try_new(table.schema(), parts).unwrap();
            tables.insert(table.name().to_owned(), Arc::new(provider));
        }
        let options = SessionOptions {
            threads: Some(2),
            networks: self.networks.clone(),
            owners: self.owners.clone(),
            ..SessionOptions::default()
        };
        Session::with_retention(tables, self.expired_before, options).await.unwrap()
    }

    /// The answer to `query`, which must be the same in every order of rows.
    pub(crate) async fn answer(&self, query: &str) -> String {
        let mut answers = Vec::new();
        for session in self.sessions().await {
            let rows = session.sql(query, &Values::new()).await.unwrap();
            answers.push(table_text(&rows.collect().await.unwrap()));
        }
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:#?}");
        answers.swap_remove(0)
    }
}

/// Batches as lines of `a | b`, nulls empty, without header.
pub(crate) fn table_text(batches: &[RecordBatch]) -> String {
    let pretty = pretty_format_batches(batches).unwrap().to_string();
    let lines = pretty.lines().skip(3).filter(|line| line.starts_with('|'));
    let cells = |line: &str| -> String {
        let cells = line.trim_matches('|').split('|').map(str::trim);
        cells.collect::<Vec<_>>().join(" | ")
    };
    lines.map(cells).collect::<Vec<_>>().join("\n")
}

/// The rows as given, or reversed with every third one moved to the front.
fn shuffle(rows: &mut Vec<Row>, order: u64) {
    if order > 0 {
        let reversed = std::mem::take(rows).into_iter().rev().enumerate();
        let (front, back): (Vec<_>, Vec<_>) = reversed.partition(|(at, _)| at % 3 == 1);
        rows.extend(front.into_iter().chain(back).map(|(_, row)| row));
    }
}

fn array(field: &Field, rows: &[Row]) -> ArrayRef {
    let cell = |row: &Row| row.0.get(field.name().as_str()).cloned();
    let number = |row: &Row| match cell(row) {
        Some(Cell::Number(number)) => Some(number),
        None => None,
        other => panic!("{}: {other:?}", field.name()),
    };
    let text = |row: &Row| match cell(row) {
        Some(Cell::Text(text)) => Some(text),
        None => None,
        other => panic!("{}: {other:?}", field.name()),
    };
    match field.data_type() {
        DataType::Utf8 => Arc::new(rows.iter().map(text).collect::<StringArray>()),
        DataType::Int64 => Arc::new(rows.iter().map(number).collect::<Int64Array>()),
        DataType::Date32 => {
            let days = rows.iter().map(|row| number(row).map(|day| i32::try_from(day).unwrap()));
            Arc::new(days.collect::<Date32Array>())
        }
        DataType::Timestamp(..) => {
            let times = rows.iter().map(number).collect::<TimestampMicrosecondArray>();
            Arc::new(times.with_timezone("UTC"))
        }
        DataType::Boolean => {
            let flag = |row: &Row| match cell(row) {
                Some(Cell::Flag(flag)) => Some(flag),
                None => None,
                other => panic!("{}: {other:?}", field.name()),
            };
            Arc::new(rows.iter().map(flag).collect::<BooleanArray>())
        }
        DataType::List(element) => {
            let builder = ListBuilder::new(StringBuilder::new()).with_field(Arc::clone(element));
            let mut builder = builder;
            for row in rows {
                match cell(row) {
                    Some(Cell::List(items)) => builder.append_value(items.into_iter().map(Some)),
                    None => builder.append_null(),
                    other => panic!("{}: {other:?}", field.name()),
                }
            }
            Arc::new(builder.finish())
        }
        DataType::Map(..) => {
            let names = MapFieldNames {
                entry: "key_value".to_owned(),
                key: "key".to_owned(),
                value: "value".to_owned(),
            };
            let mut builder =
                MapBuilder::new(Some(names), StringBuilder::new(), StringBuilder::new());
            for row in rows {
                let entries = match cell(row) {
                    Some(Cell::Map(entries)) => entries,
                    None => Vec::new(),
                    other => panic!("{}: {other:?}", field.name()),
                };
                for (key, value) in entries {
                    builder.keys().append_value(key);
                    builder.values().append_value(value);
                }
                builder.append(true).unwrap();
            }
            Arc::new(builder.finish())
        }
        other => panic!("{}: {other}", field.name()),
    }
}
