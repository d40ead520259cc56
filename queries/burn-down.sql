-- title: Burn-down
-- question: Is the number of keys and idle roles going down, and are roles taken without keys instead?
-- with: key_words, role_words
-- params:
--   as_of: timestamp = now; the answer's "now"; to counts from it
--   days: integer = 365; only weeks that begin in the last so many days before to
--   from: timestamp = null; only weeks that begin at or after this time, instead of days
--   to: timestamp = null; only snapshots and records before this time; as_of if not given
--   account: text = null; only this account
--   role: text = null; only this role: ARN, account/name, or name; keys are then not counted
--   threshold_days: integer = 45; a key that IAM saw idle for more days than this is stale
--   role_threshold_days: integer = 90; a role that IAM saw idle for more days than this is unused
--   max_inventory_days: integer = 7; in a week at whose end IAM was asked longer ago about an account, nobody knows what is idle
-- columns:
--   week: Monday of the week (UTC)
--   iso_week: the same as ISO year and week
--   accounts: accounts with a snapshot by the end of the week
--   accounts_read: those with a snapshot in the week itself; the others count as they were last seen
--   users: IAM users, without root; null, as the counts that follow, in weeks before the first snapshot that tells
--   users_without_keys: those without an active key
--   active_keys: active keys
--   inactive_keys: keys that are inactive or expired
--   stale_keys: active keys that had been idle for too long when IAM was asked, never used ones included; null where some
--     account's IAM was last asked too long before the end of the week (max_inventory_days), and where no last use is known
--   root_keys: active keys of root
--   keys_retired: keys, by id, that an earlier week, or this one, saw active and that are no longer; null where the latest
--     snapshot of some account has no ids, and an earlier one had
--   roles: roles, without service-linked ones and those of Identity Center
--   unused_roles: those that had been idle for too long when IAM was asked, never used ones included; null as stale_keys is
--   federated_roles: roles whose trust names an OIDC provider or SAML provider
--   active_keys_change: active keys more than the week before; negative is progress
--   weeks_left: weeks until no key is active, at the pace of the last four weeks; null where that pace leads nowhere within
--     five years, and where accounts came or went in those weeks
--   eta: Monday of the week in which that would be
--   sessions: sessions of roles that began in the week, by the logs: distinct names of each role in each hour, so that
--     credentials that are renewed count once
--   sessions_oidc: those taken with a web identity token: GitHub Actions, GitLab, Kubernetes
--   sessions_identity_center: by people through Identity Center
--   sessions_saml: by people through another SAML provider
--   sessions_roles_anywhere: with a certificate
--   sessions_service: by AWS services for what runs in them
--   sessions_role: from the session of another role
--   sessions_user: by IAM users, and so with keys or passwords
--   sessions_unknown: from other accounts, whose own records are not held, and what is left
--   share_read: accounts read in the week over accounts known by then, 0 to 1
--   share_held: days of accounts in the week of which all log files are held, over those of all accounts in the logs, 0 to 1
-- key: week
-- coverage: none
-- screen: iso_week, accounts, users, active_keys, stale_keys, keys_retired, roles, unused_roles, sessions_oidc, sessions_user
-- pitfall: What was then is not what today's inventory says of then: a deleted key is in no later inventory. Only kept snapshots
--   tell; an account without one in a week counts as it was last seen, and accounts_read says for how many that is so; what was
--   idle then may be in use since, and is not counted on. And few sessions may be few logs: see share_held.

WITH subjects AS MATERIALIZED (
    SELECT
        inventory_subjects.account_id,
        inventory_subjects.snapshot_id,
        snapshot_time,
        inventory_subjects.read_at,
        part,
        lists_all_keys AS has_ids
    FROM inventory_subjects
    JOIN snapshot_reads
        ON inventory_subjects.snapshot_id = snapshot_reads.snapshot_id
        AND inventory_subjects.account_id = snapshot_reads.account_id
    WHERE snapshot_time <= $to
        AND ($account IS NULL OR inventory_subjects.account_id = $account)
        AND part IN ('access_keys', 'users', 'roles', 'trust_statements')
),
-- Of an account that is closed nothing is left to count, and nobody reads it again.
closed AS (
    SELECT known_account_id AS closed_account_id, min(known_accounts.snapshot_time) FILTER (WHERE is_closed) AS closed_time
    FROM (SELECT *, upper(status) IN ('SUSPENDED', 'PENDING_CLOSURE', 'CLOSED') AS is_closed FROM known_accounts) AS known_accounts
    JOIN iam_snapshots ON known_accounts.snapshot_id = iam_snapshots.snapshot_id
    WHERE status IS NOT NULL AND known_accounts.snapshot_time <= least($to, $as_of)
    GROUP BY known_account_id
    HAVING last_value(is_closed ORDER BY known_accounts.snapshot_time, is_closed)
),
-- Read from the records themselves: the two of a call between accounts, those that were delivered twice, and those of renewed
-- credentials all fall together in a session's name and hour, and putting acts together would take long.
issues AS (
    SELECT event_time, event_name, caller_type, role_account_id, role_name, session_name
    FROM credential_events
    WHERE outcome = 'success'
        AND event_name IN ('AssumeRole', 'AssumeRoleWithSAML', 'AssumeRoleWithWebIdentity', 'AssumeRoleForPodIdentity', 'CreateSession')
        AND role_name IS NOT NULL
        AND event_time >= date_trunc('week', $from)
        AND event_time < least($to, $as_of)
        AND ($account IS NULL OR role_account_id = $account)
        AND role_is(role_account_id, role_name, $role)
),
taken AS (
    SELECT
        date_trunc('hour', event_time) AS hour,
        role_account_id,
        role_name,
        session_name,
        min(CASE
            WHEN event_name = 'AssumeRoleWithWebIdentity' THEN 'a oidc'
            WHEN event_name = 'AssumeRoleWithSAML' AND role_name LIKE 'AWSReservedSSO\_%' THEN 'b identity_center'
            WHEN event_name = 'AssumeRoleWithSAML' THEN 'c saml'
            WHEN event_name = 'CreateSession' THEN 'd roles_anywhere'
            WHEN caller_type = 'AWSService' THEN 'e service'
            WHEN caller_type = 'AssumedRole' THEN 'f role'
            WHEN caller_type = 'IAMUser' THEN 'g user'
            -- The role owner's record of a call from another account does not say whose it was.
            ELSE 'h unknown'
        END) AS method
    FROM issues
    GROUP BY 1, 2, 3, 4
),
act_counts AS (
    SELECT
        date_trunc('week', hour) AS week,
        count(*) AS sessions,
        sum(CASE WHEN method LIKE '% oidc' THEN 1 ELSE 0 END) AS sessions_oidc,
        sum(CASE WHEN method LIKE '% identity_center' THEN 1 ELSE 0 END) AS sessions_identity_center,
        sum(CASE WHEN method LIKE '% saml' THEN 1 ELSE 0 END) AS sessions_saml,
        sum(CASE WHEN method LIKE '% roles_anywhere' THEN 1 ELSE 0 END) AS sessions_roles_anywhere,
        sum(CASE WHEN method LIKE '% service' THEN 1 ELSE 0 END) AS sessions_service,
        sum(CASE WHEN method LIKE '% role' THEN 1 ELSE 0 END) AS sessions_role,
        sum(CASE WHEN method LIKE '% user' THEN 1 ELSE 0 END) AS sessions_user,
        sum(CASE WHEN method LIKE '% unknown' THEN 1 ELSE 0 END) AS sessions_unknown
    FROM taken
    GROUP BY 1
),
held_days AS (
    SELECT account_id, day, date_trunc('week', arrow_cast(day, 'Timestamp(Microsecond, Some("UTC"))')) AS week, bool_and(held) AS held
    FROM coverage
    WHERE delivered
        AND arrow_cast(day, 'Timestamp(Microsecond, Some("UTC"))') < least($to, $as_of)
        AND ($account IS NULL OR account_id = $account)
    GROUP BY account_id, day
),
held_counts AS (
    SELECT week, sum(CASE WHEN held THEN 1 ELSE 0 END) AS days_held, array_agg(DISTINCT account_id) AS log_accounts
    FROM held_days
    GROUP BY week
),
span AS (
    SELECT date_trunc('week', greatest(min(first_time), $from)) AS first_week
    FROM (
        SELECT min(snapshot_time) AS first_time FROM subjects
        UNION ALL
        SELECT min(event_time) FROM issues
    ) AS firsts
    HAVING min(first_time) IS NOT NULL
),
weeks AS MATERIALIZED (
    SELECT arrow_cast(unnest(generate_series(
        arrow_cast(first_week, 'Date32'),
        arrow_cast(least($to, $as_of), 'Date32'),
        INTERVAL '7 days'
    )), 'Timestamp(Microsecond, Some("UTC"))') AS week
    FROM span
),
kept AS MATERIALIZED (
    SELECT
        week,
        account_id,
        part,
        snapshot_id,
        snapshot_time,
        has_ids,
        read_at < fresh_since AS is_old,
        least(week + INTERVAL '7 days', $to, $as_of) AS week_end,
        fresh_since
    FROM (
        SELECT
            *,
            least(week + INTERVAL '7 days', $to, $as_of) - arrow_cast($max_inventory_days * 86400000000, 'Duration(Microsecond)')
                AS fresh_since,
            row_number() OVER (
                PARTITION BY week, account_id, part
                ORDER BY read_at DESC, snapshot_time DESC, snapshot_id DESC
            ) AS place
        FROM weeks
        JOIN subjects ON subjects.snapshot_time < weeks.week + INTERVAL '7 days'
        LEFT JOIN closed ON subjects.account_id = closed_account_id
        WHERE closed_time IS NULL OR closed_time >= weeks.week + INTERVAL '7 days'
    ) AS ranked
    WHERE place = 1
),
read AS (
    SELECT
        week,
        count(DISTINCT account_id) AS accounts,
        count(DISTINCT CASE WHEN snapshot_time >= week THEN account_id END) AS accounts_read,
        bool_or(part = 'access_keys') AND $role IS NULL AS tells_keys,
        bool_or(part = 'users') AND $role IS NULL AS tells_users,
        bool_or(part = 'roles') AS tells_roles,
        bool_or(part = 'trust_statements') AS tells_trust,
        NOT bool_or(part = 'access_keys' AND is_old) AS tells_stale,
        NOT bool_or(part = 'roles' AND is_old) AS tells_unused
    FROM kept
    GROUP BY week
),
key_counts AS (
    SELECT
        week,
        sum(CASE WHEN status = 'Active' THEN 1 ELSE 0 END) AS active_keys,
        sum(CASE WHEN status <> 'Active' THEN 1 ELSE 0 END) AS inactive_keys,
        -- Nobody knows of a use after IAM was asked, or in the hours before, which it may not know of yet.
        sum(CASE
            WHEN status = 'Active'
                AND known_until IS NOT NULL
                AND days_between(greatest(renewed, last_used), least(known_until, week_end)) > $threshold_days
                THEN 1 ELSE 0
        END) AS stale_keys,
        sum(CASE WHEN status = 'Active' AND is_root THEN 1 ELSE 0 END) AS root_keys,
        (bool_or(known_until IS NOT NULL) OR bool_and(status <> 'Active'))
            AND NOT bool_or(status = 'Active' AND coalesce(use_read_at < fresh_since, false)) AS knows_key_uses
    FROM key_words
    JOIN kept
        ON key_words.snapshot_id = kept.snapshot_id
        AND key_words.account_id = kept.account_id
        AND kept.part = 'access_keys'
    WHERE $role IS NULL
    GROUP BY week
),
keyed AS (
    SELECT DISTINCT week, key_words.account_id, user_name
    FROM key_words
    JOIN kept
        ON key_words.snapshot_id = kept.snapshot_id
        AND key_words.account_id = kept.account_id
        AND kept.part = 'access_keys'
    WHERE status = 'Active'
),
listed AS (
    SELECT week, account_id, snapshot_id FROM kept WHERE part = 'access_keys'
),
user_counts AS (
    SELECT
        kept.week,
        count(*) AS users,
        -- Null where no account's snapshot has both: a list of keys of another day does not know the users of this one.
        sum(CASE WHEN listed.account_id IS NOT NULL THEN CASE WHEN keyed.user_name IS NULL THEN 1 ELSE 0 END END) AS users_without_keys
    FROM iam_users
    JOIN kept
        ON iam_users.snapshot_id = kept.snapshot_id
        AND iam_users.account_id = kept.account_id
        AND kept.part = 'users'
    LEFT JOIN listed
        ON kept.week = listed.week
        AND kept.account_id = listed.account_id
        AND kept.snapshot_id = listed.snapshot_id
    LEFT JOIN keyed
        ON kept.week = keyed.week
        AND iam_users.account_id = keyed.account_id
        AND iam_users.user_name = keyed.user_name
    WHERE NOT is_root AND $role IS NULL
    GROUP BY kept.week
),
role_counts AS (
    SELECT
        week,
        count(*) AS roles,
        sum(CASE
            WHEN known_until IS NOT NULL
                AND days_between(greatest(created, last_used), least(known_until, week_end)) > $role_threshold_days
                THEN 1 ELSE 0
        END) AS unused_roles,
        bool_or(known_until IS NOT NULL) AND NOT bool_or(coalesce(use_read_at < fresh_since, false)) AS knows_role_uses
    FROM role_words
    JOIN kept
        ON role_words.snapshot_id = kept.snapshot_id
        AND role_words.account_id = kept.account_id
        AND kept.part = 'roles'
    WHERE NOT service_linked AND NOT identity_center
    GROUP BY week
),
trust_counts AS (
    SELECT week, count(DISTINCT role_arn) AS federated_roles
    FROM iam_trust_statements
    JOIN kept
        ON iam_trust_statements.snapshot_id = kept.snapshot_id
        AND iam_trust_statements.account_id = kept.account_id
        AND kept.part = 'trust_statements'
    WHERE principal_type = 'Federated'
        AND effect = 'Allow'
        AND role_name NOT LIKE 'AWSReservedSSO\_%'
        AND role_is(iam_trust_statements.account_id, role_name, $role)
    GROUP BY week
),
-- A credential report names no key: whether one of its slots is a key of before, or another, is not known.
key_weeks AS MATERIALIZED (
    SELECT DISTINCT week, kept.account_id, access_key_id AS key
    FROM key_words
    JOIN kept
        ON key_words.snapshot_id = kept.snapshot_id
        AND key_words.account_id = kept.account_id
        AND kept.part = 'access_keys'
    WHERE access_key_id IS NOT NULL AND status = 'Active'
),
now_active AS (
    SELECT week, account_id, count(*) AS named_active
    FROM key_weeks
    GROUP BY week, account_id
),
first_active AS (
    SELECT account_id, key, min(week) AS active_since
    FROM key_weeks
    GROUP BY account_id, key
),
ever_active AS (
    SELECT kept.week, kept.account_id, kept.has_ids, count(*) AS ever_active
    FROM kept
    JOIN first_active ON kept.account_id = first_active.account_id AND active_since <= kept.week
    WHERE kept.part = 'access_keys'
    GROUP BY kept.week, kept.account_id, kept.has_ids
),
retired_counts AS (
    SELECT
        ever_active.week,
        sum(ever_active - coalesce(named_active, 0)) AS keys_retired,
        bool_and(has_ids) AS tells_retired
    FROM ever_active
    LEFT JOIN now_active ON ever_active.week = now_active.week AND ever_active.account_id = now_active.account_id
    GROUP BY ever_active.week
),
counted AS (
    SELECT
        weeks.week,
        coalesce(accounts, 0) AS accounts,
        coalesce(accounts_read, 0) AS accounts_read,
        CASE WHEN tells_users THEN coalesce(users, 0) END AS users,
        CASE WHEN tells_users AND tells_keys THEN CASE WHEN users > 0 THEN users_without_keys ELSE 0 END END AS users_without_keys,
        CASE WHEN tells_keys THEN coalesce(active_keys, 0) END AS active_keys,
        CASE WHEN tells_keys THEN coalesce(inactive_keys, 0) END AS inactive_keys,
        CASE WHEN tells_keys AND tells_stale AND coalesce(knows_key_uses, true) THEN coalesce(stale_keys, 0) END AS stale_keys,
        CASE WHEN tells_keys THEN coalesce(root_keys, 0) END AS root_keys,
        CASE WHEN tells_keys AND coalesce(tells_retired, true) THEN coalesce(keys_retired, 0) END AS keys_retired,
        CASE WHEN tells_roles THEN coalesce(roles, 0) END AS roles,
        CASE WHEN tells_roles AND tells_unused AND coalesce(knows_role_uses, true) THEN coalesce(unused_roles, 0) END AS unused_roles,
        CASE WHEN tells_trust THEN coalesce(federated_roles, 0) END AS federated_roles,
        coalesce(sessions, 0) AS sessions,
        coalesce(sessions_oidc, 0) AS sessions_oidc,
        coalesce(sessions_identity_center, 0) AS sessions_identity_center,
        coalesce(sessions_saml, 0) AS sessions_saml,
        coalesce(sessions_roles_anywhere, 0) AS sessions_roles_anywhere,
        coalesce(sessions_service, 0) AS sessions_service,
        coalesce(sessions_role, 0) AS sessions_role,
        coalesce(sessions_user, 0) AS sessions_user,
        coalesce(sessions_unknown, 0) AS sessions_unknown,
        coalesce(days_held, 0) AS days_held,
        arrow_cast(array_length(array_distinct(flatten(array_agg(log_accounts) OVER ()))), 'Int64') AS log_accounts,
        -- The week that is not over has fewer days.
        least(7, (arrow_cast(least($to, $as_of), 'Int64') - arrow_cast(weeks.week, 'Int64') + 86399999999) / 86400000000) AS days_of_week
    FROM weeks
    LEFT JOIN read ON weeks.week = read.week
    LEFT JOIN key_counts ON weeks.week = key_counts.week
    LEFT JOIN user_counts ON weeks.week = user_counts.week
    LEFT JOIN role_counts ON weeks.week = role_counts.week
    LEFT JOIN trust_counts ON weeks.week = trust_counts.week
    LEFT JOIN retired_counts ON weeks.week = retired_counts.week
    LEFT JOIN act_counts ON weeks.week = act_counts.week
    LEFT JOIN held_counts ON weeks.week = held_counts.week
    -- One that has not begun counts for what was read at its very start.
    WHERE weeks.week < least($to, $as_of) OR accounts_read > 0
),
paced AS (
    SELECT
        *,
        active_keys - lag(active_keys, 1) OVER (ORDER BY week) AS active_keys_change,
        -- An account that came or went brought or took its keys: that is no pace.
        CASE
            WHEN accounts = lag(accounts, 4) OVER (ORDER BY week)
                THEN (lag(active_keys, 4) OVER (ORDER BY week) - active_keys) / 4.0
        END AS keys_gone_a_week
    FROM counted
),
timed AS (
    SELECT
        *,
        CASE
            WHEN active_keys = 0 THEN 0
            WHEN keys_gone_a_week > 0 AND active_keys / keys_gone_a_week <= 260
                THEN arrow_cast(ceil(active_keys / keys_gone_a_week), 'Int64')
        END AS weeks_left
    FROM paced
)
SELECT
    arrow_cast(week, 'Date32') AS week,
    to_char(week, '%G-W%V') AS iso_week,
    accounts,
    accounts_read,
    users,
    users_without_keys,
    active_keys,
    inactive_keys,
    stale_keys,
    root_keys,
    keys_retired,
    roles,
    unused_roles,
    federated_roles,
    active_keys_change,
    weeks_left,
    arrow_cast(week + arrow_cast(weeks_left * 604800000000, 'Duration(Microsecond)'), 'Date32') AS eta,
    sessions,
    sessions_oidc,
    sessions_identity_center,
    sessions_saml,
    sessions_roles_anywhere,
    sessions_service,
    sessions_role,
    sessions_user,
    sessions_unknown,
    round(accounts_read / greatest(1.0, accounts), 3) AS share_read,
    CASE WHEN days_of_week > 0 THEN round(days_held / greatest(1.0, coalesce(log_accounts, 0) * days_of_week), 3) END AS share_held
FROM timed
ORDER BY week
