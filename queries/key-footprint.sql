-- title: Key footprint
-- question: Where is an access key used, by what, and for what?
-- with: held, key_workloads
-- params:
--   as_of: timestamp = now; the answer's "now"; to counts from it
--   days: integer = 90; only the last so many days before to
--   from: timestamp = null; only records at or after this time, instead of days
--   to: timestamp = null; only records before this time; as_of if not given
--   account: text = null; only keys of this account
--   role: text = null; only callers that took this role with the key: ARN, account/name, or name
--   access_key: text = null; only this key
-- columns:
--   access_key_id: the key
--   account_id: account of its user
--   user_name: its user; <root_account> for root; null in sessions of GetFederationToken, whose records name no user
--   via: key (signed with the key itself) or session (in a session that it opened by GetSessionToken or GetFederationToken)
--   source: address, else service, that the calls came from
--   network: what the address is called, in --networks or the settings; null for a service, and where nothing names it
--   network_kind: office, vpn, nat, aws or vendor, as --networks says
--   network_asn: autonomous system that announces the address, with --asn-database
--   network_as_name: its operator
--   network_country: country of the address, with --country-database
--   agent: program that made the calls, as its user agent says; see agent_family
--   in_scope_of: resource that the credentials were issued to, where the records say
--   caller: program and address, and resource, as key-migration counts callers; null where a service called for one of them
--   services: services called, as in actions
--   actions: calls made, as service:Action, the first fifty in order
--   distinct_actions: how many kinds of call
--   roles: roles taken
--   first_used: first record
--   last_used: last record
--   days_active: days with a record
--   calls: records, as delivered
--   errors: those with an error
--   off_hours_share: share of the calls between 21 and 5 o'clock UTC or on a weekend: people sleep, jobs do not
--   coverage: days of the window that the account's logs cover, 0 to 1
--   evidence_event_ids: event ids of the first and the last use
-- subject: user_name
-- key: access_key_id, account_id, user_name, via, source, agent, in_scope_of
-- screen: access_key_id, user_name, via, source, network, agent, services, last_used, calls
-- pitfall: What a key does in sessions that it opened is signed with other keys: they count here. Data events that no trail records
--   do not: an empty answer is no proof of silence. And a user agent says what its sender likes, and a database of addresses
--   where a block is registered.

WITH roles_taken AS (
    SELECT
        coalesce(parent_key_id, caller_access_key_id) AS access_key_id,
        CASE WHEN parent_key_id IS NULL THEN 'key' ELSE 'session' END AS via,
        coalesce(source_ip, source_service, '') AS source,
        coalesce(agent_family(user_agent), '') AS agent,
        array_sort(array_agg(DISTINCT coalesce(role_arn, concat_ws('/', role_account_id, role_name)))) AS roles,
        bool_or(role_is(role_account_id, role_name, $role)) AS took_role
    FROM credential_events
    LEFT JOIN key_children
        ON caller_access_key_id = child_key_id AND event_time >= issued_time AND event_time <= expires
    WHERE outcome = 'success'
        AND event_name = 'AssumeRole'
        AND role_name IS NOT NULL
        AND event_time >= $from
        AND event_time < least($to, $as_of)
        AND (caller_access_key_id LIKE 'AKIA%' OR parent_key_id IS NOT NULL)
    GROUP BY 1, 2, 3, 4
),
calls_made AS (
    SELECT
        access_key_id,
        via,
        source,
        agent,
        in_scope_of,
        array_sort(array_agg(concat(split_part(event_source, '.', 1), ':', event_name))) AS actions
    FROM key_actions
    WHERE $access_key IS NULL OR access_key_id = $access_key
    GROUP BY access_key_id, via, source, agent, in_scope_of
),
footprint AS (
    SELECT callers.*, actions
    FROM key_callers AS callers
    LEFT JOIN calls_made
        ON callers.access_key_id = calls_made.access_key_id
        AND callers.via = calls_made.via
        AND coalesce(callers.source, '') = coalesce(calls_made.source, '')
        AND coalesce(callers.agent, '') = coalesce(calls_made.agent, '')
        AND coalesce(callers.in_scope_of, '') = coalesce(calls_made.in_scope_of, '')
    WHERE $access_key IS NULL OR callers.access_key_id = $access_key
)
SELECT
    footprint.access_key_id,
    footprint.account_id,
    CASE WHEN user_arn LIKE '%:root' THEN '<root_account>' ELSE arn_name(user_arn) END AS user_name,
    footprint.via,
    footprint.source,
    network_label(footprint.source) AS network,
    network_kind(footprint.source) AS network_kind,
    network_asn(footprint.source) AS network_asn,
    network_as_name(footprint.source) AS network_as_name,
    network_country(footprint.source) AS network_country,
    footprint.agent,
    footprint.in_scope_of,
    footprint.caller,
    -- Taken from the actions: a second list for each group would be held in memory beside the first.
    array_distinct(string_to_array(regexp_replace(array_to_string(footprint.actions, ','), ':[^,]*', '', 'g'), ',')) AS services,
    array_slice(footprint.actions, 1, 50) AS actions,
    array_length(footprint.actions) AS distinct_actions,
    roles_taken.roles,
    footprint.first_used,
    footprint.last_used,
    footprint.days_active,
    footprint.calls,
    footprint.errors,
    round(calls_off_hours / greatest(1.0, calls), 2) AS off_hours_share,
    coalesce(held.coverage, 0.0) AS coverage,
    array_distinct(make_array(first_event_id, last_event_id)) AS evidence_event_ids
FROM footprint
LEFT JOIN roles_taken
    ON footprint.access_key_id = roles_taken.access_key_id
    AND footprint.via = roles_taken.via
    AND coalesce(footprint.source, '') = roles_taken.source
    AND coalesce(footprint.agent, '') = roles_taken.agent
LEFT JOIN held ON footprint.account_id = held.account_id
WHERE ($account IS NULL OR footprint.account_id = $account)
    AND ($role IS NULL OR coalesce(roles_taken.took_role, false))
ORDER BY footprint.access_key_id, footprint.via, footprint.calls DESC, footprint.source, footprint.agent, footprint.in_scope_of
