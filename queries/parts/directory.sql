-- title: Who is in the directory, and active
-- comment: One row per handle, a user name or an e-mail address in lower case, of the Identity Store that the inventory
--   holds. Who shares a handle with somebody who is active counts as active.
-- with: inventory_then

directory AS (
    SELECT
        handle,
        max(name) AS directory_name,
        max(email) AS directory_email,
        bool_or(is_active) AS directory_active,
        max(snapshot_time) AS directory_time
    FROM (
        SELECT
            unnest(make_array(lower(user_name), lower(email))) AS handle,
            coalesce(display_name, user_name) AS name,
            email,
            identity_store_users.snapshot_time,
            coalesce(active, true) AS is_active
        FROM identity_store_users
        JOIN inventory_then
            ON identity_store_users.snapshot_id = inventory_then.snapshot_id
            AND identity_store_users.account_id = inventory_then.account_id
            AND inventory_then.part = 'identity_store'
    ) AS people
    WHERE handle IS NOT NULL
    GROUP BY handle
)
