-- title: Key footprint
-- question: Where is an access key used, by what, and for what?
-- with: keys, key_workloads
-- params:
--   as_of: timestamp = now; the answer's "now"; to counts from it
--   days: integer = 90; only the last so many days before to
--   from: timestamp = null; only records at or after this time, instead of days
--   to: timestamp = null; only records before this time; as_of if not given
--   account: text = null; only keys of this account
--   role: text = null; only callers that took this role with the key: ARN, account/name, or name
--   access_key: text = null; only this key
--   threshold_days: integer = 45; for state: a key that has been idle for more days than this is stale
--   grace_days: integer = 7; for state: a key that was never used and is younger than this is not yet called unused
--   max_inventory_days: integer = 7; for state: an inventory older than this proves no idleness
--   tz: text = UTC; zone in which nights and weekends are counted; --tz, where that is given
-- columns:
--   access_key_id: the key
--   account_id: account of its user
--   user_name: its user; <root_account> for root; null in sessions of GetFederationToken, whose records name no user
--   state: whether the key is in use, as stale-keys says; null for one that the logs show deleted
--   status: Active, Inactive or Expired, as stale-keys says
--   via: key (signed with the key itself) or session (in a session that it opened by GetSessionToken or GetFederationToken)
--   place: where the calls came from: what --networks or the settings call the network, else its autonomous system (with
--     --asn-database), else AWS's own range (with its ip-ranges.json in --networks), else the /24 or /48; hosted CI (AWS Lambda,
--     AWS ECS, where the user agent says so) for one program that does the same from ever new addresses; a service by its name
--   addresses: how many addresses
--   sources: the first five of them, or the service
--   network: what --networks or the settings call the network; null for a service, and where nothing names it
--   network_kind: office, vpn, nat, aws, ci or vendor, as --networks says; ci also for hosted CI
--   network_asn: autonomous system that announces the first address, with --asn-database
--   network_as_name: its operator
--   network_country: country of the first address, with --country-database
--   agent: program that made the calls, as its user agent says; see agent_family
--   in_scope_of: resource that the credentials were issued to, where the records say
--   caller: program and place, and resource, as key-migration counts callers; null where a service called for one of them
--   services: services called, as in actions
--   actions: calls made, as service:Action, the first twenty in order
--   distinct_actions: how many kinds of call
--   roles: roles taken, the first twenty
--   first_used: first record
--   last_used: last record
--   days_active: days with a record
--   calls: records, as delivered
--   errors: those with an error
--   off_hours_share: share of the calls between 21 and 5 o'clock or on a weekend, in the zone of tz: people sleep, jobs do not
--   coverage: days of the window that the account's logs cover, 0 to 1
--   evidence_event_ids: event ids of the first and the last use
-- subject: user_name
-- key: access_key_id, account_id, user_name, via, place, agent, in_scope_of
-- screen: access_key_id, user_name, state, agent, place, addresses, via, services, last_used, calls
-- pitfall: What a key does in sessions that it opened is signed with other keys: they count here. Data events that no trail records
--   do not: an empty answer is no proof of silence. And a user agent says what its sender likes, and a database of addresses
--   where a block is registered.

WITH roles_taken AS (
    SELECT
        access_key_id,
        via,
        place,
        agent,
        array_sort(array_agg(DISTINCT role)) AS roles,
        bool_or(is_wanted) AS took_role
    FROM (
        SELECT
            coalesce(parent_key_id, caller_access_key_id) AS access_key_id,
            CASE WHEN parent_key_id IS NULL THEN 'key' ELSE 'session' END AS via,
            -- Once for its place, and once for a program that roams.
            unnest(make_array(
                coalesce(network_place(source_ip), source_ip, source_service, ''),
                CASE WHEN network_label(source_ip) IS NULL THEN '*' END
            )) AS place,
            coalesce(agent_family(user_agent), '') AS agent,
            coalesce(role_arn, concat_ws('/', role_account_id, role_name)) AS role,
            role_is(role_account_id, role_name, $role) AS is_wanted
        FROM credential_events
        LEFT JOIN key_children
            ON caller_access_key_id = child_key_id AND event_time >= issued_time AND event_time <= expires
        WHERE outcome = 'success'
            AND event_name = 'AssumeRole'
            AND role_name IS NOT NULL
            AND event_time >= $from
            AND event_time < least($to, $as_of)
            AND (caller_access_key_id LIKE 'AKIA%' OR parent_key_id IS NOT NULL)
    ) AS taken
    WHERE place IS NOT NULL
    GROUP BY access_key_id, via, place, agent
),
footprint AS (
    SELECT *, array_sort(actions) AS all_actions, sources[1] AS first_source
    FROM key_callers
    WHERE $access_key IS NULL OR access_key_id = $access_key
)
SELECT
    footprint.access_key_id,
    footprint.account_id,
    CASE WHEN footprint.user_arn LIKE '%:root' THEN '<root_account>' ELSE arn_name(footprint.user_arn) END AS user_name,
    standing AS state,
    status,
    footprint.via,
    footprint.place,
    CASE WHEN caller IS NOT NULL THEN coalesce(arrow_cast(array_length(sources), 'Int64'), 0) END AS addresses,
    listed(sources, 5) AS sources,
    CASE WHEN NOT roams THEN network_label(first_source) END AS network,
    footprint.network_kind,
    CASE WHEN NOT roams THEN network_asn(first_source) END AS network_asn,
    CASE WHEN NOT roams THEN network_as_name(first_source) END AS network_as_name,
    CASE WHEN NOT roams THEN network_country(first_source) END AS network_country,
    footprint.agent,
    footprint.in_scope_of,
    footprint.caller,
    -- Taken from the actions: a second list for each group would be held in memory beside the first.
    listed(array_distinct(string_to_array(regexp_replace(array_to_string(all_actions, ','), ':[^,]*', '', 'g'), ',')), 20) AS services,
    listed(all_actions, 20) AS actions,
    array_length(all_actions) AS distinct_actions,
    listed(roles_taken.roles, 20) AS roles,
    footprint.first_used,
    footprint.last_used,
    arrow_cast(array_length(footprint.days), 'Int64') AS days_active,
    footprint.calls,
    footprint.errors,
    round(calls_off_hours / greatest(1.0, calls), 2) AS off_hours_share,
    coalesce(held.coverage, 0.0) AS coverage,
    array_distinct(make_array(first_event_id, last_event_id)) AS evidence_event_ids
FROM footprint
LEFT JOIN roles_taken
    ON footprint.access_key_id = roles_taken.access_key_id
    AND footprint.via = roles_taken.via
    AND coalesce(CASE WHEN roams THEN '*' ELSE footprint.place END, '') = roles_taken.place
    AND coalesce(footprint.agent, '') = roles_taken.agent
LEFT JOIN (SELECT access_key_id AS judged_key, standing, status FROM keys) AS judged ON footprint.access_key_id = judged_key
LEFT JOIN held ON footprint.account_id = held.account_id
WHERE ($account IS NULL OR footprint.account_id = $account)
    AND ($role IS NULL OR coalesce(roles_taken.took_role, false))
ORDER BY footprint.access_key_id, footprint.via, footprint.calls DESC, footprint.place, footprint.agent, footprint.in_scope_of
