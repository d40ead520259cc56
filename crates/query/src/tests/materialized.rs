//! `AS MATERIALIZED`: the same rows as without it, computed once.

use super::lake::{TestLake, at, event, used};
use crate::{Session, Values};

async fn lake() -> Session {
    let lake = TestLake::default()
        .activity([
            used("10:00:00", "10:30:00", 3).key("AKIAANN").of_user("ann"),
            used("12:00:00", "12:30:00", 2).key("AKIABOB").of_user("bob"),
        ])
        .events([event("e", "12:00:00", "AssumeRole").by_user("ann", "AKIAANN")]);
    lake.open(0).await
}

async fn rows(session: &Session, sql: &str) -> Result<String, String> {
    let as_of = datafusion::scalar::ScalarValue::TimestampMicrosecond(
        Some(at("13:00:00")),
        Some("UTC".into()),
    );
    let values = Values::from([("as_of".to_owned(), as_of)]);
    let rows = session.sql(sql, &values).await.map_err(|error| error.to_string())?;
    let batches = rows.collect().await.map_err(|error| error.to_string())?;
    Ok(super::lake::table_text(&batches))
}

#[tokio::test]
async fn rows_are_the_same_as_without_the_word() {
    let session = lake().await;
    let queries = [
        // Columns named anew, a parameter, and one that builds on another and on a plain one between them.
        "WITH a (who, n) AS MATERIALIZED (SELECT user_name, event_count FROM activity),
            b AS (SELECT who, n FROM a WHERE n > 2),
            c AS MATERIALIZED (SELECT b.who, a.n FROM b JOIN a ON b.who = a.who WHERE $as_of > '2026-01-01')
         SELECT c.who, c.n, (SELECT count(*) FROM a) AS all_of FROM c JOIN b ON c.who = b.who ORDER BY 1",
        // A name of the lake's, which means the lake's within and before the expression.
        "WITH before AS (SELECT count(*) AS rows FROM activity),
            activity AS MATERIALIZED (SELECT user_name FROM activity WHERE user_name = 'ann')
         SELECT before.rows, count(activity.user_name) FROM before CROSS JOIN activity GROUP BY 1",
        "WITH RECURSIVE n AS MATERIALIZED (SELECT 1 AS x UNION ALL SELECT x + 1 FROM n WHERE x < 4),
            m AS (SELECT x FROM n UNION ALL SELECT x FROM n)
         SELECT sum(x) FROM m",
        "WITH a AS MATERIALIZED (SELECT user_name FROM activity)
         SELECT 'in' FROM credential_events WHERE caller_user_name IN (SELECT user_name FROM a)
         UNION ALL SELECT 'is' WHERE EXISTS (SELECT 1 FROM a)",
    ];
    for query in queries {
        let plain = query.replace("AS MATERIALIZED", "AS");
        let answer = rows(&session, query).await;
        assert!(answer.as_ref().is_ok_and(|rows| !rows.is_empty()), "{query}: {answer:?}");
        assert_eq!(answer, rows(&session, &plain).await, "{query}");
    }
}

#[tokio::test]
async fn it_is_computed_once_or_never() {
    let session = lake().await;
    let twice = "WITH a AS MATERIALIZED (SELECT uuid() AS id)
        SELECT count(DISTINCT id) FROM (SELECT id FROM a UNION ALL SELECT id FROM a)";
    assert_eq!(rows(&session, twice).await, Ok("1".to_owned()));
    assert_eq!(rows(&session, &twice.replace(" MATERIALIZED", "")).await, Ok("2".to_owned()));
    assert_eq!(rows(&session, twice).await, Ok("1".to_owned()), "anew for each query");

    let fails = "WITH a AS MATERIALIZED (SELECT arrow_cast(user_name, 'Int64') AS n FROM activity)";
    assert_eq!(rows(&session, &format!("{fails} SELECT 1")).await, Ok("1".to_owned()));
    let error = rows(&session, &format!("{fails} SELECT n FROM a")).await.unwrap_err();
    assert!(error.contains("Cannot cast string 'ann'"), "{error}");
}

#[tokio::test]
async fn mistakes_are_told_as_in_any_query() {
    let session = lake().await;
    let error = rows(&session, "WITH a AS MATERIALIZED (SELECT 1) SELECT * FROM activty").await;
    assert!(error.as_ref().is_err_and(|error| error.contains("activity")), "{error:?}");
    let error =
        rows(&session, "WITH a AS MATERIALIZED (SELECT user_nam FROM activity) SELECT * FROM a");
    let error = error.await;
    assert!(error.as_ref().is_err_and(|error| error.contains("user_name")), "{error:?}");
    let error =
        rows(&session, "WITH a AS MATERIALIZED (SELECT 1 AS x)\nSELECT x FROM a WHERE x = = 1")
            .await;
    assert!(error.as_ref().is_err_and(|error| error.contains("Line: 2")), "{error:?}");
    rows(&session, "WITH a AS MATERIALIZED (SELECT 1 AS x) SELECT x FROM a").await.unwrap();
    let error = rows(&session, "SELECT * FROM materialized.query.a_0").await;
    assert!(error.is_err(), "of its query alone: {error:?}");
}
