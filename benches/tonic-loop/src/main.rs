//! Calls one method of gRPC in a plain loop of tonic: `tonic-loop URL CONNECTIONS STREAMS SECONDS`.

use std::env;
use std::error::Error;
use std::time::Duration;
use std::time::Instant;

use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::Channel;
use tonic::transport::Endpoint;
use tonic_prost::ProstCodec;

const METHOD: &str = "/load_worker.LoadWorker/InvokeWorker";
const DEADLINE: Duration = Duration::from_secs(30);

#[derive(Clone, PartialEq, prost::Message)]
struct Work {
    #[prost(int64, tag = "1")]
    duration_ms: i64,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Done {
    #[prost(int64, tag = "1")]
    value: i64,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = env::args().skip(1).collect();
    let [url, connections, streams, seconds] = args.as_slice() else {
        return Err("tonic-loop URL CONNECTIONS STREAMS SECONDS".into());
    };
    let (connections, streams): (usize, usize) = (connections.parse()?, streams.parse()?);
    let end = Instant::now() + Duration::from_secs(seconds.parse()?);
    let mut callers = Vec::new();
    for _ in 0..connections {
        let channel = Endpoint::from_shared(url.clone())?.connect().await?;
        callers.extend((0..streams).map(|_| tokio::spawn(call(channel.clone(), end))));
    }
    let (mut n_ok, mut n_failed) = (0, 0);
    for caller in callers {
        let (ok, failed) = caller.await?;
        (n_ok, n_failed) = (n_ok + ok, n_failed + failed);
    }
    println!("{n_ok} ok, {n_failed} failed");
    Ok(())
}

/// Calls until `end`: how many were answered, and how many failed.
async fn call(channel: Channel, end: Instant) -> (u64, u64) {
    let mut client = Grpc::new(channel);
    let (mut n_ok, mut n_failed) = (0, 0);
    while Instant::now() < end && client.ready().await.is_ok() {
        let mut request = tonic::Request::new(Work { duration_ms: 1 });
        request.set_timeout(DEADLINE);
        let codec = ProstCodec::<Work, Done>::default();
        match client.unary(request, PathAndQuery::from_static(METHOD), codec).await {
            Ok(_) => n_ok += 1,
            Err(_) => n_failed += 1,
        }
    }
    (n_ok, n_failed)
}
