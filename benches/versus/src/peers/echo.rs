//! Echo servers on other libraries, on one thread as ours, written as their own examples are.

use std::net::TcpListener as Bound;

use fastwebsockets::{FragmentCollector, OpCode, WebSocketError, upgrade};
use futures_util::{SinkExt, StreamExt};
use http_body_util::Empty;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};

use crate::system::Outcome;

/// Runs the one that is named.
pub(crate) fn run(words: &[String]) -> Outcome<()> {
    let fast = match words.first().map(String::as_str) {
        Some("fastwebsockets") => true,
        Some("tokio-tungstenite") => false,
        _ => return Err("peer fastwebsockets | peer tokio-tungstenite".into()),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    runtime.block_on(async {
        let bound = Bound::bind("127.0.0.1:0")?;
        rustix::net::listen(&bound, 4096)?;
        bound.set_nonblocking(true)?;
        println!("listening {}", bound.local_addr()?);
        let listener = TcpListener::from_std(bound)?;
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            // A connection that ends badly is the load's to complain of.
            if fast {
                tokio::spawn(async {
                    let service = service_fn(upgraded);
                    let served =
                        http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                    let _ = served.with_upgrades().await;
                });
            } else {
                tokio::spawn(async {
                    let _ = tungstenite(stream).await;
                });
            }
        }
    })
}

async fn tungstenite(stream: TcpStream) -> Result<(), tokio_tungstenite::tungstenite::Error> {
    let mut socket = tokio_tungstenite::accept_async(stream).await?;
    while let Some(message) = socket.next().await {
        let message = message?;
        if message.is_text() || message.is_binary() {
            socket.send(message).await?;
        }
    }
    Ok(())
}

async fn upgraded(
    mut request: Request<Incoming>,
) -> Result<Response<Empty<Bytes>>, WebSocketError> {
    let (response, upgraded) = upgrade::upgrade(&mut request)?;
    tokio::spawn(async {
        let _ = tokio::task::unconstrained(fast(upgraded)).await;
    });
    Ok(response)
}

async fn fast(upgraded: upgrade::UpgradeFut) -> Result<(), WebSocketError> {
    let mut socket = FragmentCollector::new(upgraded.await?);
    loop {
        let frame = socket.read_frame().await?;
        match frame.opcode {
            OpCode::Close => return Ok(()),
            OpCode::Text | OpCode::Binary => socket.write_frame(frame).await?,
            _ => {}
        }
    }
}
