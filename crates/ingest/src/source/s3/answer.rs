//! What an error of S3 means: where the bucket is, and what kind of failure it is.
//!
//! Codes: <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>.

use aws_sdk_s3::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};

use crate::error::FetchFailure;
use crate::objects::Object;

pub(crate) type Response = aws_sdk_s3::config::http::HttpResponse;

/// Says where a bucket is, on errors as well.
const REGION_HEADER: &str = "x-amz-bucket-region";

/// Code and message where the service answered, else what kept it from answering.
pub(crate) fn describe<E>(error: &SdkError<E, Response>) -> String
where
    E: std::error::Error + ProvideErrorMetadata + 'static,
{
    match (error.code(), error.message()) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        (Some(code), None) => code.to_owned(),
        _ => DisplayErrorContext(error).to_string(),
    }
}

/// Whether the error says that the request went to the wrong region.
pub(super) fn is_of_another_region<E: ProvideErrorMetadata>(error: &SdkError<E, Response>) -> bool {
    let status = error.raw_response().map(|response| response.status().as_u16());
    matches!(status, Some(301 | 307))
        || matches!(
            error.code(),
            Some(
                "PermanentRedirect"
                    | "TemporaryRedirect"
                    | "AuthorizationHeaderMalformed"
                    | "IllegalLocationConstraintException"
            )
        )
}

/// The region that an answer names, in its header or its text.
pub(super) fn region_named(response: &Response) -> Option<String> {
    let from_header = response.headers().get(REGION_HEADER);
    let text = response.body().bytes().and_then(|bytes| std::str::from_utf8(bytes).ok());
    let from_text = || {
        let (_, after) = text?.split_once("<Region>")?;
        Some(after.split_once("</Region>")?.0)
    };
    let region = from_header.or_else(from_text)?;
    let well_formed = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
    (!region.is_empty() && region.bytes().all(well_formed)).then(|| region.to_owned())
}

/// What kind of failure an error is.
pub(super) fn failure<E: ProvideErrorMetadata>(error: &SdkError<E, Response>) -> FetchFailure {
    let status = error.raw_response().map(|response| response.status().as_u16());
    match error {
        SdkError::ConstructionFailure(_) => FetchFailure::Invalid,
        _ => failure_of(error.code(), error.message(), status),
    }
}

fn failure_of(code: Option<&str>, message: Option<&str>, status: Option<u16>) -> FetchFailure {
    use FetchFailure::{
        Archived, Denied, Invalid, Kms, NoSuchBucket, NoSuchKey, NoSuchVersion, Server, Throttled,
        Unreachable,
    };
    let about_kms = |text: &str| text.contains("kms:") || text.contains("KMS");
    match code.unwrap_or_default() {
        "SlowDown"
        | "ServiceUnavailable"
        | "RequestLimitExceeded"
        | "TooManyRequests"
        | "RequestThrottled"
        | "BandwidthLimitExceeded" => return Throttled,
        code if code.contains("Throttling") => return Throttled,
        "NoSuchKey" => return NoSuchKey,
        // A version that is a deletion cannot be fetched.
        "NoSuchVersion" | "MethodNotAllowed" => return NoSuchVersion,
        "NoSuchBucket" => return NoSuchBucket,
        "InvalidObjectState" => return Archived,
        "InternalError" => return Server,
        "RequestTimeout" | "BadDigest" => return Unreachable,
        code if code.starts_with("KMS.") || code.contains("Kms") => return Kms,
        "AccessDenied" if message.is_some_and(about_kms) => return Kms,
        "AccessDenied"
        | "AllAccessDisabled"
        | "AccountProblem"
        | "InvalidAccessKeyId"
        | "SignatureDoesNotMatch"
        | "ExpiredToken"
        | "InvalidToken"
        | "TokenRefreshRequired"
        | "RequestTimeTooSkewed"
        | "NotSignedUp"
        | "UnauthorizedAccess"
        | "PermanentRedirect"
        | "AuthorizationHeaderMalformed" => return Denied,
        _ => {}
    }
    match status {
        Some(404) => NoSuchKey,
        Some(301 | 307 | 401 | 403) => Denied,
        Some(405) => NoSuchVersion,
        Some(408) | None => Unreachable,
        Some(429 | 503) => Throttled,
        Some(500..) => Server,
        Some(_) => Invalid,
    }
}

/// Whether S3 can be asked for it at all. A message may say anything; an ARN in the place of a bucket would
/// send us elsewhere.
pub(super) fn can_be_asked_for(object: &Object) -> bool {
    let (bucket, key) = (object.bucket.as_bytes(), object.key.as_bytes());
    let of_a_name = |c: &u8| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'-' | b'_');
    (3..=255).contains(&bucket.len())
        && bucket.iter().all(of_a_name)
        && (1..=1_024).contains(&key.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_before_status() {
        for (code, message, status, expect) in [
            (Some("SlowDown"), None, Some(503), FetchFailure::Throttled),
            (Some("ThrottlingException"), None, Some(400), FetchFailure::Throttled),
            (Some("KMS.ThrottlingException"), None, Some(400), FetchFailure::Throttled),
            (Some("KMS.DisabledException"), None, Some(400), FetchFailure::Kms),
            (
                Some("AccessDenied"),
                Some("not authorized to perform: kms:Decrypt on this resource"),
                Some(403),
                FetchFailure::Kms,
            ),
            (Some("AccessDenied"), Some("Access Denied"), Some(403), FetchFailure::Denied),
            (Some("ExpiredToken"), None, Some(400), FetchFailure::Denied),
            (Some("NoSuchKey"), None, Some(404), FetchFailure::NoSuchKey),
            (Some("NoSuchVersion"), None, Some(404), FetchFailure::NoSuchVersion),
            (Some("MethodNotAllowed"), None, Some(405), FetchFailure::NoSuchVersion),
            (Some("NoSuchBucket"), None, Some(404), FetchFailure::NoSuchBucket),
            (Some("InvalidObjectState"), None, Some(403), FetchFailure::Archived),
            (Some("InternalError"), None, Some(500), FetchFailure::Server),
            (None, None, Some(502), FetchFailure::Server),
            (None, None, Some(503), FetchFailure::Throttled),
            (None, None, Some(403), FetchFailure::Denied),
            (None, None, Some(404), FetchFailure::NoSuchKey),
            (Some("InvalidArgument"), None, Some(400), FetchFailure::Invalid),
            (None, None, None, FetchFailure::Unreachable),
        ] {
            assert_eq!(failure_of(code, message, status), expect, "{code:?} {status:?}");
        }
    }

    #[test]
    fn what_names_no_object() {
        let ask = |bucket: &str, key: &str| {
            let (bucket, key) = (bucket.to_owned(), key.to_owned());
            can_be_asked_for(&Object { bucket, key, version_id: None })
        };
        assert!(ask("trail.logs-1", "a b/ü+.json.gz"));
        assert!(!ask("arn:aws:s3:us-east-1:1:accesspoint/x", "k"));
        assert!(!ask("a/b", "k"));
        assert!(!ask("", "k"));
        assert!(!ask("trail", ""));
        assert!(!ask("trail", &"k".repeat(1_025)));
    }
}
