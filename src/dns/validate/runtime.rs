//! hickory's traits want a runtime for sockets and timers. There is none: [`super::upstream`] does the asking, blocking,
//! and nobody ever makes one of these.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_io::{AsyncRead, AsyncWrite};
use hickory_net::runtime::{DnsTcpStream, DnsUdpSocket, RuntimeProvider, Spawn, Time};

/// Only its clock is used.
#[derive(Clone, Copy)]
pub(super) struct NoRuntime;

/// A socket that cannot be made.
pub(super) enum NoSocket {}

fn none<T: Send + 'static>() -> Pin<Box<dyn Future<Output = io::Result<T>> + Send>> {
    Box::pin(std::future::ready(Err(io::ErrorKind::Unsupported.into())))
}

impl RuntimeProvider for NoRuntime {
    type Handle = NoRuntime;
    type Timer = NoRuntime;
    type Udp = NoSocket;
    type Tcp = NoSocket;

    fn create_handle(&self) -> NoRuntime {
        NoRuntime
    }

    fn connect_tcp(
        &self,
        _: SocketAddr,
        _: Option<SocketAddr>,
        _: Option<Duration>,
    ) -> Pin<Box<dyn Future<Output = io::Result<NoSocket>> + Send>> {
        none()
    }

    fn bind_udp(&self, _: SocketAddr, _: SocketAddr) -> Pin<Box<dyn Future<Output = io::Result<NoSocket>> + Send>> {
        none()
    }
}

impl Spawn for NoRuntime {
    fn spawn_bg(&mut self, _: impl Future<Output = ()> + Send + 'static) {}
}

#[async_trait::async_trait]
impl Time for NoRuntime {
    async fn delay_for(_: Duration) {}

    async fn timeout<F: 'static + Future + Send>(_: Duration, future: F) -> io::Result<F::Output> {
        Ok(future.await)
    }
}

impl DnsTcpStream for NoSocket {
    type Time = NoRuntime;
}

impl DnsUdpSocket for NoSocket {
    type Time = NoRuntime;

    fn poll_recv_from(&self, _: &mut Context<'_>, _: &mut [u8]) -> Poll<io::Result<(usize, SocketAddr)>> {
        match *self {}
    }

    fn poll_send_to(&self, _: &mut Context<'_>, _: &[u8], _: SocketAddr) -> Poll<io::Result<usize>> {
        match *self {}
    }
}

impl AsyncRead for NoSocket {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut [u8]) -> Poll<io::Result<usize>> {
        match *self {}
    }
}

impl AsyncWrite for NoSocket {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        match *self {}
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        match *self {}
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        match *self {}
    }
}
