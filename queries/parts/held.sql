-- title: Which share of the window the logs of each account cover
-- comment: One row per account with a log file in the window. A day counts as held when a log file of the account was
--   delivered on it, in any region; coverage is the days held over the days of the window.

held AS (
    SELECT
        account_id,
        min(day) AS held_from,
        round(
            least(
                1.0,
                count(*) / greatest(1.0, (arrow_cast($to, 'Int64') - arrow_cast($from, 'Int64')) / 86400000000.0)
            ),
            3
        ) AS coverage
    FROM (
        SELECT DISTINCT account_id, day
        FROM coverage
        WHERE files > 0
            AND account_id IS NOT NULL
            AND day >= arrow_cast($from, 'Date32')
            AND arrow_cast(day, 'Timestamp(Microsecond, Some("UTC"))') < $to
    ) AS held_days
    GROUP BY account_id
)
