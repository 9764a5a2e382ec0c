//! A connection whose writes end in time: a client that takes a byte a second must not keep an answer in memory.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};

/// From the first byte of an answer that has to wait until all of it is written.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// A connection with a deadline for what waits to be written.
pub(super) struct TimedStream {
    stream: TcpStream,
    timeout: Duration,
    deadline: Pin<Box<Sleep>>,
    is_waiting: bool,
}

impl TimedStream {
    pub(super) fn new(stream: TcpStream) -> TimedStream {
        TimedStream {
            stream,
            timeout: WRITE_TIMEOUT,
            deadline: Box::pin(tokio::time::sleep(WRITE_TIMEOUT)),
            is_waiting: false,
        }
    }

    /// Notes that a write has to wait; an error when it has waited too long.
    fn waits<T>(&mut self, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        if !self.is_waiting {
            self.is_waiting = true;
            self.deadline.as_mut().reset(Instant::now() + self.timeout);
        }
        match self.deadline.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl AsyncRead for TimedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for TimedStream {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match Pin::new(&mut self.stream).poll_write(context, bytes) {
            Poll::Pending => self.waits(context),
            // A byte now and then is no progress: the clock goes on until all is written.
            ready if self.is_waiting && self.deadline.is_elapsed() => match ready {
                Poll::Ready(Ok(_)) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
                other => other,
            },
            ready => ready,
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // It is called when nothing is left in the buffer.
        match Pin::new(&mut self.stream).poll_flush(context) {
            Poll::Pending => self.waits(context),
            ready => {
                self.is_waiting = false;
                ready
            }
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match Pin::new(&mut self.stream).poll_write_vectored(context, bytes) {
            Poll::Pending => self.waits(context),
            ready if self.is_waiting && self.deadline.is_elapsed() => match ready {
                Poll::Ready(Ok(_)) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
                other => other,
            },
            ready => ready,
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use std::io::Read as _;

    #[test]
    fn a_reader_of_a_byte_a_second_is_left() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let reader = std::thread::spawn(move || {
                let mut stream = std::net::TcpStream::connect(address).unwrap();
                let mut byte = [0; 1];
                while stream.read(&mut byte).is_ok_and(|read| read > 0) {
                    std::thread::sleep(Duration::from_millis(20));
                }
            });
            let mut timed = TimedStream::new(listener.accept().await.unwrap().0);
            timed.timeout = Duration::from_millis(300);
            let begin = Instant::now();
            let (bytes, mut written) = (vec![0; 64 << 20], 0);
            let failed = loop {
                let rest = &bytes[written..];
                assert!(!rest.is_empty(), "all of it was taken");
                match poll_fn(|context| Pin::new(&mut timed).poll_write(context, rest)).await {
                    Ok(count) => written += count,
                    Err(error) => break error,
                }
            };
            assert_eq!(failed.kind(), io::ErrorKind::TimedOut);
            assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
            drop(timed);
            drop(listener);
            // What is in the buffers of the system is read to its end, or not at all.
            drop(reader);
        });
    }
}
