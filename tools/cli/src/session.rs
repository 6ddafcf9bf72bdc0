//! One command's dealings with a cluster, on an executor of its own.

use std::time::Duration;

use client::{Client, ClientOptions, RetryOptions, Target, admin::Admin};

use crate::exit::Failure;

/// A broker that has just been started may need a moment; one that is not there shall be named
/// soon.
const CONNECT_WITHIN: Duration = Duration::from_secs(3);

/// Where a command's cluster is.
#[derive(Clone, Debug, clap::Args)]
pub struct Bootstrap {
    /// Brokers to ask first; one that answers is enough.
    #[arg(long, value_name = "HOST:PORT,…", default_value = "127.0.0.1:9092", global = true)]
    pub bootstrap: String,
}

impl Bootstrap {
    pub fn options(&self) -> ClientOptions {
        ClientOptions::new(&self.bootstrap)
    }
}

/// Runs `work` with a client that has a connection, and returns what it makes of it.
pub fn run<T>(
    options: ClientOptions,
    work: impl AsyncFnOnce(Client) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let connected = async {
        let client = Client::new(options);
        let retry = RetryOptions { give_up_after: CONNECT_WITHIN, ..RetryOptions::default() };
        let connect = async || client.connection(Target::Any).await;
        retry.run(connect).await.map_err(unreachable_cluster)?;
        Box::pin(work(client)).await
    };
    socket::block_on(Box::pin(connected))?
}

/// The same for commands that only administrate.
pub fn administrate<T>(
    options: ClientOptions,
    work: impl AsyncFnOnce(Admin) -> Result<T, Failure>,
) -> Result<T, Failure> {
    run(options, async |client| work(Admin::new(client)).await)
}

fn unreachable_cluster(error: client::CallError) -> Failure {
    Failure::failed(format!(
        "{error} (start a broker with `corelog serve`, or name another with --bootstrap)"
    ))
}
