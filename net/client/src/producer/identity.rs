//! Who this producer is to the broker, so that the broker can tell a repetition from a new batch.

use std::cell::{Cell, RefCell};

use wire::messages::InitProducerIdRequest;

use crate::{Client, ClientError, Target, check};

/// An id from the broker. Each new one starts all sequences at 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    pub producer_id: i64,
    pub producer_epoch: i16,
}

#[derive(Debug, Default)]
pub struct Identities {
    current: RefCell<Option<Identity>>,
    asking: Cell<bool>,
    answered: crate::signal::Signal,
}

impl Identities {
    /// The present identity; asks the broker for one if there is none. One attempt.
    pub async fn get(&self, client: &Client) -> Result<Identity, ClientError> {
        loop {
            if let Some(identity) = *self.current.borrow() {
                return Ok(identity);
            }
            if !self.asking.replace(true) {
                break;
            }
            self.answered.wait().await;
        }
        let asked = ask(client).await;
        self.asking.set(false);
        if let Ok(identity) = &asked {
            *self.current.borrow_mut() = Some(*identity);
        }
        self.answered.set();
        asked
    }

    pub fn current(&self) -> Option<Identity> {
        *self.current.borrow()
    }

    /// After a batch whose fate is unknown its sequence numbers cannot be used again, nor left
    /// out: only a new identity can go on.
    pub fn discard(&self, identity: Identity) {
        self.current.borrow_mut().take_if(|current| *current == identity);
    }
}

async fn ask(client: &Client) -> Result<Identity, ClientError> {
    let request = InitProducerIdRequest {
        transactional_id: None,
        transaction_timeout_ms: i32::MAX,
        producer_id: -1,
        producer_epoch: -1,
        ..InitProducerIdRequest::default()
    };
    let response = client.call(Target::Any, &request).await?;
    check(response.error_code, None, || "get a producer id".to_owned())?;
    let (producer_id, producer_epoch) = (response.producer_id, response.producer_epoch);
    Ok(Identity { producer_id, producer_epoch })
}
