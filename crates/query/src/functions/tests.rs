//! The functions as SQL calls them.

use arrow::util::pretty::pretty_format_batches;

use super::*;

async fn eval(expression: &str) -> Result<String> {
    let context = SessionContext::new();
    register(&context, &Networks::default());
    let (value, rest) = expression.split_once(" FROM ").unwrap_or((expression, ""));
    let from = if rest.is_empty() { String::new() } else { format!("FROM {rest}") };
    let query = format!("SELECT {value} AS x {from}");
    let batches = context.sql(&query).await?.collect().await?;
    let text = pretty_format_batches(&batches)?.to_string();
    Ok(text.lines().nth(3).unwrap().trim_matches(['|', ' ']).to_owned())
}

async fn check(expression: &str, expected: &str) {
    assert_eq!(eval(expression).await.unwrap(), expected, "{expression}");
}

#[tokio::test]
async fn parts_of_arns() {
    for (arn, account, name, session) in [
        ("arn:aws:iam::111122223333:role/a/b/Deploy", "111122223333", "Deploy", ""),
        ("arn:aws:sts::111122223333:assumed-role/Deploy/ci@x", "111122223333", "Deploy", "ci@x"),
        ("arn:aws-cn:iam::111122223333:user/div/Ann", "111122223333", "Ann", ""),
        ("arn:aws:iam::111122223333:root", "111122223333", "root", ""),
        ("arn:aws:sts::111122223333:federated-user/bo", "111122223333", "bo", "bo"),
        ("arn:aws:s3:::bucket/key", "", "key", ""),
        ("arn:aws:lambda:eu-west-1:111122223333:function:f", "111122223333", "f", ""),
        ("Deploy", "", "", ""),
        ("arn:aws:iam", "", "", ""),
    ] {
        check(&format!("arn_account('{arn}')"), account).await;
        check(&format!("arn_name('{arn}')"), name).await;
        check(&format!("arn_session('{arn}')"), session).await;
    }
    check("arn_name(NULL)", "").await;
}

#[tokio::test]
async fn addresses_in_networks() {
    check("ip_in('10.1.2.3', '10.0.0.0/8')", "true").await;
    check("ip_in('11.1.2.3', '10.0.0.0/8')", "false").await;
    check("ip_in('2001:db8::1', '2001:db8::/32')", "true").await;
    check("ip_in('10.1.2.3', '2001:db8::/32')", "false").await;
    check("ip_in('10.1.2.3', '10.1.2.3')", "true").await;
    check("ip_in('ec2.amazonaws.com', '10.0.0.0/8')", "").await;
    check("ip_in(NULL, '10.0.0.0/8')", "").await;
    check("ip_in(i, n) FROM (VALUES ('10.1.1.1', '10.0.0.0/8')) AS t(i, n)", "true").await;
    check("ip_in(i, n) FROM (VALUES ('10.1.1.1', 'nonsense')) AS t(i, n)", "").await;
}

#[tokio::test]
async fn a_wrong_constant_network_is_named_even_without_rows() {
    for sql in [
        "ip_in('10.1.1.1', '10.0.0.0/99')",
        "ip_in(i, '10.0.0.0/99') FROM (VALUES ('1.1.1.1')) AS t(i) WHERE false",
    ] {
        let error = eval(sql).await.unwrap_err().to_string();
        assert!(error.contains("10.0.0.0/99"), "{error}");
    }
}

#[tokio::test]
async fn roles_as_people_name_them() {
    let role = |wanted: &str| format!("role_is('111122223333', 'Deploy', {wanted})");
    for wanted in [
        "'Deploy'",
        "'111122223333/Deploy'",
        "'arn:aws:iam::111122223333:role/some/path/Deploy'",
        "'arn:aws:sts::111122223333:assumed-role/Deploy/session'",
        "NULL",
    ] {
        check(&role(wanted), "true").await;
    }
    for wanted in ["'deploy2'", "'999922223333/Deploy'", "'arn:aws:iam::999922223333:role/Deploy'"]
    {
        check(&role(wanted), "false").await;
    }
}

#[tokio::test]
async fn a_number_with_its_noun() {
    for (number, text) in [(0, "0 days"), (1, "1 day"), (2, "2 days")] {
        check(&format!("counted({number}, 'day')"), text).await;
    }
    check("counted(NULL, 'day') IS NULL", "true").await;
}

#[tokio::test]
async fn a_long_list_says_how_much_of_it_is_left_out() {
    check("listed(make_array('a', 'b', 'c'), 3)", "[a, b, c]").await;
    check("listed(make_array('a', 'b', 'c'), 2)", "[a, b, and 1 more]").await;
    check("listed(array_agg(v), 1) FROM (VALUES ('a'), ('a'), ('a')) AS t(v)", "[a, and 2 more]")
        .await;
    check("listed(NULL, 2) IS NULL", "true").await;
}

#[tokio::test]
async fn nights_and_weekends_are_those_of_a_zone() {
    let at = |time: &str, zone: &str| {
        format!(
            "off_hours(arrow_cast('{time}', 'Timestamp(Microsecond, Some(\"UTC\"))'), '{zone}')"
        )
    };
    // 5 January 2026 was a Monday.
    for (time, zone, off) in [
        ("2026-01-05T20:59:00Z", "UTC", "false"),
        ("2026-01-05T21:00:00Z", "UTC", "true"),
        ("2026-01-05T05:00:00Z", "UTC", "false"),
        ("2026-01-05T20:00:00Z", "Europe/Berlin", "true"),
        ("2026-01-04T23:30:00Z", "Asia/Tokyo", "false"),
        ("2026-01-05T04:00:00Z", "+01:00", "false"),
        ("2026-01-09T16:00:00Z", "Asia/Tokyo", "true"),
    ] {
        check(&at(time, zone), off).await;
    }
    let error = eval(&at("2026-01-05T20:00:00Z", "Mars/Olympus")).await.unwrap_err().to_string();
    assert!(error.contains("'Mars/Olympus' is no time zone"), "{error}");
}

#[tokio::test]
async fn whole_days_between_two_times() {
    let time =
        |micros: i64| format!("arrow_cast({micros}, 'Timestamp(Microsecond, Some(\"UTC\"))')");
    let day = 86_400_000_000;
    for (start, end, days) in
        [(0, day - 1, "0"), (0, day, "1"), (day, 181 * day, "180"), (day, 0, "0")]
    {
        check(&format!("days_between({}, {})", time(start), time(end)), days).await;
    }
    check(&format!("days_between(NULL, {}) IS NULL", time(0)), "true").await;
}
