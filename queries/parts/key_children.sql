-- title: The sessions that long-term keys opened, and users' sign-ins
-- comment: key_children has one row per session that GetSessionToken or GetFederationToken gave for a key: its records are signed with
--   another key and count as use of the first. Calls that take a role are use of the key themselves; what the role then does is not.
--   key_grants is what it and sign_ins_seen are made of: the lake's credential events are read once for both.

key_grants AS MATERIALIZED (
    SELECT
        event_name,
        event_time,
        caller_account_id,
        caller_user_name,
        caller_access_key_id,
        issued_access_key_id,
        caller_arn,
        caller_principal_id,
        coalesce(issued_expiration, event_time + INTERVAL '36 hours') AS expires
    FROM credential_events
    WHERE event_name IN ('GetSessionToken', 'GetFederationToken', 'ConsoleLogin')
        AND outcome = 'success'
        AND event_time < $as_of
),
-- Key ids come back after a time, so a session's key is its own only while the session lasts.
key_children AS (
    SELECT
        caller_access_key_id AS parent_key_id,
        issued_access_key_id AS child_key_id,
        min(caller_user_name) AS parent_user_name,
        min(caller_arn) AS parent_arn,
        min(caller_principal_id) AS parent_user_id,
        event_time AS issued_time,
        expires
    FROM key_grants
    WHERE event_name <> 'ConsoleLogin'
        AND caller_access_key_id LIKE 'AKIA%'
        AND issued_access_key_id IS NOT NULL
    GROUP BY caller_access_key_id, issued_access_key_id, event_time, expires
),
sign_ins_seen AS (
    SELECT caller_account_id, caller_user_name, event_time
    FROM key_grants
    WHERE event_name = 'ConsoleLogin'
)
