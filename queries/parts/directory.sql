-- title: Who is in the directory, and active
-- comment: CTE directory: one row per handle, a user name or an e-mail address in lower case, that somebody has or had in an
--   Identity Store that the inventory holds. Who is in an earlier snapshot of a store and not in its newest has vanished.
--   Who has or shares any handle with somebody who is active counts as active. CTE directory_likes: one row per local part or
--   display name, letters and digits in lower case, that one person alone has: a guess, for users who are named so.
-- with: inventory_then

directory_rows AS (
    SELECT
        coalesce(identity_store_id, identity_store_users.account_id) AS store,
        user_id,
        lower(nullif(btrim(user_name), '')) AS user_name,
        nullif(btrim(display_name), '') AS display_name,
        nullif(btrim(email), '') AS email,
        coalesce(active, true) AS is_active,
        identity_store_users.snapshot_id,
        identity_store_users.snapshot_time,
        max(identity_store_users.snapshot_time) OVER (
            PARTITION BY coalesce(identity_store_id, identity_store_users.account_id)
        ) AS store_time
    FROM identity_store_users
    -- Only a snapshot that read all of a store tells who is not in it.
    JOIN inventory_parts
        ON identity_store_users.snapshot_id = inventory_parts.snapshot_id
        AND identity_store_users.account_id = inventory_parts.account_id
        AND inventory_parts.part = 'identity_store'
),
directory_people AS (
    SELECT
        concat(store, '/', user_id) AS person,
        last_value(coalesce(display_name, user_name) ORDER BY snapshot_time, snapshot_id) AS name,
        last_value(email ORDER BY snapshot_time, snapshot_id) AS email,
        CASE
            WHEN NOT bool_or(snapshot_time = store_time) THEN 'vanished'
            WHEN last_value(is_active ORDER BY snapshot_time, snapshot_id) THEN 'active'
            ELSE 'inactive'
        END AS state,
        max(store_time) AS store_time,
        -- Those of before too: an address that was renamed is still the person's.
        array_agg(DISTINCT user_name) AS user_names,
        array_agg(DISTINCT lower(email)) AS emails,
        array_agg(DISTINCT lower(display_name)) AS display_names
    FROM directory_rows
    GROUP BY 1
),
directory_words AS MATERIALIZED (
    SELECT
        *,
        bool_or(shares_active) OVER (PARTITION BY person) AS is_active
    FROM (
        SELECT *, is_handle AND bool_or(state = 'active') OVER (PARTITION BY word, is_handle) AS shares_active
        FROM (
            SELECT
                person,
                name,
                email,
                state,
                store_time,
                unnest(array_concat(user_names, emails, display_names)) AS word,
                unnest(array_concat(
                    array_repeat(true, array_length(user_names) + array_length(emails)),
                    array_repeat(false, array_length(display_names))
                )) AS is_handle
            FROM directory_people
        ) AS words
        WHERE word IS NOT NULL
    ) AS shared
),
directory AS MATERIALIZED (
    SELECT
        word AS handle,
        last_value(name ORDER BY state = 'active', state = 'inactive', store_time, name) AS directory_name,
        last_value(email ORDER BY state = 'active', state = 'inactive', store_time, email) AS directory_email,
        bool_or(is_active) AS directory_active,
        CASE
            WHEN bool_or(is_active) THEN 'active'
            WHEN bool_or(state = 'inactive') THEN 'inactive'
            ELSE 'vanished'
        END AS directory_state,
        max(store_time) AS directory_time
    FROM directory_words
    WHERE is_handle
    GROUP BY word
),
directory_likes AS (
    SELECT
        likeness,
        min(name) AS like_name,
        min(email) AS like_email,
        CASE WHEN bool_or(is_active) THEN 'active' ELSE min(state) END AS like_state
    FROM (
        SELECT
            *,
            regexp_replace(CASE WHEN is_handle THEN split_part(word, '@', 1) ELSE lower(word) END, '[^\p{L}\p{N}]+', '', 'g') AS likeness
        FROM directory_words
    ) AS likes
    WHERE likeness <> ''
    GROUP BY likeness
    HAVING count(DISTINCT person) = 1
)
