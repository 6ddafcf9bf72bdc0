//! Real sockets on the loopback interface.
#![expect(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "a test may panic, and its patterns may wrap"
)]

use std::{
    num::NonZeroUsize,
    sync::mpsc,
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use socket::{
    BindError, BufferSizes, ConnectError, ConnectOptions, Elapsed, Listener, ReadHalf, Stream,
    WriteHalf, block_on, now, sleep, spawn_cores, spawn_local, timeout,
};

type Halves = (ReadHalf, WriteHalf);

async fn pair() -> (Halves, Halves, socket::Closer) {
    let listener = Listener::bind("127.0.0.1:0".parse().unwrap(), BufferSizes::default()).unwrap();
    let address = listener.local_address().to_string();
    let client = Stream::connect(&address, &ConnectOptions::default()).await.unwrap();
    let server = listener.accept().await.unwrap().into_stream();
    let closer = server.closer();
    (client.split(), server.split(), closer)
}

#[test]
fn a_port_that_is_taken_is_refused_with_a_way_out() {
    block_on(async {
        let first = Listener::bind("127.0.0.1:0".parse().unwrap(), BufferSizes::default()).unwrap();
        let error = Listener::bind(first.local_address(), BufferSizes::default()).unwrap_err();
        assert!(matches!(error, BindError::Taken { .. }), "{error:?}");
        assert!(error.to_string().contains("listens there already"), "{error}");
    })
    .unwrap();
}

#[test]
fn a_port_is_free_again_when_its_listener_is_gone() {
    block_on(async {
        let first = Listener::bind("127.0.0.1:0".parse().unwrap(), BufferSizes::default()).unwrap();
        let address = first.local_address();
        let client = Stream::connect(&address.to_string(), &ConnectOptions::default()).await;
        let served = first.accept().await.unwrap().into_stream();
        drop((served, client, first));
        assert_eq!(
            Listener::bind(address, BufferSizes::default()).unwrap().local_address(),
            address
        );
    })
    .unwrap();
}

#[test]
fn ipv6_works_and_its_wildcard_takes_ipv4_too() {
    block_on(async {
        let listener = Listener::bind("[::]:0".parse().unwrap(), BufferSizes::default()).unwrap();
        let port = listener.local_address().port();
        for host in ["[::1]", "127.0.0.1", "localhost"] {
            let options = ConnectOptions::default();
            let client = Stream::connect(&format!("{host}:{port}"), &options).await.unwrap();
            let accepted = listener.accept().await.unwrap();
            assert_eq!(accepted.peer_address().port(), client.local_address().unwrap().port());
        }
    })
    .unwrap();
}

#[test]
fn a_refused_connection_says_what_to_check() {
    block_on(async {
        let listener =
            Listener::bind("127.0.0.1:0".parse().unwrap(), BufferSizes::default()).unwrap();
        let address = listener.local_address().to_string();
        drop(listener);
        let error = Stream::connect(&address, &ConnectOptions::default()).await.unwrap_err();
        assert!(matches!(error, ConnectError::Refused { .. }), "{error:?}");
        let text = format!("cannot reach {address}: connection refused; is the broker running?");
        assert_eq!(error.to_string(), text);
    })
    .unwrap();
}

#[test]
fn a_silent_address_is_given_up_after_the_timeout() {
    block_on(async {
        // A backlog that is full answers nothing: fill one.
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        socket2::SockRef::from(&listener).listen(0).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let options = ConnectOptions { timeout: Duration::from_millis(50), ..Default::default() };
        let mut held = Vec::new();
        let error = loop {
            match Stream::connect(&address, &options).await {
                Ok(stream) => held.push(stream),
                Err(error) => break error,
            }
            assert!(held.len() < 10, "the backlog never fills");
        };
        assert!(matches!(error, ConnectError::Silent { .. }), "{error:?}");
    })
    .unwrap();
}

#[test]
fn both_directions_flow_at_once_and_large_writes_arrive_whole() {
    const TOTAL: usize = 32 << 20;
    async fn send(mut half: WriteHalf, seed: u8) {
        let pieces: Vec<Bytes> = (0..300_usize)
            .map(|piece| Bytes::from(vec![seed.wrapping_add(piece as u8); 1 + piece * 97 % 70_000]))
            .collect();
        let round: usize = pieces.iter().map(Bytes::len).sum();
        let mut sent = 0;
        while sent < TOTAL {
            half.write_all_vectored(&pieces).await.unwrap();
            sent += round;
        }
        half.shutdown().unwrap();
    }
    async fn receive(mut half: ReadHalf, seed: u8) -> usize {
        let mut buffer = BytesMut::new();
        let mut total = 0;
        let (mut piece, mut left) = (0_usize, 1);
        while half.read_into(&mut buffer, 256 << 10).await.unwrap() > 0 {
            for byte in buffer.split().iter() {
                assert_eq!(*byte, seed.wrapping_add(piece as u8));
                total += 1;
                left -= 1;
                if left == 0 {
                    piece = (piece + 1) % 300;
                    left = 1 + piece * 97 % 70_000;
                }
            }
        }
        total
    }
    block_on(async {
        let (client, server, _closer) = pair().await;
        let senders = [spawn_local(send(client.1, 3)), spawn_local(send(server.1, 101))];
        let receivers = [spawn_local(receive(server.0, 3)), spawn_local(receive(client.0, 101))];
        for sender in senders {
            sender.await;
        }
        for receiver in receivers {
            assert!(receiver.await >= TOTAL);
        }
    })
    .unwrap();
}

#[test]
fn a_dropped_read_loses_no_bytes() {
    block_on(async {
        let (mut client, mut server, _closer) = pair().await;
        let mut buffer = BytesMut::new();
        for round in 0..50_u8 {
            let read = client.0.read_into(&mut buffer, 1024);
            assert_eq!(timeout(Duration::from_millis(1), read).await.unwrap_err(), Elapsed);
            server.1.write_all(&Bytes::copy_from_slice(&[round])).await.unwrap();
            assert_eq!(client.0.read_into(&mut buffer, 1024).await.unwrap(), 1);
            assert_eq!(buffer.split()[..], [round]);
        }
    })
    .unwrap();
}

#[test]
fn closing_ends_a_pending_read_and_a_pending_write() {
    block_on(async {
        let (mut client, server, closer) = pair().await;
        let (mut server_reads, mut server_writes) = server;
        let reader = spawn_local(async move {
            let mut buffer = BytesMut::new();
            server_reads.read_into(&mut buffer, 1024).await.unwrap_or(0)
        });
        let writer = spawn_local(async move {
            let much = Bytes::from(vec![0; 64 << 20]);
            server_writes.write_all(&much).await.is_err()
        });
        sleep(Duration::from_millis(20)).await;
        closer.close();
        assert_eq!(reader.await, 0);
        assert!(writer.await);
        let mut buffer = BytesMut::new();
        while client.0.read_into(&mut buffer, 1 << 20).await.unwrap_or(0) > 0 {
            buffer.clear();
        }
    })
    .unwrap();
}

#[test]
fn idleness_is_measured_from_the_last_byte() {
    block_on(async {
        let (mut client, mut server, closer) = pair().await;
        sleep(Duration::from_millis(30)).await;
        assert!(closer.idle(now()) >= Duration::from_millis(30));
        client.1.write_all(&Bytes::from_static(b"x")).await.unwrap();
        server.0.read_into(&mut BytesMut::new(), 16).await.unwrap();
        assert!(closer.idle(now()) < Duration::from_millis(30));
    })
    .unwrap();
}

#[test]
fn the_memory_of_consumed_frames_is_used_again() {
    block_on(async {
        let (mut client, mut server, _closer) = pair().await;
        let mut buffer = BytesMut::with_capacity(4096);
        let address = buffer.as_ptr();
        for _ in 0..20 {
            client.1.write_all(&Bytes::from(vec![7; 3000])).await.unwrap();
            while buffer.len() < 3000 {
                let missing = 3000 - buffer.len();
                server.0.read_into(&mut buffer, missing).await.unwrap();
            }
            assert_eq!(buffer.as_ptr(), address);
            drop(buffer.split().freeze());
        }
    })
    .unwrap();
}

#[test]
fn an_accepted_connection_can_move_to_another_core() {
    let (sender, receiver) = mpsc::channel();
    let address = std::sync::Arc::new(std::sync::OnceLock::new());
    let (sender, receiver) = (
        std::sync::Arc::new(std::sync::Mutex::new(sender)),
        std::sync::Arc::new(std::sync::Mutex::new(receiver)),
    );
    let work = move |core: usize| {
        let (sender, receiver, address) = (sender.clone(), receiver.clone(), address.clone());
        async move {
            if core == 0 {
                let listener =
                    Listener::bind("127.0.0.1:0".parse().unwrap(), BufferSizes::default()).unwrap();
                address.set(listener.local_address()).unwrap();
                let accepted = listener.accept().await.unwrap();
                sender.lock().unwrap().send(accepted).unwrap();
                Vec::new()
            } else {
                while address.get().is_none() {
                    sleep(Duration::from_millis(1)).await;
                }
                let address = address.get().unwrap().to_string();
                let options = ConnectOptions::default();
                let (mut reads, _writes) =
                    Stream::connect(&address, &options).await.unwrap().split();
                let accepted = receiver.lock().unwrap().recv().unwrap();
                let (_, mut writes) = accepted.into_stream().split();
                writes.write_all(&Bytes::from_static(b"moved")).await.unwrap();
                let mut buffer = BytesMut::new();
                reads.read_into(&mut buffer, 16).await.unwrap();
                buffer.to_vec()
            }
        }
    };
    let results = spawn_cores("test", NonZeroUsize::new(2).unwrap(), work).unwrap().join().unwrap();
    assert_eq!(results, [b"".to_vec(), b"moved".to_vec()]);
}

#[test]
fn a_timer_fires_while_another_task_keeps_the_core_busy() {
    let late = block_on(async {
        let spinner = spawn_local(async {
            let start = now();
            while now() - start < Duration::from_millis(200) {
                socket::yield_if_needed().await;
            }
        });
        let start: Instant = now();
        sleep(Duration::from_millis(5)).await;
        let late = now() - start;
        spinner.await;
        late
    })
    .unwrap();
    assert!(late < Duration::from_millis(60), "{late:?}");
}
