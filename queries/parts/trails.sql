-- title: What an account's trails record together
-- comment: trail_records has one row per account that the lake knows and that a trail was seen of, as of the latest look at each by
--   $as_of: whether any of its trails, those of the organisation among them, records read events (every AssumeRole is one), write
--   events, and regions other than its own, and excluded_sources, the services whose management events all of them leave out (sorted;
--   null where there is none). Trails that are switched off record nothing. trail_gaps has one row per trail and thing that it does
--   not record and no other trail of the same accounts either. The words are those of trails.not_recorded.
-- with: trail_looks, ledger_places

trail_accounts AS (
    SELECT known.account_id, trail_looks.* EXCEPT (account_id)
    FROM (
        SELECT account_id FROM ledger_places WHERE account_id IS NOT NULL
        UNION
        SELECT account_id FROM iam_snapshots
    ) AS known
    JOIN trail_looks ON coalesce(trail_looks.organization, false) OR trail_looks.account_id = known.account_id
),
trail_exclusions AS (
    SELECT account_id, source, count(DISTINCT trail_arn) AS trails
    FROM (
        SELECT account_id, trail_arn, substr(gap, length('management events of ') + 1) AS source
        FROM (SELECT account_id, trail_arn, unnest(not_recorded) AS gap FROM trail_accounts WHERE management AND (reads OR writes)) AS gaps
        WHERE gap LIKE 'management events of %'
    ) AS excluded
    GROUP BY account_id, source
),
trail_records AS (
    SELECT
        together.account_id,
        records_read,
        records_write,
        all_regions,
        array_sort(array_agg(source) FILTER (WHERE source IS NOT NULL)) AS excluded_sources
    FROM (
        SELECT
            account_id,
            bool_or(management AND reads) AS records_read,
            bool_or(management AND writes) AS records_write,
            bool_or(management AND multi_region) AS all_regions,
            count(*) FILTER (WHERE management AND (reads OR writes)) AS recording
        FROM trail_accounts
        GROUP BY account_id
    ) AS together
    LEFT JOIN trail_exclusions ON together.account_id = trail_exclusions.account_id AND recording = trail_exclusions.trails
    GROUP BY together.account_id, records_read, records_write, all_regions
),
trail_gaps AS (
    SELECT gaps.*
    FROM (
        SELECT trail_arn, snapshot_time, organization, multi_region, account_id, home_region, unnest(not_recorded) AS gap
        FROM trail_looks
    ) AS gaps
    LEFT ANTI JOIN trail_looks AS others
        ON others.trail_arn <> gaps.trail_arn
        AND (others.organization OR (NOT coalesce(gaps.organization, false) AND others.account_id = gaps.account_id))
        AND (others.multi_region OR (NOT coalesce(gaps.multi_region, false) AND others.home_region = gaps.home_region))
        AND NOT array_has(others.not_recorded, gaps.gap)
        AND CASE
            WHEN gap = 'management events' THEN others.reads AND others.writes AND NOT others.filtered
            WHEN gap LIKE 'read events%' THEN others.management AND NOT others.filtered
            WHEN gap = 'write events' THEN others.management AND NOT others.filtered
            WHEN gap LIKE 'management events of %' THEN others.management AND others.reads AND others.writes AND NOT others.filtered
            WHEN gap = 'other regions' THEN others.management AND others.reads AND others.writes
            WHEN gap LIKE 'global services%' THEN others.management AND others.reads AND others.writes AND NOT others.filtered
            WHEN gap = 'data events' THEN others.data_event_types IS NOT NULL
            WHEN gap LIKE 'data events of %' THEN array_has(others.data_event_types, split_part(substr(gap, 16), ',', 1))
            ELSE others.management AND others.reads AND others.writes AND NOT others.filtered
        END
    WHERE gap <> ''
)
