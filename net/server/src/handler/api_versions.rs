//! Tells a client what it may ask for (KIP-35, KIP-511, KIP-584). Every client asks this first.

use wire::ErrorCode;
use wire::messages::api_versions_response::{ApiVersion, FinalizedFeatureKey, SupportedFeatureKey};
use wire::messages::{ApiVersionsRequest, ApiVersionsResponse};

use crate::api::Api;
use crate::context::Context;
use crate::image;

/// The first version that names the client's software, and the features of the cluster.
const VERSION_SOFTWARE: i16 = 3;
/// Clients before this version cannot read a feature whose lowest level is 0.
const VERSION_FEATURE_ZERO: i16 = 4;

pub(crate) fn handle(
    context: &Context,
    request: &ApiVersionsRequest,
    version: i16,
) -> ApiVersionsResponse {
    let names = [&request.client_software_name, &request.client_software_version];
    if VERSION_SOFTWARE <= version && !names.into_iter().all(|name| is_software_name(name)) {
        let error_code = ErrorCode::InvalidRequest.code();
        return ApiVersionsResponse { error_code, ..ApiVersionsResponse::default() };
    }
    let features = image::features(&context.broker.image());
    ApiVersionsResponse {
        error_code: ErrorCode::None.code(),
        api_keys: Api::ALL.iter().copied().map(advertised).collect(),
        supported_features: features
            .supported
            .into_iter()
            .filter(|feature| VERSION_FEATURE_ZERO <= version || feature.level_min != 0)
            .map(|feature| SupportedFeatureKey {
                name: feature.name,
                min_version: feature.level_min,
                max_version: feature.level_max,
                ..SupportedFeatureKey::default()
            })
            .collect(),
        finalized_features_epoch: features.epoch,
        finalized_features: features
            .finalized
            .into_iter()
            .map(|(name, level)| FinalizedFeatureKey {
                name,
                min_version_level: level,
                max_version_level: level,
                ..FinalizedFeatureKey::default()
            })
            .collect(),
        ..ApiVersionsResponse::default()
    }
}

/// For a version from the future: how this API itself may be asked (KIP-511).
pub(crate) fn unsupported_version() -> ApiVersionsResponse {
    ApiVersionsResponse {
        error_code: ErrorCode::UnsupportedVersion.code(),
        api_keys: vec![advertised(Api::ApiVersions)],
        ..ApiVersionsResponse::default()
    }
}

fn advertised(api: Api) -> ApiVersion {
    let versions = api.advertised();
    ApiVersion {
        api_key: api.key().code(),
        min_version: *versions.start(),
        max_version: *versions.end(),
        ..ApiVersion::default()
    }
}

/// Letters, digits, dots and hyphens, beginning and ending with a letter or digit.
fn is_software_name(name: &str) -> bool {
    let is_inner = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
    let ends = [name.bytes().next(), name.bytes().next_back()];
    name.as_bytes().iter().all(is_inner)
        && ends.into_iter().all(|end| end.is_some_and(|byte| byte.is_ascii_alphanumeric()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_software_name_is_a_word() {
        for name in ["a", "franz-go", "apache-kafka-java", "4.3.1", "v1.2-SNAPSHOT"] {
            assert!(is_software_name(name), "{name}");
        }
        for name in ["", "-a", "a.", "a b", "ä"] {
            assert!(!is_software_name(name), "{name}");
        }
    }

    #[test]
    fn a_version_from_the_future_is_told_which_exist() {
        let response = unsupported_version();
        assert_eq!(response.error_code, 35);
        let [only] = &response.api_keys[..] else { panic!("one API") };
        assert_eq!((only.api_key, only.min_version, only.max_version), (18, 0, 4));
    }
}
