-- title: The IAM users of the inventory, with their tags
-- comment: One row per user, root among them. A credential report tells of users too, and of no tags: those of the last list of users
--   before it hold.
-- with: inventory_then

user_tags AS MATERIALIZED (
    SELECT
        iam_users.account_id,
        iam_users.user_name,
        iam_users.user_arn,
        coalesce(iam_users.is_root, false) AS is_root,
        coalesce(listed.tags, iam_users.tags) AS tags
    FROM iam_users
    JOIN inventory_then
        ON iam_users.snapshot_id = inventory_then.snapshot_id
        AND iam_users.account_id = inventory_then.account_id
        AND inventory_then.part = 'users'
    LEFT JOIN (
        SELECT iam_users.account_id, user_name, created, tags
        FROM iam_users
        JOIN (
            SELECT
                account_id,
                snapshot_id,
                row_number() OVER (PARTITION BY account_id ORDER BY read_at DESC, snapshot_time DESC, snapshot_id DESC) AS place
            FROM inventory_parts
            WHERE part = 'users'
        ) AS lists
            ON iam_users.snapshot_id = lists.snapshot_id
            AND iam_users.account_id = lists.account_id
            AND place = 1
    ) AS listed
        ON iam_users.account_id = listed.account_id
        AND iam_users.user_name = listed.user_name
        AND iam_users.created IS NOT DISTINCT FROM listed.created
)
