//! Functions that people and views use in SQL: parts of ARNs, addresses in networks, role names.
//!
//! Each is a pure function of its arguments, null where it can't say. The shapes they read are those
//! that CloudTrail writes; nothing here looks into a table.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int64Array, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, TimeUnit};
use datafusion::error::Result;
use datafusion::logical_expr::{AggregateUDF, ColumnarValue, ScalarUDF, Volatility, create_udf};
use datafusion::prelude::SessionContext;

pub(crate) mod agent;
pub(crate) mod arn;
mod changes;
mod codes;
pub(crate) mod databases;
pub(crate) mod glob;
mod hours;
mod ip;
mod lists;
pub(crate) mod networks;
mod refusal;
mod roaming;

use self::arn::RolePattern;
use self::networks::Networks;

const MICROS_PER_DAY: i64 = 86_400_000_000;

/// A function as `rolecall schema` and completion show it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct FunctionDoc {
    /// Name, as in SQL.
    pub name: &'static str,
    /// Name and arguments.
    pub usage: &'static str,
    /// What it answers, in one line.
    pub comment: &'static str,
}

/// The functions that are ours, beside DataFusion's own.
pub const FUNCTIONS: [FunctionDoc; 24] = [
    FunctionDoc {
        name: "agent_family",
        usage: "agent_family(user_agent)",
        comment: "Program behind a user agent, without versions: aws-cli, boto3, terraform, browser, …",
    },
    FunctionDoc {
        name: "arn_account",
        usage: "arn_account(arn)",
        comment: "Account id in an ARN; null where it names none",
    },
    FunctionDoc {
        name: "arn_name",
        usage: "arn_name(arn)",
        comment: "Name of the user or role in an ARN, without path; for a session, its role's name",
    },
    FunctionDoc {
        name: "arn_session",
        usage: "arn_session(arn)",
        comment: "Session name in the ARN of an assumed role or federated user, else null",
    },
    FunctionDoc {
        name: "change_kind",
        usage: "change_kind(service, action)",
        comment: "What a call changes: iam, trails, network, data, or other; null for what only reads or uses",
    },
    FunctionDoc {
        name: "codes",
        usage: "codes(code, condition, …)",
        comment: "List of the codes whose condition holds, in the order in which they are given",
    },
    FunctionDoc {
        name: "counted",
        usage: "counted(number, noun)",
        comment: "A number with its noun, in the plural where there is not one: 1 day, 2 days",
    },
    FunctionDoc {
        name: "days_between",
        usage: "days_between(start, end)",
        comment: "Whole days from one time to another; 0 where end is before start",
    },
    FunctionDoc {
        name: "ever_new_places",
        usage: "ever_new_places(place, days, kinds)",
        comment: "Aggregate: how alike the kinds of work are that ever new places are seen doing, 0 to 1; null where places come back",
    },
    FunctionDoc {
        name: "glob_is",
        usage: "glob_is(text, pattern)",
        comment: "Whether a text has the form of a pattern with * for any text and ? for one character; null: any",
    },
    FunctionDoc {
        name: "ip_in",
        usage: "ip_in(ip, cidr)",
        comment: "Whether an address lies in a network such as 10.0.0.0/8 or 2001:db8::/32",
    },
    FunctionDoc {
        name: "listed",
        usage: "listed(list, n)",
        comment: "The first n of a list of texts, and how many there are more",
    },
    FunctionDoc {
        name: "network_as_name",
        usage: "network_as_name(ip)",
        comment: "Operator of the autonomous system that announces an address, by --asn-database; else null",
    },
    FunctionDoc {
        name: "network_asn",
        usage: "network_asn(ip)",
        comment: "Number of the autonomous system that announces an address, by --asn-database; else null",
    },
    FunctionDoc {
        name: "network_block",
        usage: "network_block(ip)",
        comment: "The /24 that an address lies in, for IPv6 the /48",
    },
    FunctionDoc {
        name: "network_country",
        usage: "network_country(ip)",
        comment: "Country of an address in two letters, by --country-database; else null",
    },
    FunctionDoc {
        name: "network_kind",
        usage: "network_kind(ip)",
        comment: "Kind (office, vpn, nat, aws, ci, vendor) of the smallest network of --networks that holds an address",
    },
    FunctionDoc {
        name: "network_label",
        usage: "network_label(ip)",
        comment: "Label of the smallest network of --networks, or of the settings, that holds an address; else null",
    },
    FunctionDoc {
        name: "network_place",
        usage: "network_place(ip)",
        comment: "Where an address is: label of --networks, else its autonomous system, else AWS's own range, else its block",
    },
    FunctionDoc {
        name: "off_hours",
        usage: "off_hours(time, zone)",
        comment: "Whether it is between 21 and 5 o'clock, or a weekend, in a zone such as Europe/Berlin",
    },
    FunctionDoc {
        name: "refused_action",
        usage: "refused_action(error_message)",
        comment: "The action that a message says was refused, as sts:TagSession; null where it does not",
    },
    FunctionDoc {
        name: "refused_by",
        usage: "refused_by(error_message)",
        comment: "What refused a call, in the message's own words: explicit deny in a …, or no … policy; else null",
    },
    FunctionDoc {
        name: "refused_policy",
        usage: "refused_policy(error_message)",
        comment: "ARN of the policy that refused a call, where the message names it; else null",
    },
    FunctionDoc {
        name: "role_is",
        usage: "role_is(account_id, role_name, wanted)",
        comment: "Whether a role is the wanted one, given as ARN, account/name or name; null: any",
    },
];

/// Makes the functions known to `context`.
pub(crate) fn register(context: &SessionContext, networks: &Networks) {
    context.register_udf(text_function("arn_account", arn::account));
    context.register_udf(text_function("arn_name", arn::name));
    context.register_udf(text_function("arn_session", arn::session));
    context.register_udf(text_function("agent_family", agent::family));
    context.register_udf(text_function("refused_action", refusal::action));
    context.register_udf(text_function("refused_by", refusal::by));
    context.register_udf(text_function("refused_policy", refusal::policy));
    context.register_udf(counted());
    context.register_udf(days_between());
    context.register_udf(role_is());
    context.register_udf(glob::function());
    context.register_udf(changes::function());
    context.register_udf(ScalarUDF::from(codes::Codes::new()));
    context.register_udf(hours::function());
    context.register_udf(ScalarUDF::from(ip::IpIn::new()));
    context.register_udf(ScalarUDF::from(lists::Listed::new()));
    context.register_udaf(AggregateUDF::from(roaming::EverNewPlaces::new()));
    for function in networks::functions(networks) {
        context.register_udf(function);
    }
}

/// A function from text to a part of that text.
fn text_function(name: &str, part: fn(&str) -> Option<&str>) -> ScalarUDF {
    let apply = move |arguments: &[ColumnarValue]| -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(arguments)?;
        let text = cast(&arrays[0], &DataType::Utf8)?;
        // Neighbouring rows often hold the same text: it is looked at once.
        let mut last = None;
        let parts: StringArray = text
            .as_string::<i32>()
            .iter()
            .map(|value| match last {
                Some((seen, found)) if seen == value => found,
                _ => {
                    let found = value.and_then(part);
                    last = Some((value, found));
                    found
                }
            })
            .collect();
        same_shape(arguments, Arc::new(parts))
    };
    create_udf(name, vec![DataType::Utf8], DataType::Utf8, Volatility::Immutable, Arc::new(apply))
}

fn counted() -> ScalarUDF {
    let apply = |arguments: &[ColumnarValue]| -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(arguments)?;
        let (numbers, nouns) =
            (cast(&arrays[0], &DataType::Int64)?, cast(&arrays[1], &DataType::Utf8)?);
        let numbers = numbers.as_primitive::<Int64Type>().iter();
        let texts: StringArray = numbers
            .zip(nouns.as_string::<i32>())
            .map(|(number, noun)| {
                let (number, noun) = (number?, noun?);
                Some(format!("{number} {noun}{}", if number == 1 { "" } else { "s" }))
            })
            .collect();
        same_shape(arguments, Arc::new(texts))
    };
    create_udf(
        "counted",
        vec![DataType::Int64, DataType::Utf8],
        DataType::Utf8,
        Volatility::Immutable,
        Arc::new(apply),
    )
}

fn days_between() -> ScalarUDF {
    let apply = |arguments: &[ColumnarValue]| -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(arguments)?;
        let (start, end) =
            (cast(&arrays[0], &DataType::Int64)?, cast(&arrays[1], &DataType::Int64)?);
        let (start, end) = (start.as_primitive::<Int64Type>(), end.as_primitive::<Int64Type>());
        let days: Int64Array = (0..start.len())
            .map(|row| {
                let known = !start.is_null(row) && !end.is_null(row);
                known.then(|| {
                    end.value(row).saturating_sub(start.value(row)).max(0) / MICROS_PER_DAY
                })
            })
            .collect();
        same_shape(arguments, Arc::new(days))
    };
    let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    create_udf(
        "days_between",
        vec![time; 2],
        DataType::Int64,
        Volatility::Immutable,
        Arc::new(apply),
    )
}

fn role_is() -> ScalarUDF {
    let apply = |arguments: &[ColumnarValue]| -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(arguments)?;
        let [accounts, names, wanted] = [0, 1, 2].map(|at| cast(&arrays[at], &DataType::Utf8));
        let (accounts, names, wanted) = (accounts?, names?, wanted?);
        let (accounts, names) = (accounts.as_string::<i32>(), names.as_string::<i32>());
        let wanted = wanted.as_string::<i32>();
        let matches: BooleanArray = (0..names.len())
            .map(|row| {
                let value = |array: &StringArray| {
                    (!array.is_null(row)).then(|| array.value(row).to_owned())
                };
                let Some(wanted) = value(wanted) else { return Some(true) };
                let (account, name) = (value(accounts), value(names));
                Some(RolePattern::parse(&wanted).matches(account.as_deref(), name.as_deref()))
            })
            .collect();
        same_shape(arguments, Arc::new(matches))
    };
    create_udf(
        "role_is",
        vec![DataType::Utf8; 3],
        DataType::Boolean,
        Volatility::Immutable,
        Arc::new(apply),
    )
}

/// Constants in, constant out: lets the optimiser fold calls on literals.
fn same_shape(arguments: &[ColumnarValue], result: ArrayRef) -> Result<ColumnarValue> {
    let constant = arguments.iter().all(|argument| matches!(argument, ColumnarValue::Scalar(_)));
    if constant && result.len() == 1 {
        let value = datafusion::scalar::ScalarValue::try_from_array(&result, 0)?;
        return Ok(ColumnarValue::Scalar(value));
    }
    Ok(ColumnarValue::Array(result))
}

#[cfg(test)]
mod tests;
