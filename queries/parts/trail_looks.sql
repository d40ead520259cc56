-- title: Each trail at the latest look before as_of
-- comment: One row per trail that was logging. account_id is that of its ARN, the management account's where the trail is of the
--   organisation; only_account_id is null then, since it records every account. not_recorded is never null here.

trail_looks AS MATERIALIZED (
    SELECT
        trail_arn,
        snapshot_time,
        organization,
        multi_region,
        arn_account(trail_arn) AS account_id,
        CASE WHEN NOT coalesce(organization, false) THEN arn_account(trail_arn) END AS only_account_id,
        split_part(trail_arn, ':', 4) AS home_region,
        not_recorded,
        data_event_types,
        NOT array_has(not_recorded, 'management events') AS management,
        NOT array_has(not_recorded, 'read events (every AssumeRole is one)') AS reads,
        NOT array_has(not_recorded, 'write events') AS writes,
        array_to_string(not_recorded, chr(10)) LIKE '%what a filter on %' AS filtered
    FROM (
        SELECT
            * EXCEPT (not_recorded),
            coalesce(not_recorded, make_array('')) AS not_recorded,
            row_number() OVER (PARTITION BY trail_arn ORDER BY snapshot_time DESC) AS place
        FROM trails
        WHERE snapshot_time <= $as_of
    ) AS looks
    WHERE place = 1 AND logging
)
