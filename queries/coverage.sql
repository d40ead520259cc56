-- title: Coverage
-- question: What do these logs not know?
-- with: held
-- params:
--   as_of: timestamp = now; the answer's "now"; to counts from it
--   days: integer = null; only the last so many days before to
--   from: timestamp = null; only days of delivery at or after this time
--   to: timestamp = null; only days of delivery before this time; as_of if not given
--   account: text = null; only this account
--   role: text = null; only the account of this role, given as ARN or account/name
-- columns:
--   account_id: account
--   aws_region: region
--   day: day of delivery (UTC)
--   state: HELD; PARTIAL (something was rejected, refused or not read to the end); EXPIRED (the log files were read, but
--     the rows of that day were not to be kept longer: maintain --keep-days); NOT_DELIVERED (only files that CloudTrail did not
--     deliver under its own name: dumps of chosen events, filtered downloads, renamed copies; their records count as uses, and
--     nobody knows what they leave out); AGGREGATED (only summaries of data events, which stand for no single call); MISSING (no log file, though the region delivered on most days and rarely paused as long);
--     NO_EVIDENCE (no log file: the region may have been quiet, or the files may be missing; only digest files can tell)
--   files: log files read
--   undelivered_files: those of them, and of the refused ones, that do not have the name that CloudTrail gives
--   aggregated_files: those that hold five-minute summaries of data events instead of records
--   records: records in them, as delivered
--   rejected: records that were rejected
--   refused_files: log files that were met and could not be read; read again, they are taken in
--   refusals: why, each reason once, three of them at most
--   pending_files: log files that were not read to the end
--   late_files: log files with an event more than three hours older than the delivery
--   max_delivery_lag_seconds: longest time from a file's earliest event to its delivery
--   trail_prefixes: what stands before the account in the files' keys, one per trail
--   several_trails: whether more than one trail delivered: counts of records are then of deliveries, not of events
--   note: why nothing vouches for the day, and what is suspicious about the account as a whole
-- findings: state in (PARTIAL, EXPIRED, NOT_DELIVERED, AGGREGATED, MISSING, NO_EVIDENCE)
-- key: account_id, aws_region, day
-- screen: account_id, aws_region, day, state, files, records, rejected, note
-- pitfall: A region without log files is no gap for sure: nothing may have happened there. And a trail that records only writes holds
--   no AssumeRole at all, because AWS counts those as reads; its account then shows roles in use that nobody took.

WITH cells AS (
    SELECT *
    FROM coverage
    WHERE day >= arrow_cast($from, 'Date32')
        AND arrow_cast(day, 'Timestamp(Microsecond, Some("UTC"))') < $to
        AND ($account IS NULL OR account_id = $account)
        AND ($role IS NULL OR account_id = coalesce(arn_account($role), split_part($role, '/', 1)))
),
-- Small, and all that the grid needs of the cells.
places AS MATERIALIZED (
    SELECT account_id, aws_region, bool_or(delivered) AS delivers, min(day) AS first_day, max(day) AS last_day
    FROM cells
    GROUP BY account_id, aws_region
),
days AS (
    SELECT unnest(range(first_day, last_day + INTERVAL '1 day', INTERVAL '1 day')) AS day
    FROM (SELECT min(first_day) AS first_day, max(last_day) AS last_day FROM places) AS span
    WHERE first_day IS NOT NULL
),
grid AS (
    SELECT account_id, aws_region, day
    FROM places
    CROSS JOIN days
    WHERE delivers
),
missing AS (
    SELECT account_id, aws_region, arrow_cast(arrow_cast(day_number, 'Int32'), 'Date32') AS day
    FROM (
        SELECT account_id, aws_region, unnest(range(number + 1, missing_until)) AS day_number
        FROM held_pauses
        WHERE missing_until IS NOT NULL
    ) AS each_day
),
roles_used AS (
    SELECT DISTINCT account_id
    FROM activity
    WHERE (principal_type = 'AssumedRole' OR principal_arn LIKE '%:assumed-role/%')
        AND account_id = recipient_account_id
        AND last_time >= $from
        AND first_time < $to
),
roles_taken AS (
    SELECT DISTINCT recipient_account_id AS account_id
    FROM credential_events
    WHERE event_source = 'sts.amazonaws.com'
        AND event_name IN ('AssumeRole', 'AssumeRoleWithSAML', 'AssumeRoleWithWebIdentity')
        AND event_time >= $from
        AND event_time < $to
),
blind AS (
    SELECT roles_used.account_id
    FROM roles_used
    LEFT ANTI JOIN roles_taken ON roles_used.account_id = roles_taken.account_id
),
filled AS (
    SELECT
        coalesce(cells.account_id, grid.account_id) AS account_id,
        coalesce(cells.aws_region, grid.aws_region) AS aws_region,
        coalesce(cells.day, arrow_cast(grid.day, 'Date32')) AS day,
        cells.* EXCEPT (account_id, aws_region, day)
    FROM cells
    FULL JOIN grid
        ON cells.account_id = grid.account_id
        AND cells.aws_region = grid.aws_region
        AND cells.day = arrow_cast(grid.day, 'Date32')
)
SELECT
    filled.account_id,
    filled.aws_region,
    filled.day,
    CASE
        WHEN delivered IS NOT TRUE AND missing.day IS NOT NULL THEN 'MISSING'
        WHEN files IS NULL THEN 'NO_EVIDENCE'
        WHEN NOT delivered AND undelivered_files = 0 THEN 'AGGREGATED'
        WHEN NOT delivered THEN 'NOT_DELIVERED'
        WHEN expired THEN 'EXPIRED'
        WHEN rejected > 0 OR refused_files > 0 OR pending_files > 0 THEN 'PARTIAL'
        ELSE 'HELD'
    END AS state,
    coalesce(files, 0) AS files,
    coalesce(undelivered_files, 0) AS undelivered_files,
    coalesce(aggregated_files, 0) AS aggregated_files,
    coalesce(records, 0) AS records,
    coalesce(rejected, 0) AS rejected,
    coalesce(refused_files, 0) AS refused_files,
    array_to_string(refusals, '; ') AS refusals,
    coalesce(pending_files, 0) AS pending_files,
    coalesce(late_files, 0) AS late_files,
    max_delivery_lag_seconds,
    trail_prefixes,
    coalesce(several_trails, false) AS several_trails,
    nullif(
        concat_ws(
            '; ',
            CASE WHEN aggregated_files > 0
                THEN 'data events came as five-minute summaries: they show that whom they name is alive, and no single call'
            END,
            CASE WHEN NOT delivered AND undelivered_files > 0
                THEN 'chosen events or a renamed copy: only files under the name that CloudTrail gave them say that nothing is left out'
            END,
            CASE WHEN blind.account_id IS NOT NULL
                THEN 'roles are used but none is seen being taken: does the trail record writes only, or lack us-east-1?'
            END
        ),
        ''
    ) AS note
FROM filled
LEFT JOIN blind ON filled.account_id = blind.account_id
LEFT JOIN missing
    ON filled.account_id = missing.account_id
    AND filled.aws_region = missing.aws_region
    AND filled.day = missing.day
ORDER BY filled.account_id, filled.aws_region, filled.day
