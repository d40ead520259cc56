-- title: Assumptions
-- question: Who took which role, when, from where, and how?
-- params:
--   as_of: timestamp = now; the answer's "now"; to counts from it
--   days: integer = null; only the last so many days before to
--   from: timestamp = null; only acts at or after this time
--   to: timestamp = null; only acts before this time; as_of if not given
--   account: text = null; only roles or callers of this account
--   role: text = null; only this role: ARN, account/name, or name
-- columns:
--   event_time: when the call was completed
--   caller: who took the role, without session
--   caller_kind: kind of the calling identity
--   caller_session_name: name of the calling session, as its maker chose it
--   caller_account_id: account of the caller
--   caller_resolved_by: how the caller is known: record, shared_event, switch_role, principal_id or none
--   role: the role; for AssumeRoot, the target
--   session_name: name of the new session, as the caller chose it
--   method: how the role was taken
--   outcome: success or failure
--   error_code: error that the service answered
--   source: address, else service, that the call came from
--   network: what the address is called, in --networks or the settings; null for a service, and where nothing names it
--   user_agent: user agent of the call, as sent by the client
--   mfa: whether the log shows multi-factor authentication
--   with_external_id: whether an external id was given
--   source_identity: source identity of the new session
--   cross_account: whether caller and role lie in different accounts
--   aws_region: region that the call was made to
--   event_id: event id of the leading record
--   event_ids: event ids of all records of the act
-- subject: caller
-- key: event_id
-- screen: event_time, caller, role, method, outcome, source
-- pitfall: A call between two accounts is recorded in both, and a console switch twice more: counting records counts
--   acts double. And the role owner's record hides the caller's ARN.

SELECT
    event_time,
    caller,
    caller_type AS caller_kind,
    caller_session_name,
    caller_account_id,
    caller_resolved_by,
    coalesce(role, target_principal) AS role,
    session_name,
    method,
    outcome,
    error_code,
    coalesce(source_ip, source_service) AS source,
    network_label(source_ip) AS network,
    user_agent,
    mfa,
    external_id IS NOT NULL AS with_external_id,
    source_identity,
    cross_account,
    aws_region,
    event_id,
    event_ids
FROM assumptions
WHERE event_time >= $from
    AND event_time < $to
    AND ($account IS NULL OR role_account_id = $account OR caller_account_id = $account)
    AND role_is(role_account_id, role_name, $role)
ORDER BY event_time, event_id, event_name, caller, role, session_name
