//! `WITH name AS MATERIALIZED (…)`: a common table expression that is computed once for a query.
//!
//! DataFusion puts an expression in wherever it is named: parts that build on each other become a plan of many times their
//! size, and planning takes longer than answering. Its parser does not know the word. Here each expression that has it
//! becomes a table in memory that is computed while the plan that reads it is made; one that nothing reads is never
//! computed, and one that is read once stays part of the plan, which then reads no more of it than it needs. No filter is carried into
//! a table, so it is for what is small (one row per key, role or account), and it counts
//! against the session's memory limit.
//!
//! Does not decide which expressions these are: the SQL says so, as in PostgreSQL.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;
use std::sync::Arc;

use datafusion::catalog::{
    CatalogProvider, CatalogProviderList, MemoryCatalogProvider, MemoryCatalogProviderList,
    MemorySchemaProvider, SchemaProvider,
};
use datafusion::common::ParamValues;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::{DataFrame, SQLOptions, SessionContext};
use datafusion::sql::parser::Statement as AnyStatement;
use datafusion::sql::sqlparser::ast::{Cte, ObjectName, Query, Statement, With, visit_relations};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer};
use futures::FutureExt;

use crate::lazy::{self, LazyTable};

/// Where the tables are while a query is planned; no lake has such a catalog.
const CATALOG: &str = "materialized";
const SCHEMA: &str = "query";

/// Plans `sql`, with `values` for its placeholders.
pub(crate) async fn plan(
    context: &SessionContext,
    sql: &str,
    options: &SQLOptions,
    values: &ParamValues,
) -> Result<DataFrame> {
    let state = context.state();
    // In the session's state, which knows none of the tables that are made here: a plan holds those that it reads.
    let frame = |plan: LogicalPlan| {
        options.verify_plan(&plan)?;
        DataFrame::new(context.state(), plan).with_param_values(values.clone())
    };
    let Some((query, marked)) = marked(sql, &state)? else {
        return frame(state.create_logical_plan(sql).await?);
    };
    let Some(with) = &query.with else {
        return frame(state.statement_to_plan(as_statement(query)).await?);
    };
    let often = read_often(with, &query, &marked);
    let (scope, tables) = scope(&state)?;
    let mut known: Vec<Cte> = Vec::new();
    for cte in &with.cte_tables {
        let mut cte = cte.clone();
        if often.contains(&cte.alias.name.value) {
            let mut computed = select(&cte.alias.name.to_string())?;
            computed.with = Some(needed(with, &known, &cte.query, Some(&cte)));
            let computed = frame(scope.statement_to_plan(as_statement(computed)).await?)?;
            let name = format!("{}_{}", cte.alias.name.value, known.len());
            tables.register_table(name.clone(), table(context, &name, computed))?;
            // The table has the names for its columns that may stand behind the expression's own.
            cte.alias.columns.clear();
            cte.query = Box::new(select(&format!("{CATALOG}.{SCHEMA}.\"{name}\""))?);
        }
        known.push(cte);
    }
    let mut read = query.clone();
    read.with = None;
    read.with = Some(needed(with, &known, &read, None));
    frame(scope.statement_to_plan(as_statement(read)).await?)
}

/// The query without the word, and the names of the expressions that have it; `None` where none has.
fn marked(sql: &str, state: &SessionState) -> Result<Option<(Query, HashSet<String>)>> {
    if !sql.to_ascii_lowercase().contains("materialized") {
        return Ok(None);
    }
    let dialect = GenericDialect {};
    let mut tokens = Tokenizer::new(&dialect, sql)
        .tokenize_with_location()
        .map_err(ParserError::from)
        .map_err(wrong)?;
    tokens.retain(|token| !matches!(token.token, Token::Whitespace(_)));
    let mut names = HashSet::new();
    let mut kept: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len());
    for (at, token) in tokens.iter().enumerate() {
        let follows = kept.last().is_some_and(|last| is_word(&last.token, "AS"));
        if follows
            && is_word(&token.token, "MATERIALIZED")
            && tokens.get(at + 1).is_some_and(|next| next.token == Token::LParen)
        {
            names.extend(name_before(&kept[..kept.len() - 1]));
        } else {
            kept.push(token.clone());
        }
    }
    if names.is_empty() {
        return Ok(None);
    }
    let limit = state.config().options().sql_parser.recursion_limit.get();
    let mut parser =
        Parser::new(&dialect).with_recursion_limit(limit).with_tokens_with_locations(kept);
    let query = parser.parse_query().map_err(wrong)?;
    let _ = parser.consume_token(&Token::SemiColon);
    parser.expect_token(&Token::EOF).map_err(wrong)?;
    Ok(Some((*query, names)))
}

fn wrong(error: ParserError) -> DataFusionError {
    DataFusionError::SQL(Box::new(error), None)
}

fn is_word(token: &Token, text: &str) -> bool {
    matches!(token, Token::Word(word) if word.quote_style.is_none() && word.value.eq_ignore_ascii_case(text))
}

/// The name in `name (column, …)`, where `tokens` end.
fn name_before(tokens: &[TokenWithSpan]) -> Option<String> {
    let mut rest = tokens;
    if rest.last()?.token == Token::RParen {
        rest = &rest[..rest.iter().rposition(|token| token.token == Token::LParen)?];
    }
    match &rest.last()?.token {
        Token::Word(word) => Some(word.value.clone()),
        _ => None,
    }
}

/// Those of `known` that `query` needs, in their order, and `last`: planning the others would be for nothing.
fn needed(with: &With, known: &[Cte], query: &Query, last: Option<&Cte>) -> With {
    let mut names = HashSet::new();
    let mut kept = Vec::new();
    mention(query, &mut names);
    for cte in known.iter().rev() {
        if names.contains(&cte.alias.name.value.to_lowercase()) {
            mention(&cte.query, &mut names);
            kept.push(cte.clone());
        }
    }
    kept.reverse();
    kept.extend(last.cloned());
    With { cte_tables: kept, ..with.clone() }
}

/// Those of `marked` that a plan would hold more than once.
fn read_often(with: &With, query: &Query, marked: &HashSet<String>) -> HashSet<String> {
    let mut read: HashMap<String, usize> = HashMap::new();
    let mut main = query.clone();
    main.with = None;
    each_mention(&main, |name| *read.entry(name).or_default() += 1);
    let mut often = HashSet::new();
    for cte in with.cte_tables.iter().rev() {
        let name = &cte.alias.name.value;
        let times = read.get(&name.to_lowercase()).copied().unwrap_or_default();
        let is_table = times > 1 && marked.contains(name);
        if is_table {
            often.insert(name.clone());
        }
        let by = if is_table { 1 } else { times };
        each_mention(&cte.query, |name| {
            let times = read.entry(name).or_default();
            *times = times.saturating_add(by);
        });
    }
    often
}

/// Adds the names of all relations in `query`.
fn mention(query: &Query, names: &mut HashSet<String>) {
    each_mention(query, |name| {
        names.insert(name);
    });
}

/// Calls `take` with the name of each relation in `query`, as often as it is named.
fn each_mention(query: &Query, mut take: impl FnMut(String)) {
    let _: ControlFlow<()> = visit_relations(query, |name: &ObjectName| {
        take(name.to_string().trim_matches('"').to_lowercase());
        ControlFlow::Continue(())
    });
}

/// A state that sees what `state` does and the tables that are made for one query, and the place for these.
fn scope(state: &SessionState) -> Result<(SessionState, Arc<MemorySchemaProvider>)> {
    let catalogs = MemoryCatalogProviderList::new();
    for name in state.catalog_list().catalog_names() {
        if let Some(catalog) = state.catalog_list().catalog(&name) {
            catalogs.register_catalog(name, catalog);
        }
    }
    let tables = Arc::new(MemorySchemaProvider::new());
    let catalog = MemoryCatalogProvider::new();
    catalog.register_schema(SCHEMA, Arc::clone(&tables) as _)?;
    catalogs.register_catalog(CATALOG.to_owned(), Arc::new(catalog));
    let scope = SessionStateBuilder::new_from_existing(state.clone());
    Ok((scope.with_catalog_list(Arc::new(catalogs)).build(), tables))
}

/// The rows of `frame` as a table, computed when first read.
fn table(context: &SessionContext, name: &str, frame: DataFrame) -> Arc<LazyTable> {
    let schema = lazy::nullable(frame.schema().as_arrow());
    let compute = move || {
        let frame = frame.clone();
        async move { frame.collect().await }.boxed()
    };
    LazyTable::new(name, schema, context.runtime_env(), compute)
}

/// `SELECT * FROM from`.
fn select(from: &str) -> Result<Query> {
    let dialect = GenericDialect {};
    let query = format!("SELECT * FROM {from}");
    let query =
        Parser::new(&dialect).try_with_sql(&query).and_then(|mut parser| parser.parse_query());
    Ok(*query.map_err(wrong)?)
}

fn as_statement(query: Query) -> AnyStatement {
    AnyStatement::Statement(Box::new(Statement::Query(Box::new(query))))
}
