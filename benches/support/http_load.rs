//! A load generator for HTTP/1.1 that costs little: requests are bytes that were put together before, answers are read
//! as far as their length. It shares the machine with the server, so whatever it saves is the server's.

use super::{Numbers, Rate, WARM_UP};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinSet;

/// Room for an answer; one that is larger fails the benchmark.
const ANSWER_BYTES: usize = 16 * 1_024;
/// Connections for steady load, which ask in turn: at 200 requests a second each has 160 ms for its answer.
const STEADY_CONNECTIONS: u32 = 32;

/// One request as it goes over the wire.
pub fn request(method: &str, path: &str, key: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {key}\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// Keeps so many connections busy, each with one request at a time, from one thread of its own.
pub fn busy(server: SocketAddr, requests: Arc<[Vec<u8>]>, connections: usize, time: Duration) -> Rate {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
    runtime.block_on(async {
        let begin = Instant::now() + WARM_UP;
        let end = begin + time;
        let mut tasks = JoinSet::new();
        for number in 0..connections {
            let requests = requests.clone();
            tasks.spawn(async move {
                let mut stream = tokio::net::TcpStream::connect(server).await.unwrap();
                stream.set_nodelay(true).unwrap();
                let (mut numbers, mut waits, mut answer) = (Numbers(number as u64), Vec::new(), [0; ANSWER_BYTES]);
                let mut asked = Instant::now();
                while asked < end {
                    let request = &requests[(numbers.next() % requests.len() as u64) as usize];
                    stream.write_all(request).await.unwrap();
                    let mut filled = 0;
                    while !is_whole(&answer[..filled]) {
                        let read = stream.read(&mut answer[filled..]).await.unwrap();
                        assert!(read > 0, "the server hung up");
                        filled += read;
                    }
                    let answered = Instant::now();
                    if (begin..end).contains(&answered) {
                        waits.push(answered - asked);
                    }
                    asked = answered;
                }
                waits
            });
        }
        Rate { time, waits: tasks.join_all().await.concat() }
    })
}

/// Sends so many requests a second, each at its time, whether those before are answered or not. Every connection has a thread
/// that keeps its times, since the runtime's timers are a millisecond apart. A wait counts from the moment at which the
/// request was due where the one before it on the connection was answered after that, so that a late one is not forgiven;
/// else from the moment at which the thread woke.
pub fn steady(server: SocketAddr, requests: &Arc<[Vec<u8>]>, per_second: u32, time: Duration) -> Rate {
    let pause = Duration::from_secs(1) / per_second;
    let begin = Instant::now() + WARM_UP;
    let end = begin + time;
    let callers: Vec<_> = (0..STEADY_CONNECTIONS)
        .map(|number| {
            let (requests, first) = (requests.clone(), Instant::now() + pause * number);
            let mut stream = TcpStream::connect(server).unwrap();
            stream.set_nodelay(true).unwrap();
            std::thread::spawn(move || {
                let (mut numbers, mut answer) = (Numbers(number.into()), [0; ANSWER_BYTES]);
                let (mut due, mut waits) = (first, Vec::new());
                while due < end {
                    let pause_before = due.saturating_duration_since(Instant::now());
                    std::thread::sleep(pause_before);
                    let since = if pause_before.is_zero() { due } else { Instant::now() };
                    ask(&mut stream, &requests[(numbers.next() % requests.len() as u64) as usize], &mut answer);
                    if due >= begin {
                        waits.push(since.elapsed());
                    }
                    due += pause * STEADY_CONNECTIONS;
                }
                waits
            })
        })
        .collect();
    Rate { time, waits: callers.into_iter().flat_map(|caller| caller.join().unwrap()).collect() }
}

fn ask(stream: &mut TcpStream, request: &[u8], answer: &mut [u8]) {
    stream.write_all(request).unwrap();
    let mut filled = 0;
    while !is_whole(&answer[..filled]) {
        let read = stream.read(&mut answer[filled..]).unwrap();
        assert!(read > 0, "the server hung up");
        filled += read;
    }
}

/// Whether an answer has arrived to its end.
///
/// # Panics
/// Where it is no success, or has no length.
fn is_whole(answer: &[u8]) -> bool {
    let Some(end) = answer.windows(4).position(|part| part == b"\r\n\r\n") else { return false };
    assert!(answer.starts_with(b"HTTP/1.1 2"), "{}", String::from_utf8_lossy(answer));
    let head = std::str::from_utf8(&answer[..end]).unwrap();
    let mut fields = head.lines().filter_map(|line| line.split_once(':'));
    let length = fields.find(|(name, _)| name.eq_ignore_ascii_case("content-length")).expect("no length").1;
    let length: usize = length.trim().parse().unwrap();
    answer.len() >= end + 4 + length
}
