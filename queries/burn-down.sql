-- title: Burn-down
-- question: Is the number of keys and idle roles going down?
-- params:
--   as_of: timestamp = now; the answer's "now"; to counts from it
--   days: integer = 365; only weeks that begin in the last so many days before to
--   from: timestamp = null; only weeks that begin at or after this time, instead of days
--   to: timestamp = null; only snapshots before this time; as_of if not given
--   account: text = null; only this account
--   role: text = null; only this role: ARN, account/name, or name; keys are then not counted
--   threshold_days: integer = 45; a key that IAM saw idle for more days than this is stale
--   role_threshold_days: integer = 90; a role that IAM saw idle for more days than this is unused
-- columns:
--   week: Monday of the week (UTC)
--   iso_week: the same as ISO year and week
--   accounts: accounts with a snapshot by the end of the week
--   accounts_read: those with a snapshot in the week itself; the others count as they were last seen
--   users: IAM users, without root
--   users_without_keys: those without an active key
--   active_keys: active keys
--   inactive_keys: keys that are inactive or expired
--   stale_keys: active keys that IAM saw idle for too long, never used ones included
--   root_keys: active keys of root
--   roles: roles, without service-linked ones and those of Identity Center
--   unused_roles: those that IAM saw idle for too long, never used ones included
--   federated_roles: roles whose trust names an OIDC provider or SAML provider
--   active_keys_change: active keys more than the week before; negative is progress
--   weeks_left: weeks until no key is active, at the pace of the last four weeks; null where that pace leads nowhere
--   share_read: accounts read in the week over accounts known by then, 0 to 1
-- key: week
-- screen: iso_week, accounts, users, active_keys, stale_keys, root_keys, roles, unused_roles
-- pitfall: What was then is not what today's inventory says of then: a deleted key is in no later inventory. Only kept snapshots
--   tell; an account without one in a week counts as it was last seen, and accounts_read says for how many that is so.

WITH snapshots AS (
    SELECT account_id, snapshot_id, snapshot_time, unnest(parts) AS part
    FROM iam_snapshots
    WHERE snapshot_time <= least($to, $as_of) AND ($account IS NULL OR account_id = $account)
),
subjects AS (
    SELECT account_id, snapshot_id, snapshot_time, part
    FROM snapshots
    WHERE part IN ('access_keys', 'users', 'roles', 'trust_statements')
    UNION
    SELECT account_id, snapshot_id, snapshot_time, unnest(make_array('access_keys', 'users'))
    FROM snapshots
    WHERE part = 'credential_report'
),
span AS (
    SELECT date_trunc('week', greatest(min(snapshot_time), $from)) AS first_week
    FROM subjects
),
weeks AS (
    SELECT arrow_cast(unnest(generate_series(
        arrow_cast(first_week, 'Date32'),
        arrow_cast(least($to, $as_of), 'Date32'),
        INTERVAL '7 days'
    )), 'Timestamp(Microsecond, Some("UTC"))') AS week
    FROM span
    WHERE first_week IS NOT NULL
),
kept AS (
    SELECT week, account_id, part, snapshot_id, snapshot_time
    FROM (
        SELECT
            *,
            row_number() OVER (
                PARTITION BY week, account_id, part
                ORDER BY snapshot_time DESC, snapshot_id DESC
            ) AS place
        FROM weeks
        JOIN subjects ON subjects.snapshot_time < weeks.week + INTERVAL '7 days'
    ) AS ranked
    WHERE place = 1
),
read AS (
    SELECT
        week,
        count(DISTINCT account_id) AS accounts,
        count(DISTINCT CASE WHEN snapshot_time >= week THEN account_id END) AS accounts_read
    FROM kept
    GROUP BY week
),
key_counts AS (
    SELECT
        week,
        sum(CASE WHEN status = 'Active' THEN 1 ELSE 0 END) AS active_keys,
        sum(CASE WHEN status <> 'Active' THEN 1 ELSE 0 END) AS inactive_keys,
        sum(CASE
            WHEN status = 'Active' AND last_used_known AND days_between(
                greatest(created, last_rotated, last_used),
                least(week + INTERVAL '7 days', $as_of)
            ) > $threshold_days THEN 1 ELSE 0
        END) AS stale_keys,
        sum(CASE WHEN status = 'Active' AND is_root THEN 1 ELSE 0 END) AS root_keys
    FROM iam_access_keys
    JOIN kept
        ON iam_access_keys.snapshot_id = kept.snapshot_id
        AND iam_access_keys.account_id = kept.account_id
        AND kept.part = 'access_keys'
    WHERE $role IS NULL
    GROUP BY week
),
keyed AS (
    SELECT DISTINCT week, iam_access_keys.account_id, user_name
    FROM iam_access_keys
    JOIN kept
        ON iam_access_keys.snapshot_id = kept.snapshot_id
        AND iam_access_keys.account_id = kept.account_id
        AND kept.part = 'access_keys'
    WHERE status = 'Active'
),
user_counts AS (
    SELECT
        kept.week,
        count(*) AS users,
        sum(CASE WHEN keyed.user_name IS NULL THEN 1 ELSE 0 END) AS users_without_keys
    FROM iam_users
    JOIN kept
        ON iam_users.snapshot_id = kept.snapshot_id
        AND iam_users.account_id = kept.account_id
        AND kept.part = 'users'
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
            WHEN last_used_known AND days_between(
                greatest(created, last_used),
                least(week + INTERVAL '7 days', $as_of)
            ) > $role_threshold_days THEN 1 ELSE 0
        END) AS unused_roles
    FROM iam_roles
    JOIN kept
        ON iam_roles.snapshot_id = kept.snapshot_id
        AND iam_roles.account_id = kept.account_id
        AND kept.part = 'roles'
    WHERE NOT service_linked AND NOT identity_center AND role_is(iam_roles.account_id, role_name, $role)
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
counted AS (
    SELECT
        read.*,
        coalesce(users, 0) AS users,
        coalesce(users_without_keys, 0) AS users_without_keys,
        coalesce(active_keys, 0) AS active_keys,
        coalesce(inactive_keys, 0) AS inactive_keys,
        coalesce(stale_keys, 0) AS stale_keys,
        coalesce(root_keys, 0) AS root_keys,
        coalesce(roles, 0) AS roles,
        coalesce(unused_roles, 0) AS unused_roles,
        coalesce(federated_roles, 0) AS federated_roles
    FROM read
    LEFT JOIN key_counts ON read.week = key_counts.week
    LEFT JOIN user_counts ON read.week = user_counts.week
    LEFT JOIN role_counts ON read.week = role_counts.week
    LEFT JOIN trust_counts ON read.week = trust_counts.week
),
paced AS (
    SELECT
        *,
        active_keys - lag(active_keys, 1) OVER (ORDER BY week) AS active_keys_change,
        (lag(active_keys, 4) OVER (ORDER BY week) - active_keys) / 4.0 AS keys_gone_a_week
    FROM counted
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
    roles,
    unused_roles,
    federated_roles,
    active_keys_change,
    CASE WHEN keys_gone_a_week > 0 THEN arrow_cast(ceil(active_keys / keys_gone_a_week), 'Int64') END AS weeks_left,
    round(accounts_read / greatest(1.0, accounts), 3) AS share_read
FROM paced
ORDER BY week
