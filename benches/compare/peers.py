"""What rolecall's ingest does, as far as SQL goes, in DuckDB and in chDB.

Every *.json.gz of a folder is read once; credential events with their main columns and activity
aggregated per file go to two Parquet files, zstd, on two threads. chDB reads into typed
`Array(Tuple(...))` columns, its strongest form; DuckDB into explicit columns.

    peers.py duckdb|chdb FOLDER OUT     prints rows of both files
    peers.py duckdb|chdb --start-only   starts the engine and stops: what to take off the above
"""
import sys

THREADS = 2

# name -> type; a dict is a nested object. Only what the queries below look at.
TEXT = None
RECORD = {
    "eventVersion": TEXT,
    "userIdentity": {
        "type": TEXT, "principalId": TEXT, "arn": TEXT, "accountId": TEXT, "accessKeyId": TEXT,
        "userName": TEXT, "invokedBy": TEXT, "identityProvider": TEXT,
        "sessionContext": {
            "sessionIssuer": {"type": TEXT, "principalId": TEXT, "arn": TEXT},
            "attributes": {"creationDate": TEXT, "mfaAuthenticated": TEXT},
            "sourceIdentity": TEXT,
        },
    },
    "eventTime": TEXT, "eventSource": TEXT, "eventName": TEXT, "awsRegion": TEXT,
    "sourceIPAddress": TEXT, "userAgent": TEXT, "errorCode": TEXT, "errorMessage": TEXT,
    "requestParameters": {"roleArn": TEXT, "roleSessionName": TEXT, "durationSeconds": TEXT, "externalId": TEXT},
    "responseElements": {
        "credentials": {"accessKeyId": TEXT, "expiration": TEXT},
        "assumedRoleUser": {"arn": TEXT, "assumedRoleId": TEXT},
    },
    "requestID": TEXT, "eventID": TEXT, "sharedEventID": TEXT, "recipientAccountId": TEXT,
    "eventCategory": TEXT,
}

CREDENTIAL_EVENTS = {
    "sts": ["AssumeRole", "AssumeRoleWithSAML", "AssumeRoleWithWebIdentity", "AssumeRoot", "GetSessionToken",
            "GetFederationToken", "GetDelegatedAccessToken"],
    "signin": ["ConsoleLogin", "SwitchRole", "ExitRole", "RenewRole", "GetSigninToken", "CreateOAuth2Token"],
    "sso": ["Federate", "GetRoleCredentials"],
    "rolesanywhere": ["CreateSession"],
    "eks-auth": ["AssumeRoleForPodIdentity"],
    "cognito-identity": ["GetCredentialsForIdentity"],
}

# column -> path in the record
CREDENTIAL_COLUMNS = {
    "event_id": "eventID", "shared_event_id": "sharedEventID", "request_id": "requestID",
    "event_time": "eventTime", "event_source": "eventSource", "event_name": "eventName",
    "event_version": "eventVersion", "aws_region": "awsRegion",
    "recipient_account_id": "recipientAccountId", "caller_type": "userIdentity.type",
    "caller_arn": "userIdentity.arn", "caller_principal_id": "userIdentity.principalId",
    "caller_account_id": "userIdentity.accountId", "caller_user_name": "userIdentity.userName",
    "caller_access_key_id": "userIdentity.accessKeyId",
    "caller_issuer_arn": "userIdentity.sessionContext.sessionIssuer.arn",
    "caller_session_created": "userIdentity.sessionContext.attributes.creationDate",
    "caller_invoked_by": "userIdentity.invokedBy", "identity_provider": "userIdentity.identityProvider",
    "role_arn": "requestParameters.roleArn", "session_name": "requestParameters.roleSessionName",
    "duration_seconds": "requestParameters.durationSeconds", "external_id": "requestParameters.externalId",
    "session_arn": "responseElements.assumedRoleUser.arn",
    "assumed_role_id": "responseElements.assumedRoleUser.assumedRoleId",
    "issued_access_key_id": "responseElements.credentials.accessKeyId",
    "issued_expiration": "responseElements.credentials.expiration",
    "source_ip": "sourceIPAddress", "user_agent": "userAgent", "error_code": "errorCode",
    "error_message": "errorMessage",
}
ACTIVITY_COLUMNS = {
    "access_key_id": "userIdentity.accessKeyId", "principal_type": "userIdentity.type",
    "principal_id": "userIdentity.principalId", "principal_arn": "userIdentity.arn",
    "account_id": "userIdentity.accountId", "user_name": "userIdentity.userName",
    "role_arn": "userIdentity.sessionContext.sessionIssuer.arn",
    "role_id": "userIdentity.sessionContext.sessionIssuer.principalId",
    "session_created": "userIdentity.sessionContext.attributes.creationDate",
    "source_identity": "userIdentity.sessionContext.sourceIdentity",
    "invoked_by": "userIdentity.invokedBy", "mfa": "userIdentity.sessionContext.attributes.mfaAuthenticated",
    "event_source": "eventSource", "event_name": "eventName", "event_category": "eventCategory",
    "aws_region": "awsRegion", "recipient_account_id": "recipientAccountId", "error_code": "errorCode",
    "source_ip": "sourceIPAddress", "user_agent": "userAgent",
}


def is_credential_event(source, name):
    return " OR ".join(
        f"({source} = '{service}.amazonaws.com' AND {name} IN ({', '.join(repr(event) for event in events)}))"
        for service, events in CREDENTIAL_EVENTS.items())


def queries(table, path, file, any_value):
    """Both SELECTs; `path` writes a path in the record, `file` names the column of the file's name."""
    credential = ", ".join(f"{path(source)} AS {column}" for column, source in CREDENTIAL_COLUMNS.items())
    keys = ", ".join(f"{path(source)} AS {column}" for column, source in ACTIVITY_COLUMNS.items())
    return (
        f"SELECT {credential}, {file} AS log_file FROM {table} "
        f"WHERE {is_credential_event(path('eventSource'), path('eventName'))}",
        f"SELECT substring({path('eventTime')}, 1, 13) AS hour, {keys}, {file} AS log_file, "
        f"count(*) AS event_count, min({path('eventTime')}) AS first_time, max({path('eventTime')}) AS last_time, "
        f"{any_value}({path('eventID')}) AS sample_event_id FROM {table} GROUP BY ALL",
    )


def duckdb_main(folder, out):
    import duckdb

    def struct(fields):
        return "STRUCT(" + ", ".join(
            f"{name} {'VARCHAR' if kind is TEXT else struct(kind)}" for name, kind in fields.items()) + ")"

    connection = duckdb.connect()
    connection.execute(f"SET threads = {THREADS}")
    if folder is None:
        return connection.execute("SELECT 1").fetchall()
    connection.execute(
        f"CREATE TEMP TABLE records AS SELECT filename, unnest(Records) AS r FROM read_json('{folder}/*.json.gz', "
        f"columns = {{Records: '{struct(RECORD)}[]'}}, filename = true, format = 'unstructured', "
        f"maximum_object_size = 300000000)")
    names = ["credential", "activity"]
    for name, query in zip(names, queries("records", lambda path: "r." + path, "filename", "any_value")):
        connection.execute(f"COPY ({query}) TO '{out}/{name}.parquet' (FORMAT parquet, COMPRESSION zstd)")
    return [connection.execute(f"SELECT count(*) FROM '{out}/{name}.parquet'").fetchone()[0] for name in names]


def chdb_main(folder, out):
    from chdb import session

    def columns(fields):
        return "Tuple(" + ", ".join(
            f"{name} {'Nullable(String)' if kind is TEXT else columns(kind)}" for name, kind in fields.items()) + ")"

    engine = session.Session()
    if folder is None:
        return engine.query("SELECT 1", "CSV")
    settings = (
        f"SETTINGS max_threads = {THREADS}, input_format_json_ignore_unknown_keys_in_named_tuple = 1, "
        "input_format_json_defaults_for_missing_elements_in_named_tuple = 1, input_format_null_as_default = 1, "
        "output_format_parquet_compression_method = 'zstd', engine_file_truncate_on_insert = 1")
    engine.query("CREATE DATABASE IF NOT EXISTS d")
    engine.query(
        f"CREATE TABLE d.records ENGINE = Memory AS SELECT _file AS file, arrayJoin(Records) AS r "
        f"FROM file('{folder}/*.json.gz', 'JSONEachRow', 'Records Array({columns(RECORD)})') {settings}")
    names = ["credential", "activity"]
    for name, query in zip(names, queries("d.records", lambda path: "r." + path, "file", "any")):
        engine.query(f"INSERT INTO FUNCTION file('{out}/{name}.parquet', 'Parquet') {query} {settings}")
    return [int(str(engine.query(f"SELECT count() FROM file('{out}/{name}.parquet', 'Parquet')", "CSV")).strip())
            for name in names]


def main(arguments):
    engine = {"duckdb": duckdb_main, "chdb": chdb_main}[arguments[0]]
    rows = engine(None, None) if arguments[1] == "--start-only" else engine(arguments[1], arguments[2])
    print(rows)


if __name__ == "__main__":
    main(sys.argv[1:])
