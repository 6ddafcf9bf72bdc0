//! What this machine's loopback network carries, and what a word there and back takes.

use std::{
    io::{self, Read, Write},
    net::{TcpListener, TcpStream},
    thread,
    time::Duration,
};

use client::runtime;

use crate::{load::float, measure::Latencies};

const PIECE_BYTES: usize = 1 << 20;

fn pair() -> io::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let one = TcpStream::connect(listener.local_addr()?)?;
    let (other, _) = listener.accept()?;
    one.set_nodelay(true)?;
    other.set_nodelay(true)?;
    Ok((one, other))
}

/// Bytes a second over one connection.
pub fn throughput(time: Duration) -> io::Result<f64> {
    let (mut sender, mut receiver) = pair()?;
    thread::scope(|scope| {
        let sending = scope.spawn(move || {
            let piece = vec![1; PIECE_BYTES];
            let began = runtime::now();
            while runtime::now().saturating_duration_since(began) < time {
                sender.write_all(&piece)?;
            }
            Ok::<_, io::Error>(())
        });
        let mut buffer = vec![0; PIECE_BYTES];
        let began = runtime::now();
        let mut received: u64 = 0;
        loop {
            let count = receiver.read(&mut buffer)?;
            if count == 0 {
                break;
            }
            received = received.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
        }
        let seconds = runtime::now().saturating_duration_since(began).as_secs_f64();
        sending.join().expect("a panic ends the process")?;
        Ok(float(received) / seconds)
    })
}

/// One byte there and one back, again and again.
pub fn round_trips(time: Duration) -> io::Result<Latencies> {
    let (mut asking, mut answering) = pair()?;
    thread::scope(|scope| {
        let echo = scope.spawn(move || {
            let mut byte = [0];
            while answering.read(&mut byte)? == 1 {
                answering.write_all(&byte)?;
            }
            Ok::<_, io::Error>(())
        });
        let mut latencies = Latencies::default();
        let mut byte = [7];
        let began = runtime::now();
        loop {
            let before = runtime::now();
            if before.saturating_duration_since(began) >= time {
                break;
            }
            asking.write_all(&byte)?;
            asking.read_exact(&mut byte)?;
            latencies.record(runtime::now().saturating_duration_since(before));
        }
        drop(asking);
        echo.join().expect("a panic ends the process")?;
        Ok(latencies)
    })
}
