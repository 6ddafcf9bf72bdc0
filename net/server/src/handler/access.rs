//! Access rules. A node that is told of an authorizer does not start, so that there is none here: rules that
//! nobody holds anybody to are not taken, as with Kafka. What has no meaning ends the connection, as with it.

use std::ops::RangeInclusive;

use wire::ErrorCode;
use wire::messages::create_acls_response::AclCreationResult;
use wire::messages::delete_acls_response::DeleteAclsFilterResult;
use wire::messages::{
    CreateAclsRequest, CreateAclsResponse, DeleteAclsRequest, DeleteAclsResponse,
    DescribeAclsRequest, DescribeAclsResponse,
};

const RESOURCES: RangeInclusive<i8> = 1..=7;
const PATTERNS: RangeInclusive<i8> = 1..=4;
const OPERATIONS: RangeInclusive<i8> = 1..=15;
const PERMISSIONS: RangeInclusive<i8> = 1..=3;

pub(crate) fn describe(request: &DescribeAclsRequest) -> Result<DescribeAclsResponse, String> {
    known([
        (&RESOURCES, request.resource_type_filter),
        (&PATTERNS, request.pattern_type_filter),
        (&OPERATIONS, request.operation),
        (&PERMISSIONS, request.permission_type),
    ])?;
    Ok(DescribeAclsResponse {
        error_code: ErrorCode::SecurityDisabled.code(),
        error_message: Some("No Authorizer is configured on the broker".to_owned()),
        ..DescribeAclsResponse::default()
    })
}

pub(crate) fn create(request: &CreateAclsRequest) -> Result<CreateAclsResponse, String> {
    for rule in &request.creations {
        known([
            (&RESOURCES, rule.resource_type),
            (&PATTERNS, rule.resource_pattern_type),
            (&OPERATIONS, rule.operation),
            (&PERMISSIONS, rule.permission_type),
        ])?;
    }
    let refused = || AclCreationResult {
        error_code: ErrorCode::SecurityDisabled.code(),
        error_message: disabled(),
        ..AclCreationResult::default()
    };
    let results = request.creations.iter().map(|_| refused()).collect();
    Ok(CreateAclsResponse { results, ..CreateAclsResponse::default() })
}

pub(crate) fn delete(request: &DeleteAclsRequest) -> Result<DeleteAclsResponse, String> {
    for filter in &request.filters {
        known([
            (&RESOURCES, filter.resource_type_filter),
            (&PATTERNS, filter.pattern_type_filter),
            (&OPERATIONS, filter.operation),
            (&PERMISSIONS, filter.permission_type),
        ])?;
    }
    let refused = || DeleteAclsFilterResult {
        error_code: ErrorCode::SecurityDisabled.code(),
        error_message: disabled(),
        ..DeleteAclsFilterResult::default()
    };
    let filter_results = request.filters.iter().map(|_| refused()).collect();
    Ok(DeleteAclsResponse { filter_results, ..DeleteAclsResponse::default() })
}

fn disabled() -> Option<String> {
    Some("No Authorizer is configured.".to_owned())
}

fn known<const N: usize>(parts: [(&RangeInclusive<i8>, i8); N]) -> Result<(), String> {
    match parts.iter().find(|(known, part)| !known.contains(part)) {
        None => Ok(()),
        Some((_, part)) => Err(format!("an access rule has a part {part} that nobody knows")),
    }
}
