-- title: What each snapshot up to as_of says of a key, and as of when
-- comment: One row per snapshot and key: its status by the list of keys (status_read_at), its last use by the answer about the key or
--   by the credential report (use_read_at; null where neither was read), known_until the lag before that, and renewed, when it was
--   made, or switched on again as far as the report says. rotated_read_at: when the report was read that says when it was last
--   changed. from_file: a time that this rests on is only that of a file.
-- with: inventory_then

key_words AS MATERIALIZED (
    SELECT
        * EXCEPT (status_from_file, use_from_file),
        use_read_at - INTERVAL '4 hours' AS known_until,
        -- The report moves last_rotated with every change of a key's status.
        greatest(created, CASE WHEN status = 'Active' THEN last_rotated END) AS renewed,
        coalesce(status_from_file OR use_from_file, false) AS from_file
    FROM (
        SELECT
            iam_access_keys.*,
            CASE
                WHEN iam_access_keys.access_key_id IS NULL THEN coalesce(report_read_at, iam_access_keys.snapshot_time)
                ELSE coalesce(keys_read_at, report_read_at, iam_access_keys.snapshot_time)
            END AS status_read_at,
            CASE WHEN last_rotated IS NOT NULL THEN report_read_at END AS rotated_read_at,
            CASE WHEN iam_access_keys.access_key_id IS NULL OR keys_read_at IS NULL THEN report_from_file ELSE keys_from_file END
                AS status_from_file,
            CASE
                WHEN NOT last_used_known THEN false
                WHEN matched_by = 'access_key_id' THEN key_use_from_file
                WHEN matched_by IS NULL OR matched_by = 'ambiguous' THEN key_use_from_file OR report_from_file
                ELSE report_from_file
            END AS use_from_file,
            -- A word without the time of its part is no word.
            CASE
                WHEN NOT last_used_known THEN NULL
                WHEN matched_by = 'access_key_id' THEN key_use_read_at
                WHEN matched_by IS NULL OR matched_by = 'ambiguous' THEN least(key_use_read_at, report_read_at)
                ELSE report_read_at
            END AS use_read_at
        FROM iam_access_keys
        JOIN snapshot_reads
            ON iam_access_keys.snapshot_id = snapshot_reads.snapshot_id
            AND iam_access_keys.account_id = snapshot_reads.account_id
    ) AS dated
)
