-- title: Lineage
-- question: Which chain stands behind a session, a role or an access key?
-- params:
--   as_of: timestamp = now; the answer's "now"; to counts from it
--   days: integer = null; only sessions issued in the last so many days before to
--   from: timestamp = null; only sessions issued at or after this time
--   to: timestamp = null; only sessions issued before this time; as_of if not given
--   account: text = null; only sessions of roles of this account
--   role: text = null; only sessions of this role: ARN, account/name, or name
--   session: text = null; only this session: its id, the event id of its issue, its ARN or its name
--   access_key: text = null; only sessions that were issued or used with this key, or whose chain it stands in
-- columns:
--   issued_time: when the session was issued; where that is not in the lake, when it says it was made
--   session_id: the session
--   role: its role; null for sessions of users and of root
--   session_name: its name, as the caller chose it
--   origin: who stands at the root of the chain
--   origin_kind: what that is
--   origin_access_key_id: long-term access key at the root of the chain
--   chain: origin → role, or other principal, of each session down to this one
--   depth: sessions between the origin and this one
--   parent_session_id: session that asked for this one
--   chain_links: how each session of the chain is tied to the one before, from the origin down
--   link_method: how use is tied to this session: key, session or none
--   confidence: whole (every hop by key or record), inferred (a hop by principal and time), or cut
--   unlinked_reason: why the chain is cut, or the issue is missing
--   chain_started: when the first session of the chain was issued
--   expires: when this session expires
--   revisits_role: whether the chain takes the same role twice, which outlives the limits on a session's life
--   first_used: first record signed in the session
--   last_used: last record signed in the session
--   event_count: records signed in the session, as delivered
--   error_count: those with an error
--   services: services called in the session
--   source_ips: addresses it was used from
-- subject: role
-- key: session_id
-- pitfall: Neither key nor principal is enough alone: the console and Identity Center use other keys than the issue shows,
--   EC2's issue names no principal, and key ids come back after a time. And a session's name is whatever its caller chose.

SELECT
    issued_time,
    session_id,
    role,
    session_name,
    origin,
    origin_kind,
    origin_access_key_id,
    chain,
    depth,
    parent_session_id,
    chain_links,
    link_method,
    CASE
        WHEN unlinked_reason IS NOT NULL THEN 'cut'
        WHEN array_has(chain_links, 'session') THEN 'inferred'
        ELSE 'whole'
    END AS confidence,
    unlinked_reason,
    chain_started,
    expires,
    revisits_role,
    first_used,
    last_used,
    event_count,
    error_count,
    services,
    source_ips
FROM sessions
WHERE coalesce(issued_time, first_used) >= $from
    AND coalesce(issued_time, first_used) < $to
    AND ($account IS NULL OR role_account_id = $account)
    AND role_is(role_account_id, role_name, $role)
    AND (
        $session IS NULL
        OR session_id = $session
        OR session_arn = $session
        OR session_name = $session
        OR array_has(issued_event_ids, $session)
    )
    AND (
        $access_key IS NULL
        OR access_key_id = $access_key
        OR parent_access_key_id = $access_key
        OR origin_access_key_id = $access_key
        OR array_has(used_access_key_ids, $access_key)
        OR array_has(chain_access_key_ids, $access_key)
    )
ORDER BY issued_time, session_id, chain, session_name
