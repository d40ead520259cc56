-- title: Which IAM users are people who have left
-- comment: CTE leavers: one row per account_id and user_name of the inventory, root apart. leaver: inactive; vanished (an
--   earlier snapshot of the directory had the person); absent (the directory keeps other addresses of that domain and not
--   this one: a shared mailbox, perhaps); null where the directory says nothing against the user, or has somebody active
--   under any handle of the user. leaver_sure: the handle is a person's own address or user name, not one that is merely like
--   it, and not absent. leaver_handle: the handle. leaver_by: user_name, tag (email, user, person, …) or likeness (named like
--   one person alone). Asks for $max_inventory_days.
-- with: directory, user_tags

leaver_handles AS (
    SELECT account_id, user_name, 'user_name' AS leaver_by, lower(btrim(user_name)) AS leaver_handle
    FROM user_tags
    WHERE NOT is_root
    UNION ALL
    SELECT account_id, user_name, 'tag', lower(btrim(tag.value))
    FROM (SELECT account_id, user_name, unnest(map_entries(tags)) AS tag FROM user_tags WHERE NOT is_root) AS tagged
    WHERE lower(btrim(tag.key)) IN ('email', 'e-mail', 'mail', 'user', 'username', 'user-name', 'person')
),
leaver_signs AS (
    SELECT
        account_id,
        user_name,
        leaver_by,
        leaver_handle,
        CASE
            WHEN directory_state IS NOT NULL THEN directory_state
            WHEN days_between(leaver_domains.directory_time, $as_of) <= $max_inventory_days THEN 'absent'
        END AS state,
        directory_state IS NOT NULL AS is_sure
    FROM leaver_handles
    LEFT JOIN directory ON leaver_handle = directory.handle
    LEFT JOIN (
        SELECT split_part(handle, '@', 2) AS domain, max(directory_time) AS directory_time
        FROM directory
        WHERE handle LIKE '%@%'
        GROUP BY 1
    ) AS leaver_domains ON leaver_handle LIKE '%@%' AND split_part(leaver_handle, '@', 2) = leaver_domains.domain
    UNION ALL
    SELECT account_id, user_name, 'likeness', leaver_handle, like_state, false
    FROM leaver_handles
    JOIN directory_likes ON regexp_replace(leaver_handle, '[^\p{L}\p{N}]+', '', 'g') = likeness
    WHERE leaver_by = 'user_name' AND leaver_handle NOT LIKE '%@%'
),
leaver_words AS (
    SELECT
        account_id,
        user_name,
        bool_or(coalesce(state = 'active', false) AND is_sure) AS is_active,
        bool_or(coalesce(state = 'active', false)) AS may_be_active,
        bool_or(coalesce(state <> 'active', false) AND is_sure) AS has_sure,
        -- The most certain sign: a person's own handle, then one that is like it, then an address that nobody has.
        first_value(state ORDER BY NOT is_sure, state = 'absent', state, leaver_handle, leaver_by)
            FILTER (WHERE state <> 'active') AS state,
        first_value(leaver_handle ORDER BY NOT is_sure, state = 'absent', state, leaver_handle, leaver_by)
            FILTER (WHERE state <> 'active') AS leaver_handle,
        first_value(leaver_by ORDER BY NOT is_sure, state = 'absent', state, leaver_handle, leaver_by)
            FILTER (WHERE state <> 'active') AS leaver_by
    FROM leaver_signs
    GROUP BY account_id, user_name
),
leavers AS (
    SELECT
        account_id,
        user_name,
        CASE WHEN NOT is_cleared THEN state END AS leaver,
        CASE WHEN NOT is_cleared AND state IS NOT NULL THEN has_sure AND NOT may_be_active END AS leaver_sure,
        CASE WHEN NOT is_cleared THEN leaver_handle END AS leaver_handle,
        CASE WHEN NOT is_cleared THEN leaver_by END AS leaver_by
    FROM (
        -- One who is merely named like somebody active clears a guess, and makes what is certain less so.
        SELECT *, is_active OR (may_be_active AND NOT has_sure) AS is_cleared
        FROM leaver_words
    ) AS words
)
