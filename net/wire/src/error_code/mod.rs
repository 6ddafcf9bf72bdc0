//! The error codes of the protocol.

mod table;

pub use table::ErrorCode;

impl ErrorCode {
    pub const fn code(self) -> i16 {
        self as i16
    }

    /// In capitals, as Kafka prints it.
    pub const fn name(self) -> &'static str {
        let (name, _, _) = self.facts();
        name
    }

    /// What Kafka says about it when it has nothing better to say.
    pub const fn message(self) -> &'static str {
        let (_, message, _) = self.facts();
        message
    }

    /// Whether the same request may succeed later.
    pub const fn retriable(self) -> bool {
        let (_, _, retriable) = self.facts();
        retriable
    }

    pub fn is_error(self) -> bool {
        self != Self::None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_is_found_by_its_code() {
        for error in ErrorCode::ALL {
            assert_eq!(ErrorCode::from_code(error.code()), Some(*error));
        }
        assert_eq!(ErrorCode::from_code(i16::MAX), None);
    }

    #[test]
    fn a_moved_leader_may_be_asked_again() {
        let error = ErrorCode::NotLeaderOrFollower;
        assert_eq!((error.code(), error.name()), (6, "NOT_LEADER_OR_FOLLOWER"));
        assert!(error.retriable());
        assert!(!ErrorCode::TopicAuthorizationFailed.retriable());
        assert!(!ErrorCode::None.retriable());
    }
}
