//! The bare pipe: a socket, a checksum over what came, a direct append, one sync for all that waits, and
//! an answer. It speaks just enough of the protocol that the same client loads it as a broker, and
//! does nothing else: no partitions, no offsets, no reading. What it reaches is what a broker on this
//! machine is divided by.
//!
//! It is made of threads and plain system calls, and shares nothing with the broker's runtime.

mod answers;
mod committer;
mod connection;

use std::{io, net::TcpListener, path::Path, sync::Arc, thread};

use committer::Committer;

use crate::{BenchError, limit::direct::DirectFile};

/// The disk file, written round and round.
const FILE_BYTES: u64 = 2 << 30;

/// Serves until the process ends.
pub fn serve_pipe(listen: &str, file: &Path) -> Result<(), BenchError> {
    let failed = |what| move |source| BenchError::Limit { what, source };
    let file = DirectFile::create(file, FILE_BYTES).map_err(failed("the pipe's file"))?;
    let listener = TcpListener::bind(listen).map_err(failed("the pipe's address"))?;
    let committer = Arc::new(Committer::new(file));
    let committing = Arc::clone(&committer);
    thread::spawn(move || committing.run());
    accept(&listener, &committer).map_err(failed("the pipe's listener"))
}

fn accept(listener: &TcpListener, committer: &Arc<Committer>) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept()?;
        stream.set_nodelay(true)?;
        let committer = Arc::clone(committer);
        thread::spawn(move || {
            // A client that goes away ends its connection; nobody else is concerned.
            connection::serve(stream, &committer).ok();
        });
    }
}
