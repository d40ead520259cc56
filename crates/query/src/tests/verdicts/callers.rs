//! Who calls with a key: programs in places that people recognise, hosted CI as one, and who has moved elsewhere.

use super::super::lake::{Row, event};
use super::super::reporting::run;
use super::key_candidates::{BOTO, CLI, Kind, PUT, RUN, TAG, TERRAFORM, dressed};
use super::key_migration::AS_OF;
use super::{Case, ago, key_id, lake};
use crate::Networks;

const WORK: [Kind<'static>; 4] = [RUN, TAG, PUT, ("ecs.amazonaws.com", "UpdateService")];
const TAKE: Kind<'static> = ("sts.amazonaws.com", "AssumeRole");
const CALLERS: &str = "callers callers_ready callers_left callers_moved";
const GITHUB_CLI: &str = "aws-cli/2.22 md/installer#exe ua/2.0 os/linux#6.8.0-1017-azure";
const MAC_CLI: &str = "aws-cli/2.22 md/installer#exe ua/2.0 os/macos#23.5.0";
/// The days of the window before the last one, as runs.
const MONTH: std::ops::RangeInclusive<i64> = 1..=30;

/// Another runner on each day.
fn runner(day: i64) -> String {
    format!("198.18.{day}.{}", 10 + day % 7)
}

impl Case {
    /// On each day all kinds of work with the key, from where `place` says.
    fn runs(
        self,
        name: &str,
        agent: &str,
        kinds: &[Kind<'_>],
        days: impl IntoIterator<Item = i64>,
        place: impl Fn(i64) -> String,
    ) -> Self {
        days.into_iter().fold(self, |case, day| {
            let of_day = |case: Self, kind: &Kind<'_>| {
                case.with_the_key(name, (&place(day), agent), *kind, [day])
            };
            kinds.iter().fold(case, of_day)
        })
    }

    /// The same in a role.
    fn runs_in(
        self,
        role: &str,
        agent: &str,
        kinds: &[Kind<'_>],
        days: impl IntoIterator<Item = i64>,
        place: impl Fn(i64) -> String,
    ) -> Self {
        days.into_iter().fold(self, |case, day| {
            let of_day = |case: Self, kind: &Kind<'_>| {
                case.in_the_role(role, (&place(day), agent), *kind, [day])
            };
            kinds.iter().fold(case, of_day)
        })
    }

    async fn footprint(&self, columns: &str) -> String {
        run(&self.lake, "key-footprint", &[AS_OF], columns).await
    }

    /// A role taken by SAML, by somebody of that name.
    fn taken_by(self, role: &str, subject: &str, session: &str) -> Self {
        let row = event(&format!("{role}-{subject}"), &ago(5), "AssumeRoleWithSAML")
            .text("caller_type", "SAMLUser")
            .text("federated_subject", subject)
            .role(&self.account, role, session);
        self.add("credential_events", row)
    }
}

/// The rows of all cases, which lie in one lake.
async fn all(cases: impl IntoIterator<Item = Case>, columns: &str) -> Vec<String> {
    let found = run(&lake(cases), "key-migration", &[AS_OF], columns).await;
    sorted(found.lines().map(str::to_owned))
}

fn sorted(rows: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut rows: Vec<_> = rows.into_iter().collect();
    rows.sort();
    rows
}

fn named(blocks: &[(&str, &str, &str)]) -> Networks {
    Networks::new(blocks.iter().map(|(block, label, kind)| {
        (block.parse().unwrap(), (*label).to_owned(), Some((*kind).to_owned()))
    }))
}

#[tokio::test]
async fn a_program_is_one_caller_wherever_in_its_network_it_runs() {
    let mut case = Case::in_use("nat", 1)
        .with_the_key("nat", ("203.0.113.4", BOTO), RUN, 1..=9)
        .with_the_key("nat", ("203.0.113.9", BOTO), TAG, 2..=9)
        .with_the_key("nat", ("198.51.100.1", BOTO), TAG, 3..=9)
        .with_the_key("nat", ("2001:db8:42:1::7", BOTO), TAG, 4..=9)
        .with_the_key("nat", ("2001:db8:42:2::8", BOTO), TAG, 5..=9);
    let columns = "place addresses sources calls days_active caller";
    assert_eq!(
        case.footprint(columns).await,
        "203.0.113.0/24 | 2 | [203.0.113.4, 203.0.113.9] | 17 | 9 | boto3 from 203.0.113.0/24\n\
         2001:db8:42::/48 | 2 | [2001:db8:42:1::7, 2001:db8:42:2::8] | 11 | 6 | boto3 from 2001:db8:42::/48\n\
         198.51.100.0/24 | 1 | [198.51.100.1] | 7 | 7 | boto3 from 198.51.100.0/24"
    );
    case.lake = case.lake.networks(named(&[
        ("203.0.113.0/28", "NAT of production", "nat"),
        ("198.51.100.0/28", "NAT of production", "nat"),
    ]));
    assert_eq!(
        case.footprint("place addresses network network_kind").await,
        "NAT of production | 3 | NAT of production | nat\n2001:db8:42::/48 | 2 |  | "
    );
    assert_eq!(case.judged("callers").await, "2");
}

#[tokio::test]
async fn a_role_is_found_at_another_address_of_the_same_place() {
    let work = &WORK[..2];
    let mut case = Case::in_use("egress", 5)
        .runs("egress", BOTO, work, 5..=40, |_| "203.0.113.4".to_owned())
        .runs_in("near", BOTO, work, 1..=8, |_| "203.0.113.9".to_owned())
        .runs_in("far", BOTO, work, 1..=8, |_| "198.51.100.9".to_owned());
    let (near, far) = (case.arn("near"), case.arn("far"));
    let columns = "candidate_roles";
    assert_eq!(case.judged(columns).await, format!("[{near} (8 of 14 days, took over)]"));
    case.lake = case.lake.networks(named(&[
        ("203.0.113.0/28", "Egress", "nat"),
        ("198.51.100.0/28", "Egress", "nat"),
    ]));
    assert_eq!(
        case.judged(columns).await,
        format!("[{far} (8 of 14 days, took over), {near} (8 of 14 days, took over)]")
    );
}

#[tokio::test]
async fn hosted_ci_is_one_caller() {
    let case = Case::in_use("hosted", 1).runs("hosted", TERRAFORM, &WORK, MONTH, runner);
    assert_eq!(case.judged(CALLERS).await, "1 | 0 | [terraform from hosted CI (key only)] | ");
    let columns = "place network_kind addresses sources caller calls";
    assert_eq!(
        case.footprint(columns).await,
        "hosted CI | ci | 30 | [198.18.1.11, 198.18.10.13, 198.18.11.14, 198.18.12.15, \
         198.18.13.16, and 25 more] | terraform from hosted CI | 120"
    );
}

#[tokio::test]
async fn hosted_ci_may_have_few_networks() {
    let runner =
        |day: i64| format!("{}.{day}", if day % 3 == 0 { "198.51.100" } else { "192.0.2" });
    let case = Case::in_use("few", 1).runs("few", TERRAFORM, &WORK, 1..=20, runner);
    assert_eq!(case.footprint("place addresses").await, "hosted CI | 20");
    let pool = |day: i64| format!("192.0.2.{day}");
    let case = Case::in_use("pool", 1).runs("pool", TERRAFORM, &WORK, 1..=20, pool);
    assert_eq!(case.footprint("place addresses").await, "192.0.2.0/24 | 20");
    // A host at home, with IPv6 addresses that it makes for itself.
    let home = |day: i64| format!("2001:db8:{}:1::{day:x}", 42 + day % 2);
    let case = Case::in_use("six", 1).runs("six", BOTO, &WORK, 1..=20, home);
    assert_eq!(
        case.footprint("place addresses").await,
        "2001:db8:42::/48 | 10\n2001:db8:43::/48 | 10"
    );
}

#[tokio::test]
async fn a_function_that_carries_a_key_is_one_caller_and_no_ci() {
    let agent = "Boto3/1.35 md/Botocore#1.35 exec-env/AWS_Lambda_python3.12";
    let case = Case::in_use("function", 1).runs("function", agent, &WORK, MONTH, runner);
    assert_eq!(
        case.footprint("place network_kind caller").await,
        "AWS Lambda |  | boto3 from AWS Lambda"
    );
    assert_eq!(case.judged("callers replacement_kinds").await, "1 | [lambda_role]");
}

#[tokio::test]
async fn hosted_ci_is_told_from_the_network_that_somebody_runs() {
    let mut case = Case::in_use("both kinds", 1)
        .runs("both kinds", TERRAFORM, &WORK, MONTH, runner)
        .runs("both kinds", TERRAFORM, &WORK[..2], 3..=5, |_| "203.0.113.4".to_owned());
    case.lake = case.lake.networks(named(&[("203.0.113.0/24", "Office", "office")]));
    assert_eq!(
        case.footprint("place network network_kind").await,
        "hosted CI |  | ci\nOffice | Office | office"
    );
    // So is a machine of one's own that nobody has named.
    let own = |_| "198.51.100.140".to_owned();
    case = case.runs("both kinds", TERRAFORM, &WORK, 1..=5, own);
    assert_eq!(
        case.footprint("place addresses").await,
        "hosted CI | 30\n198.51.100.0/24 | 1\nOffice | 1"
    );
    // The runners' own networks have a name: that says more.
    case.lake = case.lake.networks(named(&[("198.18.0.0/15", "GitHub Actions", "ci")]));
    assert_eq!(
        case.footprint("place network network_kind addresses").await,
        "GitHub Actions | GitHub Actions | ci | 30\n198.51.100.0/24 |  |  | 1\n\
         203.0.113.0/24 |  |  | 1"
    );
}

#[tokio::test]
async fn a_laptop_is_no_ci() {
    // Home, office, and a café on each of eight days.
    let laptop = |day: i64| match day % 4 {
        0 => format!("198.18.{day}.7"),
        1 => "203.0.113.20".to_owned(),
        _ => "198.51.100.20".to_owned(),
    };
    // On a telephone's network each day is another place; but each day is other work.
    let kinds: Vec<String> = (0..90).map(|number| format!("Call{number}")).collect();
    let roaming = (1..=30_i64).fold(Case::in_use("roaming", 1), |case, day| {
        let of_day = kinds.iter().skip(usize::try_from(day).unwrap() * 2).take(5);
        of_day.fold(case, |case, kind| {
            case.with_the_key("roaming", (&runner(day), CLI), ("ec2.amazonaws.com", kind), [day])
        })
    });
    // The very same each day, but on a Mac, or in a browser; and private addresses are one's own.
    let same = |name: &str, agent| Case::in_use(name, 1).runs(name, agent, &WORK, 1..=8, runner);
    let pods = |day| format!("10.{day}.0.1");
    let cases = [
        ("laptop", 10, Case::in_use("laptop", 1).runs("laptop", BOTO, &WORK, 1..=32, laptop)),
        ("roaming", 30, roaming),
        ("mac", 8, same("mac", MAC_CLI)),
        ("browser", 8, same("browser", "Mozilla/5.0 (X11; Linux x86_64)")),
        ("pods", 8, Case::in_use("pods", 1).runs("pods", BOTO, &WORK, 1..=8, pods)),
        ("runners", 1, same("runners", BOTO)),
        // The command line on a machine that is no desk; and what only takes a role.
        ("linux", 1, same("linux", GITHUB_CLI)),
        ("taker", 1, Case::in_use("taker", 1).runs("taker", BOTO, &[TAKE], 1..=8, runner)),
    ];
    let expected = cases.iter().map(|(name, callers, _)| format!("{} | {callers}", key_id(name)));
    let expected: Vec<String> = expected.collect();
    let cases = cases.into_iter().map(|(_, _, case)| case);
    assert_eq!(all(cases, "access_key_id callers").await, sorted(expected));
}

#[tokio::test]
async fn a_move_is_recognised_by_the_same_work_from_another_place() {
    let case = Case::in_use("moved", 5)
        .runs("moved", TERRAFORM, &WORK, 5..=60, runner)
        .runs_in("github-deploy", TERRAFORM, &WORK, 1..=22, |day| format!("198.19.{day}.9"))
        // Others are there too: one all along, and one that came with other work.
        .runs_in("shop", TERRAFORM, &WORK, 1..=90, |day| format!("198.19.{day}.10"))
        .runs_in("reader", TERRAFORM, &[RUN], 1..=22, |day| format!("198.19.{day}.11"));
    let role = case.arn("github-deploy");
    assert_eq!(
        case.judged("replacement fit callers_ready callers_left candidate_roles").await,
        format!(
            "{role} | 1.0 | 1 | [terraform from hosted CI (same 4 actions with {role} since \
             2026-06-09, none with the key for 4 days)] | [{role} (same 4 actions elsewhere since \
             2026-06-09, none with the key for 4 days)]"
        )
    );
    let lately = run(&case.lake, "key-migration", &[AS_OF, ("soak_days", "3")], CALLERS).await;
    assert_eq!(
        lately,
        format!(
            "1 | 1 |  | [terraform from hosted CI (same 4 actions with {role} since 2026-06-09, \
             none with the key for 4 days)]"
        )
    );
}

#[tokio::test]
async fn a_machine_that_moves_to_hosted_ci_is_recognised_too() {
    let fixed = |_| "203.0.113.140".to_owned();
    let case = Case::in_use("jenkins", 10)
        .runs("jenkins", TERRAFORM, &WORK, 10..=60, fixed)
        .runs_in("deploy", TERRAFORM, &WORK[..3], 1..=9, runner);
    let role = case.arn("deploy");
    assert_eq!(
        case.judged("replacement callers_ready").await,
        "create | 0",
        "three of four kinds are not the same"
    );
    let case = case.runs_in("deploy", TERRAFORM, &WORK, 1..=9, runner);
    assert_eq!(case.judged("replacement callers_ready").await, format!("{role} | 1"));
}

#[tokio::test]
async fn the_same_work_elsewhere_is_no_move_while_the_key_goes_on() {
    let elsewhere = |day: i64| format!("198.19.{day}.9");
    // A role that does everything did this as well.
    let everything: Vec<String> = (0..9).map(|number| format!("Call{number}")).collect();
    let everything = everything.iter().map(|kind| ("ec2.amazonaws.com", kind.as_str()));
    let everything: Vec<_> = WORK.into_iter().chain(everything).collect();
    let cases = [
        ("goes on", 1..=60, 1..=22, TERRAFORM, &WORK[..], &WORK[..]),
        // It stopped, and the role came a month later.
        ("long before", 42..=60, 1..=9, TERRAFORM, &WORK, &WORK),
        ("another program", 5..=60, 1..=22, BOTO, &WORK, &WORK),
        ("too little to tell", 5..=60, 1..=22, TERRAFORM, &WORK[..2], &WORK[..2]),
        ("everything", 5..=60, 1..=22, TERRAFORM, &WORK, &everything),
        ("once", 5..=60, 3..=3, TERRAFORM, &WORK, &WORK),
    ];
    let expected = cases.iter().map(|(name, ..)| format!("{} | create | 0", key_id(name)));
    let expected: Vec<String> = expected.collect();
    let cases =
        cases.into_iter().map(|(name, key_days, role_days, agent, work, of_role)| {
            Case::in_use(name, *key_days.start())
                .runs(name, TERRAFORM, work, key_days, runner)
                .runs_in(&name.replace(' ', "-"), agent, of_role, role_days, elsewhere)
        });
    let columns = "access_key_id replacement callers_ready";
    // Each in a lake of its own: another's role would do for it.
    let mut found = Vec::new();
    for case in cases {
        found.extend(all([case], columns).await);
    }
    assert_eq!(sorted(found), sorted(expected));
}

#[tokio::test]
async fn a_persons_own_role_goes_before_one_that_shares_the_office() {
    let office = ("203.0.113.20", CLI);
    for (name, subject, session) in
        [("by subject", "CI@example.com", "s-1"), ("by session", "x", "ci@example.com")]
    {
        let case = Case::in_use(name, 3)
            .with_the_key(name, office, RUN, 3..=40)
            .in_the_role("admins", office, RUN, 1..=2)
            .in_the_role("ann", office, RUN, 1..=20)
            .taken_by("admins", "bob@example.com", "bob@example.com")
            .taken_by("ann", subject, session);
        let (own, other) = (case.arn("ann"), case.arn("admins"));
        assert_eq!(
            case.judged("replacement candidate_roles").await,
            format!(
                "{own} | [{other} (2 of 14 days, took over), \
                 {own} (14 of 14 days, came beside the key, by the user's own name)]"
            ),
            "{name}"
        );
    }
    // Of a machine, that the role took over says more than a name.
    let name = "machine";
    let place = ("203.0.113.20", BOTO);
    let case = Case::in_use(name, 3)
        .with_the_key(name, place, RUN, 3..=40)
        .in_the_role("taker", place, RUN, 1..=2)
        .in_the_role("named", place, RUN, 1..=20)
        .taken_by("named", "ci", "ci");
    assert_eq!(case.judged("replacement").await, case.arn("taker"));
}

#[tokio::test]
async fn a_cell_lists_twenty_and_says_how_many_more() {
    let case = Case::in_use("many", 1).runs("many", MAC_CLI, &[RUN], 1..=25, runner);
    let case = case.runs("many", MAC_CLI, &[TAG], 1..=13, runner);
    let left =
        run(&case.lake, "key-migration", &[AS_OF, ("soak_days", "30")], "callers_left").await;
    assert_eq!(left.matches(" (key only)").count(), 20, "{left}");
    assert!(left.ends_with(", and 5 more]"), "{left}");
    let kinds: Vec<String> = (0..31).map(|number| format!("Call{number}")).collect();
    let kinds: Vec<_> = kinds.iter().map(|kind| ("ec2.amazonaws.com", kind.as_str())).collect();
    let case =
        Case::in_use("busy", 1).runs("busy", BOTO, &kinds, [1], |_| "203.0.113.4".to_owned());
    let row = case.footprint("distinct_actions actions").await;
    assert!(row.starts_with("31 | [") && row.ends_with(", and 11 more]"), "{row}");
}

#[tokio::test]
async fn what_a_service_calls_for_somebody_is_no_caller() {
    let name = "forwarded";
    let case = Case::in_use(name, 1).with_the_key(name, ("203.0.113.4", BOTO), RUN, [1]);
    let other = |row: Row, source: &str| {
        dressed(row, (source, source), RUN).without("source_ip").text("source_service", source)
    };
    let rows = [
        other(case.signed("ci", &key_id(name), 2), "athena.amazonaws.com"),
        other(case.signed("ci", &key_id(name), 3), "elasticmapreduce.amazonaws.com.cn"),
        other(case.signed("ci", &key_id(name), 4), "AWS Internal"),
        // The address is the service's, as its name is not always there.
        dressed(case.signed("ci", &key_id(name), 5), ("198.51.100.4", BOTO), RUN)
            .text("invoked_by", "cloudformation.amazonaws.com"),
    ];
    let case = rows.into_iter().fold(case, |case, row| case.add("activity", row));
    assert_eq!(case.judged("callers").await, "1");
    assert_eq!(
        case.footprint("place addresses caller").await,
        "203.0.113.0/24 | 1 | boto3 from 203.0.113.0/24\nAWS Internal |  | \n\
         athena.amazonaws.com |  | \ncloudformation.amazonaws.com |  | \n\
         elasticmapreduce.amazonaws.com.cn |  | "
    );
}

#[tokio::test]
async fn nights_are_those_of_the_zone_that_is_asked_for() {
    // Midnight in UTC; 1 July 2026 is a Wednesday.
    let case = Case::in_use("nights", 1).with_the_key("nights", ("203.0.113.4", CLI), RUN, [1]);
    for (zone, share, kinds) in [("UTC", "1.0", ""), ("Asia/Tokyo", "0.0", "[identity_center]")] {
        let given = [AS_OF, ("tz", zone)];
        assert_eq!(run(&case.lake, "key-footprint", &given, "off_hours_share").await, share);
        assert_eq!(run(&case.lake, "key-migration", &given, "replacement_kinds").await, kinds);
    }
}

#[tokio::test]
async fn roles_that_hosted_ci_takes_with_the_key_stand_beside_it() {
    let name = "taker";
    let case = Case::in_use(name, 1).runs(name, BOTO, &[TAKE], 1..=8, runner);
    let case = (1..=8).fold(case, |case, day| {
        let row = event(&format!("take-{day}"), &ago(day), "AssumeRole")
            .by_user("ci", &key_id(name))
            .role(&case.account, if day < 5 { "ops" } else { "web" }, "s")
            .text("source_ip", runner(day))
            .text("user_agent", BOTO);
        case.add("credential_events", row)
    });
    let (ops, web) = (case.arn("ops"), case.arn("web"));
    assert_eq!(case.footprint("place roles").await, format!("hosted CI | [{ops}, {web}]"));
    let given = [AS_OF, ("role", "web")];
    assert_eq!(run(&case.lake, "key-footprint", &given, "place").await, "hosted CI");
    let given = [AS_OF, ("role", "nobody")];
    assert_eq!(run(&case.lake, "key-footprint", &given, "place").await, "");
}
