//! What this machine is called: where clients find a listener that names no host.

/// The machine's name, or `localhost` if it has none that is text.
pub fn host_name() -> String {
    let system = rustix::system::uname();
    let name = system.nodename().to_str().unwrap_or_default();
    if name.is_empty() { "localhost".to_owned() } else { name.to_owned() }
}
