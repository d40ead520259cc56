-- title: Which share of the window the logs of each account cover
-- comment: One row per account with a log file in the window. A day counts as held when log files of the account were
--   delivered on it, in any region, and all of them are held (see the view coverage); coverage is the days held over the
--   days of the window.

held_days AS (
    SELECT account_id, aws_region, day, bool_and(held) AS held
    FROM coverage
    WHERE account_id IS NOT NULL AND arrow_cast(day, 'Timestamp(Microsecond, Some("UTC"))') < $to
    GROUP BY account_id, aws_region, day
),
held AS (
    SELECT
        account_id,
        min(day) FILTER (WHERE held) AS held_from,
        round(
            least(
                1.0,
                count(*) FILTER (WHERE held) / greatest(1.0, (arrow_cast($to, 'Int64') - arrow_cast($from, 'Int64')) / 86400000000.0)
            ),
            3
        ) AS coverage
    FROM (
        SELECT account_id, day, bool_and(held) AS held
        FROM coverage
        WHERE account_id IS NOT NULL
            AND day >= arrow_cast($from, 'Date32')
            AND arrow_cast(day, 'Timestamp(Microsecond, Some("UTC"))') < $to
        GROUP BY account_id, day
    ) AS days
    GROUP BY account_id
)
