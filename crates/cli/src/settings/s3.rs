//! How S3 is reached: by the lake's object store and by the AWS SDK alike.

use std::collections::HashMap;
use std::fmt;

use super::{Raw, S3_ENDPOINT, S3_PATH_STYLE, S3_REGION, Sources, parse};
use crate::exit::Usage;

/// S3 settings. Without credentials here, the AWS SDK's own chain (profile, SSO, instance role)
/// finds them.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct S3Settings {
    /// Another endpoint than Amazon's, such as `http://127.0.0.1:9000`.
    pub(crate) endpoint: Option<String>,
    /// The region.
    pub(crate) region: Option<String>,
    /// Whether the bucket is named in the path instead of the host name. It is, unless told
    /// otherwise, wherever the endpoint is not Amazon's.
    pub(crate) path_style: bool,
    credentials: Option<Credentials>,
}

#[derive(Clone, PartialEq, Eq)]
struct Credentials {
    access_key_id: String,
    secret_access_key: String,
    session_token: Option<String>,
}

/// These would replace the conditional put on which "exactly once" rests.
const FORBIDDEN: [&str; 2] = ["AWS_S3_ALLOW_UNSAFE_RENAME", "AWS_S3_LOCKING_PROVIDER"];

impl S3Settings {
    pub(super) fn load(from: &mut Sources<'_>) -> Result<Self, Usage> {
        for name in FORBIDDEN {
            if from.environment.get(name).is_some() {
                return Err(Usage::new(format!(
                    "environment variable {name} is set: it would turn off the conditional writes \
                     that keep two writers apart, unset it"
                )));
            }
        }
        let endpoint = from.given(&S3_ENDPOINT, endpoint)?;
        let path_style = from.given(&S3_PATH_STYLE, |raw| parse::boolean(&raw.text))?;
        Ok(Self {
            region: from.given(&S3_REGION, region)?,
            path_style: path_style.unwrap_or(endpoint.is_some()),
            credentials: credentials(from)?,
            endpoint,
        })
    }

    /// Whether the endpoint is plain HTTP, as a local one is.
    pub(crate) fn allows_http(&self) -> bool {
        self.endpoint.as_ref().is_some_and(|endpoint| endpoint.starts_with("http://"))
    }

    /// The options with which the object store opens `lake`; none for a folder.
    pub(crate) fn storage_options(&self, lake: &str) -> HashMap<String, String> {
        let Some(rest) = lake.strip_prefix("s3://") else { return HashMap::new() };
        let bucket = rest.split('/').next().unwrap_or_default();
        let mut options = HashMap::new();
        let mut set = |name: &str, value: &str| options.insert(name.to_owned(), value.to_owned());
        if let Some(region) = &self.region {
            set("aws_region", region);
        }
        set("aws_virtual_hosted_style_request", if self.path_style { "false" } else { "true" });
        if let Some(endpoint) = &self.endpoint {
            set("aws_allow_http", if self.allows_http() { "true" } else { "false" });
            // The object store takes the endpoint as it is: a bucket in the host name is ours to
            // put there.
            match endpoint.split_once("://") {
                Some((scheme, host)) if !self.path_style => {
                    set("aws_endpoint", &format!("{scheme}://{bucket}.{host}"));
                }
                _ => {
                    set("aws_endpoint", endpoint);
                }
            }
        }
        match &self.credentials {
            Some(credentials) => {
                set("aws_access_key_id", &credentials.access_key_id);
                set("aws_secret_access_key", &credentials.secret_access_key);
                if let Some(token) = &credentials.session_token {
                    set("aws_session_token", token);
                }
            }
            // With another endpoint, delta-rs would otherwise not ask the SDK for credentials.
            None if self.endpoint.is_some() => {
                set("AWS_FORCE_CREDENTIAL_LOAD", "true");
            }
            None => {}
        }
        options
    }
}

/// Says that there are credentials, not which.
impl fmt::Debug for S3Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Settings")
            .field("endpoint", &self.endpoint)
            .field("region", &self.region)
            .field("path_style", &self.path_style)
            .field("has_credentials", &self.credentials.is_some())
            .finish()
    }
}

fn endpoint(raw: &Raw) -> Result<String, String> {
    let text = raw.text.trim().trim_end_matches('/');
    let host = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    match host {
        Some(host) if !host.is_empty() && !host.contains([' ', '?', '#', '@']) => {
            Ok(text.to_owned())
        }
        _ => Err(format!(
            "'{}' is not an endpoint such as https://s3.example.com",
            crate::term::visible(text)
        )),
    }
}

fn region(raw: &Raw) -> Result<String, String> {
    let text = raw.text.trim();
    let well_formed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if !text.is_empty() && text.chars().all(well_formed) {
        Ok(text.to_owned())
    } else {
        Err(format!("'{}' is not a region such as eu-west-1", crate::term::visible(text)))
    }
}

/// The key pair of the environment; half a pair is a mistake that S3 would answer with a riddle.
fn credentials(from: &Sources<'_>) -> Result<Option<Credentials>, Usage> {
    let get = |name| from.environment.text(name).map(|text| text.map(str::to_owned));
    let session_token = get("AWS_SESSION_TOKEN")?;
    match (get("AWS_ACCESS_KEY_ID")?, get("AWS_SECRET_ACCESS_KEY")?) {
        (Some(access_key_id), Some(secret_access_key)) => {
            Ok(Some(Credentials { access_key_id, secret_access_key, session_token }))
        }
        (None, None) => Ok(None),
        (given, _) => {
            let (given, missing) = match given {
                Some(_) => ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
                None => ("AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID"),
            };
            Err(Usage::new(format!(
                "environment variable {given} is set but {missing} is not: set both or neither"
            )))
        }
    }
}
