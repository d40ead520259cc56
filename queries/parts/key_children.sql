-- title: The sessions that long-term keys opened
-- comment: One row per session that GetSessionToken or GetFederationToken gave for a key: its records are signed with another
--   key and count as use of the first. Calls that take a role are use of the key themselves; what the role then does is not.

-- Key ids come back after a time, so a session's key is its own only while the session lasts.
key_children AS (
    SELECT
        caller_access_key_id AS parent_key_id,
        issued_access_key_id AS child_key_id,
        min(caller_user_name) AS parent_user_name,
        min(caller_arn) AS parent_arn,
        min(caller_principal_id) AS parent_user_id,
        event_time AS issued_time,
        coalesce(issued_expiration, event_time + INTERVAL '36 hours') AS expires
    FROM credential_events
    WHERE event_name IN ('GetSessionToken', 'GetFederationToken')
        AND outcome = 'success'
        AND caller_access_key_id LIKE 'AKIA%'
        AND issued_access_key_id IS NOT NULL
        AND event_time < $as_of
    GROUP BY caller_access_key_id, issued_access_key_id, event_time, coalesce(issued_expiration, event_time + INTERVAL '36 hours')
)
