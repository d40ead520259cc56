-- title: When each part of each snapshot of the inventory was read
-- comment: One row per snapshot, account and part: what stands in iam_parts, and for snapshots of before it, when the snapshot was taken
--   or IAM was asked. Kept, since every word of a report on keys, users and roles is dated by it.

SELECT
    told.account_id,
    told.snapshot_id,
    told.snapshot_time,
    told.last_used_as_of,
    told.part,
    coalesce(
        iam_parts.read_at,
        CASE WHEN told.part IN ('credential_report', 'access_key_last_used', 'role_last_used')
            THEN least(told.last_used_as_of, told.snapshot_time) END,
        told.snapshot_time
    ) AS read_at,
    iam_parts.time_from
FROM (
    SELECT account_id, snapshot_id, snapshot_time, last_used_as_of, unnest(parts) AS part
    FROM iam_snapshots
) AS told
LEFT JOIN iam_parts
    ON told.snapshot_id = iam_parts.snapshot_id
    AND told.account_id = iam_parts.account_id
    AND told.part = iam_parts.part
