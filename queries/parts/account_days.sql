-- title: The days of each account of which logs are held, as lists
-- comment: Days are numbers since the epoch. days_held: all that was delivered on the day is held. iam_days_held: held in the region
--   where IAM's changes are logged, so that a change on that day would have been seen; none where the account's trails are known,
--   and are known to leave out what IAM changes.
-- with: held

writing_trails AS (
    SELECT
        account_id,
        bool_or(NOT coalesce(
            array_has_any(not_recorded, make_array(
                'management events', 'write events', 'management events of iam.amazonaws.com', 'global services (IAM, STS)'
            )),
            false
        )) AS writes
    FROM (
        SELECT
            *,
            CASE WHEN organization THEN NULL ELSE arn_account(trail_arn) END AS account_id,
            row_number() OVER (PARTITION BY trail_arn ORDER BY snapshot_time DESC) AS place
        FROM trails
        WHERE snapshot_time <= $as_of
    ) AS looks
    WHERE place = 1 AND logging
    GROUP BY account_id
),
account_days AS (
    SELECT
        days.account_id,
        array_agg(day_number) FILTER (WHERE held) AS days_held,
        -- Either is null where no such trail is known, and then the other decides.
        array_agg(day_number) FILTER (
            WHERE iam_held AND coalesce(own.writes OR all_accounts.writes, own.writes, all_accounts.writes, true)
        ) AS iam_days_held
    FROM (
        SELECT
            account_id,
            arrow_cast(arrow_cast(day, 'Int32'), 'Int64') AS day_number,
            bool_and(held) AS held,
            coalesce(
                bool_and(held) FILTER (
                    WHERE aws_region IN ('us-east-1', 'us-gov-west-1', 'cn-north-1', 'eusc-de-east-1', 'us-iso-east-1', 'us-isob-east-1')
                ),
                false
            ) AS iam_held
        FROM held_days
        GROUP BY account_id, day
    ) AS days
    LEFT JOIN writing_trails AS own ON days.account_id = own.account_id
    LEFT JOIN writing_trails AS all_accounts ON all_accounts.account_id IS NULL
    GROUP BY days.account_id
)
