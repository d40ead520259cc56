-- title: assumptions
-- comment: One row per act of taking a role, success or failure, however many records tell of it
-- columns:
--   event_id: event id of the leading record: the copy that names the caller; for a console switch, of its AssumeRole
--   event_ids: event ids of all records of the act, each once
--   event_time: when the call was completed
--   event_date: day of event_time in UTC
--   event_source: service that was called
--   event_name: call that was made
--   method: assume_role, chained_role, service, saml, web_identity, assume_root, console_switch or roles_anywhere; of refusals, also
--     pod_identity and identity_center, which lead to one of the others where they go through
--   caller: who took the role, without session: user, role or root ARN, service, provider/subject, certificate, or
--     account/unique id where the record masks the caller
--   caller_type: kind of the calling identity: as in the leading record; for a switch without its AssumeRole, of whom
--     the record names as switching
--   caller_arn: ARN of the caller, session included; null where no record names it
--   caller_account_id: account of the caller; null for services and federated callers
--   caller_principal_id: unique id of the caller; for a role session, role id:session name
--   caller_session_name: name of the calling session, as its maker chose it
--   caller_access_key_id: access key that signed the call
--   caller_resolved_by: how the caller is known: record, shared_event (the other account's copy), switch_role (the
--     console's record), principal_id (the same unique id is named elsewhere), or none
--   identity_provider: OIDC or SAML provider of a federated caller
--   federated_subject: subject that the provider vouched for
--   role: the role: its ARN, else account/name; null for AssumeRoot
--   role_arn: ARN of the role in the leading record
--   role_arn_source: where role_arn was found: request, resource, error_message or identity
--   role_account_id: account that owns the role; for AssumeRoot, the target account
--   role_name: name of the role, without path
--   role_id: unique id of the role, where the record carries it
--   known_role_id: the same; where the record does not carry it, of the only role that is known to have had the name then
--   session_name: name of the new session, as the caller chose it
--   session_arn: ARN of the new session
--   issued_access_key_id: access key id that the call handed out
--   issued_expiration: when the handed-out credentials expire
--   duration_seconds: how long a session was asked for, in seconds; null means the default
--   external_id: external id given with the call
--   mfa: whether the log shows multi-factor authentication; false also where it is not known
--   source_identity: source identity of the new session
--   session_tags: session tags
--   session_policy: inline session policy, as JSON text
--   target_principal: account or root ARN that AssumeRoot was aimed at
--   source_ip: address that the call came from; for a console switch, the person's
--   source_service: AWS service that the call came from, where there is no address
--   user_agent: user agent of the call, as sent by the client; for a console switch, the person's browser
--   aws_region: region that the call was made to
--   recipient_account_ids: accounts whose trails recorded the act
--   outcome: success or failure
--   error_code: error that the service answered
--   error_message: the error in words
--   cross_account: whether caller and role are known to lie in different accounts
--   copies: records merged into this row; repeated deliveries are not counted

SELECT
    event_id,
    event_ids,
    event_time,
    event_date,
    event_source,
    event_name,
    method,
    caller,
    caller_type,
    caller_arn,
    caller_account_id,
    caller_principal_id,
    caller_session_name,
    caller_access_key_id,
    caller_resolved_by,
    identity_provider,
    federated_subject,
    role,
    role_arn,
    role_arn_source,
    role_account_id,
    role_name,
    role_id,
    coalesce(nullif(split_part(role_id, ':', 1), ''), known_role_id) AS known_role_id,
    session_name,
    session_arn,
    issued_access_key_id,
    issued_expiration,
    duration_seconds,
    external_id,
    mfa,
    source_identity,
    session_tags,
    session_policy,
    target_principal,
    source_ip,
    source_service,
    user_agent,
    aws_region,
    recipient_account_ids,
    outcome,
    error_code,
    error_message,
    coalesce(method <> 'service' AND caller_account_id <> role_account_id, false) AS cross_account,
    copies
FROM acts
WHERE method IS NOT NULL
