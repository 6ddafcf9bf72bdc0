//! The broker's side of the Kafka protocol: accepts connections, keeps each client's answers in
//! order, and turns requests into questions to the engine. It sees the engine through
//! `engine::broker::Broker` alone, the wire through `wire`, and sockets through `socket`.

mod acceptor;
mod admission;
mod api;
mod authorized;
mod connection;
mod connections;
mod context;
mod dispatch;
mod error;
mod fetch_session;
mod frame;
mod handler;
mod image;
mod isolation;
mod limits;
mod pipeline;
mod quota;
mod server;
mod share_session;
mod topics;

pub use server::{Endpoint, ListenError, Listening, Server};
