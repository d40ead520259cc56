-- title: What each snapshot up to as_of says of a role, and as of when
-- comment: One row per snapshot and role: when the list of roles was read (roles_read_at), and its last use (use_read_at; null where
--   that was not), and known_until the lag before that. from_file: a time that this rests on is only that of a file. For a report
--   with role.
-- with: inventory_then

role_words AS MATERIALIZED (
    SELECT
        *,
        use_read_at - INTERVAL '4 hours' AS known_until
    FROM (
        SELECT
            iam_roles.*,
            coalesce(roles_read_at, iam_roles.snapshot_time) AS roles_read_at,
            coalesce(roles_from_file OR (last_used_known AND role_use_from_file), false) AS from_file,
            -- A word without the time of its part is no word.
            CASE WHEN last_used_known THEN role_use_read_at END AS use_read_at
        FROM iam_roles
        JOIN snapshot_reads
            ON iam_roles.snapshot_id = snapshot_reads.snapshot_id
            AND iam_roles.account_id = snapshot_reads.account_id
        WHERE role_is(iam_roles.account_id, role_name, $role)
    ) AS dated
)
