-- title: Which share of the window the logs of each account cover
-- comment: held_days has one row per account, region and day before $to on which CloudTrail delivered a log file; held says that all of
--   them were read to the end and their rows are kept, trails where they lay. held has one row per account with such a day.
--   A day of an account is held when log files of it were delivered, all of them are held, and no region was missing that should have
--   been there. Regions differ in habit: one delivers every day, another on working days, a third once a month. Which days a region
--   delivered on, out of those from its first to its last, says how likely a pause is: one that would come about less than once in a
--   thousand times is missing log files, not quiet. That asks for two days of a region that has delivered daily for months, for six
--   of one that rests at weekends. Nothing is concluded from a region with less than seven such days or on less than half of all days,
--   nor from one that stopped more than 90 days before the end: it was given up. The habit is judged by all days before $to, so that
--   a smaller window never has a higher coverage for want of memory.
--   The window is its whole days, or where there are none, those that it touches; without a beginning, it begins with the lake's first
--   day. coverage: its days held, 0 to 1. verified: of these, the days of which digest_results say of every log file that it is as
--   CloudTrail delivered it, and know no other; null where there are no results of the account. silent_regions: those that are missing
--   at the window's end; null where there is none. held_from, last_day: first and last day held before $to, in the window or not.
-- with: ledger_places

held_days AS (
    SELECT account_id, aws_region, day, held, files, trails
    FROM delivered_days
    WHERE arrow_cast(day, 'Timestamp(Microsecond, Some("UTC"))') < $to
),
-- Days are numbers here, since the epoch.
held_window AS (
    SELECT
        CASE WHEN whole_from < whole_to THEN whole_from ELSE touched_from END AS first_day,
        CASE WHEN whole_from < whole_to THEN whole_to ELSE touched_to END AS end_day
    FROM (
        SELECT
            (beginning + 86399999999) / 86400000000 AS whole_from,
            arrow_cast($to, 'Int64') / 86400000000 AS whole_to,
            beginning / 86400000000 AS touched_from,
            (arrow_cast($to, 'Int64') + 86399999999) / 86400000000 AS touched_to
        FROM (
            SELECT
                CASE WHEN arrow_cast($from, 'Int64') = 0
                    THEN coalesce(arrow_cast(arrow_cast(min(first_date), 'Int32'), 'Int64'), 0) * 86400000000
                    ELSE arrow_cast($from, 'Int64')
                END AS beginning
            FROM ledger_places
        ) AS beginnings
    ) AS bounds
),
held_habits AS (
    SELECT
        account_id,
        aws_region,
        number,
        held,
        files,
        lead(number) OVER (PARTITION BY account_id, aws_region ORDER BY number) AS next_number,
        count(*) OVER (PARTITION BY account_id, aws_region) AS delivered_on,
        max(number) OVER (PARTITION BY account_id, aws_region)
            - min(number) OVER (PARTITION BY account_id, aws_region) + 1 AS lived
    FROM (
        SELECT account_id, aws_region, arrow_cast(arrow_cast(day, 'Int32'), 'Int64') AS number, held, files
        FROM held_days
    ) AS numbered
),
-- missing_until: the end of a pause after the day that is too long to be quiet.
held_pauses AS (
    SELECT
        account_id,
        aws_region,
        number,
        held,
        files,
        CASE
            WHEN delivered_on < 7 OR delivered_on * 2 < lived THEN NULL
            WHEN coalesce(next_number, end_day) - number - 1 < ln(0.001) / ln(1.0 - delivered_on / (lived + 1.0)) THEN NULL
            WHEN next_number IS NULL AND end_day - number > 90 THEN NULL
            ELSE coalesce(next_number, end_day)
        END AS missing_until,
        next_number IS NULL AS is_last,
        first_day,
        end_day
    FROM held_habits
    CROSS JOIN held_window
),
held_account_days AS (
    SELECT
        account_id,
        day_number,
        bool_and(held AND day_number = number) AS held,
        sum(CASE WHEN day_number = number THEN files ELSE 0 END) AS files,
        min(first_day) AS first_day,
        min(end_day) AS end_day,
        array_agg(aws_region) FILTER (WHERE is_last AND missing_until IS NOT NULL AND day_number = number) AS silent_regions
    FROM (
        SELECT *, unnest(range(number, coalesce(missing_until, number + 1))) AS day_number
        FROM held_pauses
    ) AS each_day
    GROUP BY account_id, day_number
),
-- The latest word on each log file, and whether the lake's copy is the one that it is about.
held_checks AS (
    SELECT
        account_id,
        number AS day_number,
        count(*) FILTER (WHERE is_good) AS good,
        count(*) FILTER (WHERE NOT is_good) AS bad
    FROM (
        SELECT
            checks.account_id,
            checks.number,
            copies.log_file IS NOT NULL
                AND coalesce(copies.sha256 = stored_sha256, true)
                AND verified_at IS NOT NULL
                AND (doubted_at IS NULL OR verified_at > doubted_at) AS is_good
        FROM (
            SELECT
                log_file,
                min(account_id) AS account_id,
                arrow_cast(arrow_cast(min(delivered_date), 'Int32'), 'Int64') AS number,
                max(stored_sha256) FILTER (WHERE status = 'verified') AS stored_sha256,
                max(checked_at) FILTER (WHERE status = 'verified') AS verified_at,
                max(checked_at) FILTER (WHERE status <> 'verified') AS doubted_at
            FROM digest_results
            WHERE log_file IS NOT NULL
                AND delivered_date >= arrow_cast($from, 'Date32')
                AND arrow_cast(delivered_date, 'Timestamp(Microsecond, Some("UTC"))') < $to
            GROUP BY log_file
        ) AS checks
        LEFT JOIN (SELECT log_file, sha256 FROM log_files WHERE status = 'complete') AS copies ON checks.log_file = copies.log_file
    ) AS judged
    GROUP BY account_id, number
),
held_counts AS (
    SELECT
        held_account_days.account_id,
        min(held_account_days.day_number) FILTER (WHERE held) AS held_from,
        max(held_account_days.day_number) FILTER (WHERE held) AS last_day,
        count(*) FILTER (WHERE held AND held_account_days.day_number BETWEEN first_day AND end_day - 1) AS days_held,
        count(*) FILTER (
            WHERE held AND held_account_days.day_number BETWEEN first_day AND end_day - 1 AND good = files AND bad = 0
        ) AS days_verified,
        greatest(min(end_day) - min(first_day), 0) AS window_days,
        array_sort(flatten(array_agg(silent_regions) FILTER (WHERE silent_regions IS NOT NULL))) AS silent_regions
    FROM held_account_days
    LEFT JOIN held_checks
        ON held_account_days.account_id = held_checks.account_id
        AND held_account_days.day_number = held_checks.day_number
    GROUP BY held_account_days.account_id
),
held AS MATERIALIZED (
    SELECT
        held_counts.account_id,
        arrow_cast(arrow_cast(held_from, 'Int32'), 'Date32') AS held_from,
        arrow_cast(arrow_cast(last_day, 'Int32'), 'Date32') AS last_day,
        days_held,
        days_verified,
        window_days,
        -- Never rounded up to all of them.
        CASE
            WHEN window_days = 0 THEN 0.0
            WHEN days_held >= window_days THEN 1.0
            ELSE least(round(days_held / arrow_cast(window_days, 'Float64'), 3), 0.999)
        END AS coverage,
        CASE
            WHEN checked.account_id IS NULL THEN NULL
            WHEN days_held = 0 THEN 0.0
            WHEN days_verified = days_held THEN 1.0
            ELSE least(round(days_verified / arrow_cast(days_held, 'Float64'), 3), 0.999)
        END AS verified,
        silent_regions
    FROM held_counts
    LEFT JOIN (SELECT DISTINCT account_id FROM digest_results WHERE log_file IS NOT NULL) AS checked
        ON held_counts.account_id = checked.account_id
)
