//! `key-migration`: which role is named for a key, and what counts as proof that its callers can do without it.

use super::super::lake::{Row, event, used};
use super::super::reporting::run;
use super::key_migration::{AS_OF, known, with_key};
use super::{Case, ago, by_iam, key_id};

pub(super) const COLUMNS: &str = "replacement fit callers_ready candidate_roles reason_codes";
pub(super) const BOTO: &str = "Boto3/1.35 Botocore/1.35";
pub(super) const CLI: &str = "aws-cli/2.22 lang/python#3.12";
pub(super) const TERRAFORM: &str = "APN/1.0 HashiCorp/1.0 Terraform/1.9.0";

/// Where a call comes from: address and user agent.
pub(super) type Place<'a> = (&'a str, &'a str);
const RUNNER: Place<'static> = ("203.0.113.140", TERRAFORM);

/// A kind of call: event source and name.
pub(super) type Kind<'a> = (&'a str, &'a str);
pub(super) const RUN: Kind<'static> = ("ec2.amazonaws.com", "RunInstances");
pub(super) const TAG: Kind<'static> = ("ec2.amazonaws.com", "CreateTags");
pub(super) const PUT: Kind<'static> = ("ssm.amazonaws.com", "PutParameter");
const WHO_AM_I: Kind<'static> = ("sts.amazonaws.com", "GetCallerIdentity");

pub(super) fn dressed(row: Row, (address, agent): Place<'_>, (source, name): Kind<'_>) -> Row {
    row.text("source_ip", address)
        .text("user_agent", agent)
        .text("event_source", source)
        .text("event_name", name)
}

impl Case {
    /// A key that IAM saw used `idle` days ago, for the case called `name`.
    pub(super) fn in_use(name: &str, idle: i64) -> Self {
        with_key(known(name), name, |key| by_iam(key, idle, "ec2"))
    }

    pub(super) fn with_the_key(
        self,
        name: &str,
        place: Place<'_>,
        kind: Kind<'_>,
        days: impl IntoIterator<Item = i64>,
    ) -> Self {
        days.into_iter().fold(self, |case, day| {
            let row = dressed(case.signed("ci", &key_id(name), day), place, kind);
            case.add("activity", row)
        })
    }

    pub(super) fn in_the_role(
        self,
        role: &str,
        place: Place<'_>,
        kind: Kind<'_>,
        days: impl IntoIterator<Item = i64>,
    ) -> Self {
        days.into_iter().fold(self, |case, day| {
            let row = used(&ago(day), &ago(day), 1)
                .key(&format!("ASIA{}", role.to_uppercase()))
                .in_session(&case.account, role, "s", &ago(day))
                .text("recipient_account_id", case.account.clone());
            let row = dressed(row, place, kind);
            case.add("activity", row)
        })
    }

    pub(super) fn arn(&self, role: &str) -> String {
        format!("arn:aws:iam::{}:role/{role}", self.account)
    }

    pub(super) async fn judged(&self, columns: &str) -> String {
        run(&self.lake, "key-migration", &[AS_OF], columns).await
    }
}

#[tokio::test]
async fn the_role_that_begins_as_the_calls_stop_comes_before_one_that_ran_beside() {
    let case = Case::in_use("release", 8)
        .with_the_key("release", RUNNER, RUN, 8..=30)
        .in_the_role("deploy", RUNNER, RUN, 1..=60)
        .in_the_role("release", RUNNER, RUN, 1..=7);
    let (deploy, release) = (case.arn("deploy"), case.arn("release"));
    assert_eq!(
        case.judged(COLUMNS).await,
        format!(
            "{release} | 1.0 | 1 | [{deploy} (14 of 14 days, there all along), \
             {release} (7 of 14 days, took over)] | [IN_USE, HALF_MIGRATED, ROLE_IN_USE]"
        )
    );
}

#[tokio::test]
async fn a_role_that_was_there_all_along_is_named_but_proves_nothing() {
    let case = Case::in_use("beside", 1).with_the_key("beside", RUNNER, RUN, 1..=80).in_the_role(
        "deploy",
        RUNNER,
        RUN,
        1..=80,
    );
    let role = case.arn("deploy");
    assert_eq!(
        case.judged(COLUMNS).await,
        format!(
            "{role} | 1.0 | 0 | [{role} (14 of 14 days, there all along)] | \
             [IN_USE, NOT_PROVEN, ROLE_THERE_BEFORE]"
        )
    );
}

#[tokio::test]
async fn a_role_that_does_more_since_the_key_fell_silent_took_its_work() {
    let case = Case::in_use("grew", 15).with_the_key("grew", RUNNER, RUN, 15..=80);
    // Once a day before, twice a day since.
    let case = case.in_the_role("deploy", RUNNER, RUN, 1..=80);
    let case = case.in_the_role("deploy", RUNNER, RUN, 1..=14);
    let role = case.arn("deploy");
    assert_eq!(
        case.judged(COLUMNS).await,
        format!(
            "{role} | 1.0 | 1 | [{role} (14 of 14 days, grew as the key fell silent)] | \
             [IN_USE, CALLERS_MOVED, ROLE_IN_USE]"
        )
    );
}

#[tokio::test]
async fn a_role_used_on_one_day_is_nobodys() {
    let case = Case::in_use("one day", 1).with_the_key("one day", RUNNER, RUN, 1..=30).in_the_role(
        "deploy",
        RUNNER,
        RUN,
        [3, 3, 3],
    );
    assert_eq!(case.judged(COLUMNS).await, "create |  | 0 |  | [IN_USE, NOT_PROVEN, NO_ROLE_SEEN]");
}

#[tokio::test]
async fn a_role_that_does_something_else_from_there_is_somebody_elses() {
    // One of the three kinds of call, though the role makes the others from another address.
    let case = Case::in_use("other work", 1)
        .with_the_key("other work", RUNNER, RUN, 1..=30)
        .with_the_key("other work", RUNNER, TAG, 1..=30)
        .with_the_key("other work", RUNNER, PUT, 1..=30)
        .in_the_role("deploy", RUNNER, RUN, 1..=10)
        .in_the_role("deploy", ("192.0.2.9", TERRAFORM), TAG, 1..=10)
        .in_the_role("deploy", (RUNNER.0, BOTO), PUT, 1..=10);
    assert_eq!(case.judged(COLUMNS).await, "create |  | 0 |  | [IN_USE, NOT_PROVEN, NO_ROLE_SEEN]");
    let case = case.in_the_role("deploy", RUNNER, TAG, 1..=10);
    assert_eq!(case.judged("fit callers_ready").await, "0.67 | 1");
}

#[tokio::test]
async fn asking_who_one_is_is_no_work() {
    let case = Case::in_use("who am i", 1)
        .with_the_key("who am i", RUNNER, WHO_AM_I, 1..=30)
        .in_the_role("deploy", RUNNER, WHO_AM_I, 1..=10);
    assert_eq!(case.judged("fit callers_ready candidate_roles").await, " | 0 | ");
}

#[tokio::test]
async fn a_refused_call_is_neither_work_nor_proof() {
    let case = Case::in_use("refused", 1).with_the_key("refused", RUNNER, RUN, 1..=30);
    let refused = |case: Case, row: Row| {
        let row = dressed(row, RUNNER, RUN).text("error_code", "AccessDenied");
        case.add("activity", row)
    };
    let case = (1..=10).fold(case, |case, day| {
        let row = used(&ago(day), &ago(day), 1).key("ASIADEPLOY").in_session(
            &case.account,
            "deploy",
            "s",
            &ago(day),
        );
        refused(case, row)
    });
    assert_eq!(case.judged("callers_ready candidate_roles").await, "0 | ");
}

#[tokio::test]
async fn a_machines_role_is_not_named_for_a_person() {
    let launched = |case: &Case| {
        event("launch", &ago(20), "AssumeRole").by_service("ec2.amazonaws.com").role(
            &case.account,
            "web",
            "i-1",
        )
    };
    for (name, agent, ready) in [("person", CLI, "0"), ("script", BOTO, "1")] {
        let place = ("203.0.113.20", agent);
        let case = Case::in_use(name, 12).with_the_key(name, place, RUN, 12..=60).in_the_role(
            "web",
            place,
            RUN,
            1..=10,
        );
        let launch = launched(&case);
        let case = case.add("credential_events", launch);
        assert_eq!(case.judged("callers_ready").await, ready, "{name}");
    }
}

#[tokio::test]
async fn a_key_that_only_takes_a_role_is_told_so() {
    let name = "profile";
    let take = ("sts.amazonaws.com", "AssumeRole");
    let case = Case::in_use(name, 1).with_the_key(name, RUNNER, take, 1..=30);
    let row = event("take", &ago(2), "AssumeRole")
        .by_user("ci", &key_id(name))
        .role(&case.account, "ops", "s")
        .issues("ASIAOPS", &ago(1));
    let case = case.add("credential_events", row);
    let role = case.arn("ops");
    assert_eq!(
        case.judged(COLUMNS).await,
        format!(
            "{role} |  | 0 | [{role} (taken with the key)] | \
             [IN_USE, NOT_PROVEN, ROLE_TAKEN_WITH_KEY]"
        )
    );
}

/// Both reports count the same: what Athena calls for a caller is no caller, and a session's calls are its opener's.
#[tokio::test]
async fn a_caller_is_the_same_in_footprint_and_migration() {
    let name = "callers";
    let case = Case::in_use(name, 1).with_the_key(name, RUNNER, RUN, 1..=3).with_the_key(
        name,
        ("athena.amazonaws.com", "athena.amazonaws.com"),
        RUN,
        1..=3,
    );
    let token = event("token", &ago(3), "GetSessionToken")
        .by_user("ci", &key_id(name))
        .issues("ASIACHILD", &ago(1));
    let inside = dressed(case.signed("ci", "ASIACHILD", 2), RUNNER, RUN);
    let case = case.add("credential_events", token).add("activity", inside);
    assert_eq!(case.judged("callers").await, "1");
    assert_eq!(
        run(&case.lake, "key-footprint", &[AS_OF], "via place caller").await,
        "key | 203.0.113.0/24 | terraform from 203.0.113.0/24\n\
         key | athena.amazonaws.com | \n\
         session | 203.0.113.0/24 | terraform from 203.0.113.0/24"
    );
}

#[tokio::test]
async fn what_is_said_of_trails_is_what_is_known_of_them() {
    let blind = |name: &str| with_key(known(name), name, |key| by_iam(key, 3, "s3"));
    let case = blind("no trail");
    let reasons = case.judged("reasons").await;
    assert!(reasons.contains("no trail is known that records data events of s3"), "{reasons}");
    let case = blind("a trail").trail(&["AWS::Lambda::Function"]);
    let reasons = case.judged("reasons").await;
    assert!(reasons.contains("the trails record no data events of s3"), "{reasons}");
    let case = blind("a trail without data events").trail(&[]);
    let reasons = case.judged("reasons").await;
    assert!(reasons.contains("the trails record no data events of s3"), "{reasons}");
}
