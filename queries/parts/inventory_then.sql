-- title: The inventory as it was known at as_of
-- comment: One row per account and part of the inventory (users, access_keys, roles, …): the latest snapshot that read the
--   part and was taken by then. A credential report tells of users and of their keys too, without the keys' ids.

inventory_parts AS (
    SELECT account_id, snapshot_id, snapshot_time, last_used_as_of, unnest(parts) AS part
    FROM iam_snapshots
    WHERE snapshot_time <= $as_of
),
inventory_subjects AS (
    SELECT account_id, snapshot_id, snapshot_time, last_used_as_of, part
    FROM inventory_parts
    UNION ALL
    SELECT account_id, snapshot_id, snapshot_time, last_used_as_of, unnest(make_array('access_keys', 'users'))
    FROM inventory_parts
    WHERE part = 'credential_report'
),
inventory_then AS (
    SELECT account_id, part, snapshot_id, snapshot_time, last_used_as_of
    FROM (
        SELECT
            *,
            row_number() OVER (
                PARTITION BY account_id, part
                ORDER BY snapshot_time DESC, snapshot_id DESC
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
