-- title: The inventory as it was known at as_of
-- comment: inventory_then has one row per account and part of the inventory (users, access_keys, roles, …): the latest reading of
--   the part by then. read_at is when it was read, the oldest of the files that it rests on; IAM's word on last uses holds
--   up to four hours before that (known_until), since it hears of them late:
--   https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_last-accessed.html. A credential report tells of users
--   and of their keys too, without the keys' ids.

inventory_parts AS (
    SELECT *
    FROM inventory_reads
    WHERE snapshot_time <= $as_of
),
-- When the parts of one snapshot were read, and which of these times are only those of files.
snapshot_reads AS MATERIALIZED (
    SELECT
        account_id,
        snapshot_id,
        min(CASE WHEN part IN ('access_keys', 'access_keys_of_some') THEN read_at END) AS keys_read_at,
        bool_or(part = 'access_keys') AS lists_all_keys,
        min(CASE part WHEN 'access_key_last_used' THEN read_at END) AS key_use_read_at,
        min(CASE part WHEN 'credential_report' THEN read_at END) AS report_read_at,
        min(CASE part WHEN 'users' THEN read_at END) AS users_read_at,
        min(CASE part WHEN 'roles' THEN read_at END) AS roles_read_at,
        min(CASE part WHEN 'role_last_used' THEN read_at END) AS role_use_read_at,
        bool_or(part IN ('access_keys', 'access_keys_of_some') AND time_from = 'file') AS keys_from_file,
        bool_or(part = 'access_key_last_used' AND time_from = 'file') AS key_use_from_file,
        bool_or(part = 'credential_report' AND time_from = 'file') AS report_from_file,
        bool_or(part = 'users' AND time_from = 'file') AS users_from_file,
        bool_or(part = 'roles' AND time_from = 'file') AS roles_from_file,
        bool_or(part = 'role_last_used' AND time_from = 'file') AS role_use_from_file
    FROM inventory_parts
    GROUP BY account_id, snapshot_id
),
inventory_subjects AS MATERIALIZED (
    SELECT *
    FROM inventory_parts
    UNION ALL
    SELECT * EXCEPT (part, read_at, time_from), unnest(make_array('access_keys', 'users')) AS part, read_at, time_from
    FROM inventory_parts
    WHERE part = 'credential_report'
),
inventory_then AS MATERIALIZED (
    SELECT
        account_id,
        part,
        snapshot_id,
        snapshot_time,
        last_used_as_of,
        read_at,
        read_at - INTERVAL '4 hours' AS known_until,
        time_from
    FROM (
        SELECT
            *,
            row_number() OVER (
                PARTITION BY account_id, part
                ORDER BY read_at DESC, snapshot_time DESC, snapshot_id DESC
            ) AS place
        FROM inventory_subjects
    ) AS ranked
    WHERE place = 1
),
-- Accounts whose every snapshot lies after as_of: a clock in the future, or an as_of in the past.
inventory_later AS (
    SELECT account_id
    FROM iam_snapshots
    GROUP BY account_id
    HAVING min(snapshot_time) > $as_of
)
