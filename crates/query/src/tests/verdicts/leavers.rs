//! The part `leavers`: which IAM users are people who have left, by what the directory says and said.

use datafusion::scalar::ScalarValue;

use super::super::lake::{Row, TestLake, at, table_text};
use super::{Case, ago, lake};
use crate::Values;
use crate::front_matter::FrontMatter;

/// Somebody in the directory of `case`, with that state: active, or not.
fn person(case: &Case, id: &str, user_name: &str, email: &str, active: bool) -> Row {
    case.row()
        .text("identity_store_id", "d-1")
        .text("user_id", id)
        .text("user_name", user_name)
        .text("email", email)
        .flag("active", active)
}

fn user(case: &Case, name: &str, tags: &[(&str, &str)]) -> Row {
    case.row().text("user_name", name).flag("is_root", false).map("tags", tags)
}

fn directory(days: i64) -> Case {
    Case::new("directory").snapshot(days, &["identity_store"])
}

/// `user_name | leaver | leaver_sure | leaver_handle | leaver_by`, in every order of rows.
async fn leavers(lake: &TestLake) -> String {
    let text = "-- with: leavers\nWITH one AS (SELECT 1)\n\
                SELECT user_name, leaver, leaver_sure, leaver_handle, leaver_by FROM leavers ORDER BY user_name";
    let matter = FrontMatter::parse("t.sql", text, &["with"]).unwrap();
    let sql = crate::parts::compose("t.sql", &matter).unwrap();
    let as_of = ScalarValue::TimestampMicrosecond(Some(at(&ago(0))), Some("UTC".into()));
    let values = Values::from([
        ("as_of".to_owned(), as_of),
        ("max_inventory_days".to_owned(), ScalarValue::from(7_i64)),
    ]);
    let mut answers = Vec::new();
    for session in lake.sessions().await {
        let rows = session.sql(&sql, &values).await.unwrap();
        answers.push(table_text(&rows.collect().await.unwrap()));
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:#?}");
    answers.swap_remove(0)
}

#[tokio::test]
async fn who_is_disabled_or_vanished_has_left_and_who_is_active_has_not() {
    let (before, now) = (directory(30), directory(1));
    let people = [
        // Renamed since: the old address is still hers.
        person(&before, "u-ann", "ann.old@example.com", "ann.old@example.com", true),
        person(&before, "u-van", "van@example.com", "van@example.com", true),
        person(&before, "u-two", "two", "two@example.com", true),
        person(&now, "u-ann", "ann@example.com", "ann@example.com", true),
        person(&now, "u-zoe", "zoe@example.com", "Zoe@Example.com ", false),
        // The same name again, with another id.
        person(&now, "u-two-b", "two", "two@example.com", true),
        // One person with an old entry and a new one, which share an address.
        person(&now, "u-kim-old", "kim-old", "kim@example.com", false),
        person(&now, "u-kim", "kim", "kim@example.com", true),
    ];
    let case = Case::new("leavers").snapshot(1, &["users"]);
    let users = [
        user(&case, "ann.old@example.com", &[]),
        user(&case, "van@example.com", &[]),
        user(&case, "two", &[]),
        user(&case, "ZOE@example.com", &[]),
        user(&case, "kim-old", &[]),
        user(&case, "by-tag", &[(" E-Mail ", " ZOE@example.com ")]),
        // A second handle, of somebody who is there.
        user(&case, "both", &[("email", "zoe@example.com"), ("user", "ann@example.com")]),
        // Whose it is, is not who it is.
        user(&case, "bot", &[("owner", "zoe@example.com")]),
        user(&case, "<root_account>", &[("email", "zoe@example.com")]).flag("is_root", true),
    ];
    let lake =
        lake([before, now, case]).rows("identity_store_users", people).rows("iam_users", users);
    assert_eq!(
        leavers(&lake).await,
        "ZOE@example.com | inactive | true | zoe@example.com | user_name\n\
         ann.old@example.com |  |  |  | \n\
         bot |  |  |  | \n\
         both |  |  |  | \n\
         by-tag | inactive | true | zoe@example.com | tag\n\
         kim-old |  |  |  | \n\
         two |  |  |  | \n\
         van@example.com | vanished | true | van@example.com | user_name"
    );
}

#[tokio::test]
async fn what_is_merely_like_a_person_or_in_no_directory_is_not_certain() {
    let now = directory(1);
    let people = [
        person(&now, "u-1", "ann@example.com", "ann@example.com", true),
        person(&now, "u-2", "zoe.quinn@example.com", "zoe.quinn@example.com", false),
        person(&now, "u-3", "x3", "sam@example.com", false),
        person(&now, "u-4", "x4", "sam@other.example", true),
        person(&now, "u-5", "x5", "m5@example.com", false).text("display_name", "Max Born"),
    ];
    let case = Case::new("leavers").snapshot(1, &["users"]);
    let users = [
        // A mailbox that is in no directory.
        user(&case, "ci", &[("email", "platform-team@example.com")]),
        user(&case, "gone@example.com", &[]),
        user(&case, "elsewhere@nobody.example", &[]),
        user(&case, "zoe-quinn", &[]),
        user(&case, "max_born", &[]),
        user(&case, "Ann", &[("email", "old-alias@example.com")]),
        // Two of that name: nobody knows which.
        user(&case, "sam", &[]),
        // An address is that one, or nobody's.
        user(&case, "zoe.quinn@nobody.example", &[]),
        user(&case, "backup", &[]),
    ];
    let lake = lake([now, case]).rows("identity_store_users", people).rows("iam_users", users);
    assert_eq!(
        leavers(&lake).await,
        "Ann |  |  |  | \n\
         backup |  |  |  | \n\
         ci | absent | false | platform-team@example.com | tag\n\
         elsewhere@nobody.example |  |  |  | \n\
         gone@example.com | absent | false | gone@example.com | user_name\n\
         max_born | inactive | false | max_born | likeness\n\
         sam |  |  |  | \n\
         zoe-quinn | inactive | false | zoe-quinn | likeness\n\
         zoe.quinn@nobody.example |  |  |  | "
    );
}

#[tokio::test]
async fn an_old_directory_or_another_store_makes_nobody_absent() {
    let (old, other) = (directory(20), directory(1));
    let people = [
        person(&old, "u-1", "ann@example.com", "ann@example.com", true),
        // The newest snapshot is of another store, and says nothing of that one.
        person(&other, "u-1", "x", "x@other.example", true).text("identity_store_id", "d-2"),
    ];
    let case = Case::new("leavers").snapshot(1, &["users"]);
    let users = [
        user(&case, "ann@example.com", &[]),
        user(&case, "gone@example.com", &[]),
        user(&case, "gone@other.example", &[]),
    ];
    let lake =
        lake([old, other, case]).rows("identity_store_users", people).rows("iam_users", users);
    assert_eq!(
        leavers(&lake).await,
        "ann@example.com |  |  |  | \n\
         gone@example.com |  |  |  | \n\
         gone@other.example | absent | false | gone@other.example | user_name"
    );
}
