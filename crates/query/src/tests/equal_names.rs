//! Many sessions of one role and name within seconds, drawn at random: what they did is what the role did, each act once,
//! and what cannot be told apart is said to be so.

use super::lake::{PROD, Row, TestLake, event, used};

/// Numbers that look random, the same each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % most
    }
}

fn clock(second: u64) -> String {
    format!("10:00:{second:02}")
}

/// Three repositories take one role under one name, over and over.
fn taken(number: u64, second: u64, repository: u64) -> Row {
    event(&format!("e{number:02}"), &clock(second), "AssumeRoleWithWebIdentity")
        .role(PROD, "Deploy", "GitHubActions")
        .issues(&format!("ASIAISSUED{number:010}"), "11:00:00")
        .text("caller_type", "WebIdentityUser")
        .text(
            "identity_provider",
            "arn:aws:iam::222222222222:oidc-provider/token.actions.githubusercontent.com",
        )
        .text("federated_subject", format!("repo:acme/{repository}:ref:refs/heads/main"))
}

#[tokio::test]
async fn acts_of_sessions_of_equal_names_are_the_roles_acts_each_once() {
    for seed in 0..8 {
        let mut dice = Dice(seed);
        let issues: Vec<(u64, u64)> =
            (0..1 + dice.below(9)).map(|_| (dice.below(12), dice.below(3))).collect();
        let mut expected = [0; 4];
        let mut rows = Vec::new();
        for number in 0..12 {
            let which = dice.below(issues.len() as u64) as usize;
            let made = issues[which].0;
            let row = used(
                &format!("10:{:02}:00", 5 + number),
                &format!("10:{:02}:30", 5 + number),
                1 + number as i64,
            )
            .in_session(PROD, "Deploy", "GitHubActions", &clock(made));
            let near: Vec<_> =
                issues.iter().filter(|(second, _)| second.abs_diff(made) <= 2).collect();
            let (row, way) = match dice.below(3) {
                0 => (row.key(&format!("ASIAISSUED{which:010}")), 0),
                1 if near.len() == 1 => (row, 1),
                1 if near.iter().all(|one| one.1 == near[0].1) => (row, 2),
                1 => (row, 3),
                // A key of nobody's.
                _ => (row.key(&format!("ASIAOTHER{number:011}")), 3),
            };
            expected[way] += 1 + number as i64;
            rows.push(row);
        }
        let issued = issues
            .iter()
            .zip(0..)
            .map(|((second, caller), number)| taken(number, *second, *caller));
        let lake = TestLake::default().events(issued).activity(rows);
        let all: i64 = expected.iter().sum();
        let sums = "SELECT (SELECT sum(event_count) FROM sessions), (SELECT sum(event_count) FROM session_activity), \
             (SELECT count(*) FROM session_activity)";
        assert_eq!(lake.answer(sums).await, format!("{all} | {all} | 12"), "seed {seed}");
        let ways = ["key", "session", "one_of_several", "none"]
            .map(|link| format!("coalesce(sum(event_count) FILTER (WHERE link = '{link}'), 0)"));
        let ways = format!("SELECT {} FROM session_activity", ways.join(", "));
        let text = expected.map(|count| count.to_string()).join(" | ");
        assert_eq!(lake.answer(&ways).await, text, "seed {seed}: {issues:?}");
        let strangers = "SELECT count(*) FROM session_activity JOIN sessions ON session_activity.session_id = sessions.session_id \
             WHERE session_activity.access_key_id <> sessions.access_key_id";
        assert_eq!(lake.answer(strangers).await, "0", "seed {seed}");
    }
}
