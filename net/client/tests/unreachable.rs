//! What a client says when nobody is there.

use std::time::Duration;

use client::{Client, ClientOptions, admin::Admin};

#[test]
fn a_broker_that_was_never_there_is_reported_at_once_with_a_way_out() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let (error, took) = socket::block_on(async {
        let start = socket::now();
        let error = Admin::new(Client::new(ClientOptions::new(&address))).topics(None).await;
        (error.unwrap_err(), socket::now() - start)
    })
    .unwrap();
    let text = format!("cannot reach {address}: connection refused; is the broker running?");
    assert_eq!(error.to_string(), text);
    assert!(took < Duration::from_secs(5), "{took:?}");
}
