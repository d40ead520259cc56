-- title: Coverage
-- question: What do these logs not know?
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
--     the rows of that day were not to be kept longer: maintain --keep-days); NO_EVIDENCE (no log file: the region may
--     have been quiet, or the files may be missing; only digest files can tell)
--   files: log files read
--   records: records in them, as delivered
--   rejected: records that were rejected
--   refused_files: log files that could not be read at all
--   pending_files: log files that were not read to the end
--   late_files: log files with an event more than three hours older than the delivery
--   max_delivery_lag_seconds: longest time from a file's earliest event to its delivery
--   trail_prefixes: what stands before the account in the files' keys, one per trail
--   several_trails: whether more than one trail delivered: counts of records are then of deliveries, not of events
--   note: what is suspicious about the account as a whole
-- findings: state in (PARTIAL, EXPIRED, NO_EVIDENCE)
-- key: account_id, aws_region, day
-- screen: account_id, aws_region, day, state, files, records, rejected, note
-- pitfall: A region without log files is not a gap: nothing may have happened there. And a trail that records only writes holds
--   no AssumeRole at all, because AWS counts those as reads; its account then shows roles in use that nobody took.

WITH cells AS (
    SELECT *
    FROM coverage
    WHERE day >= arrow_cast($from, 'Date32')
        AND arrow_cast(day, 'Timestamp(Microsecond, Some("UTC"))') < $to
        AND ($account IS NULL OR account_id = $account)
        AND ($role IS NULL OR account_id = coalesce(arn_account($role), split_part($role, '/', 1)))
),
span AS (
    SELECT min(day) AS first_day, max(day) AS last_day
    FROM cells
),
days AS (
    SELECT unnest(range(first_day, last_day + INTERVAL '1 day', INTERVAL '1 day')) AS day
    FROM span
    WHERE first_day IS NOT NULL
),
grid AS (
    SELECT account_id, aws_region, day
    FROM (SELECT DISTINCT account_id, aws_region FROM cells WHERE account_id IS NOT NULL AND aws_region IS NOT NULL) AS places
    CROSS JOIN days
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
    aws_region,
    day,
    CASE
        WHEN files IS NULL THEN 'NO_EVIDENCE'
        WHEN expired THEN 'EXPIRED'
        WHEN rejected > 0 OR refused_files > 0 OR pending_files > 0 THEN 'PARTIAL'
        ELSE 'HELD'
    END AS state,
    coalesce(files, 0) AS files,
    coalesce(records, 0) AS records,
    coalesce(rejected, 0) AS rejected,
    coalesce(refused_files, 0) AS refused_files,
    coalesce(pending_files, 0) AS pending_files,
    coalesce(late_files, 0) AS late_files,
    max_delivery_lag_seconds,
    trail_prefixes,
    coalesce(several_trails, false) AS several_trails,
    CASE WHEN blind.account_id IS NOT NULL
        THEN 'roles are used but none is seen being taken: does the trail record writes only, or lack us-east-1?'
    END AS note
FROM filled
LEFT JOIN blind ON filled.account_id = blind.account_id
ORDER BY account_id, aws_region, day
