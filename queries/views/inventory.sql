-- title: inventory
-- comment: One row per account: the latest snapshot of its IAM. Reports with an as_of choose the latest by then themselves
-- columns:
--   account_id: the account
--   snapshot_id: the snapshot; the rows of the inventory tables carry it
--   snapshot_time: when it was taken
--   source: api or files
--   parts: what was read
--   missing: what was not, in words
--   last_used_as_of: when IAM's last uses were read; null where they were not
--   account_name: name of the account, where the organisation tells it

SELECT account_id, snapshot_id, snapshot_time, source, parts, missing, last_used_as_of, account_name
FROM (
    SELECT
        *,
        row_number() OVER (PARTITION BY account_id ORDER BY snapshot_time DESC, snapshot_id DESC) AS place
    FROM iam_snapshots
) AS snapshots
WHERE place = 1
