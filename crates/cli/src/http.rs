//! Health and metrics over HTTP, for whoever runs the worker. Only reads what the worker says of itself;
//! listens where the settings name an address, and nowhere else.

use std::net::SocketAddr;

use anyhow::Context as _;
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderName, StatusCode, header};
use axum::routing::get;
use rolecall_ingest::Metrics;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// What Prometheus asks for first:
/// <https://github.com/prometheus/OpenMetrics/blob/main/specification/OpenMetrics.md>.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// A server that is listening.
pub(crate) struct Server {
    listener: TcpListener,
    /// Where it listens; tells the port where any free one was asked for.
    pub(crate) address: SocketAddr,
}

impl Server {
    /// Starts to listen, so that a port in use ends the run before it begins.
    pub(crate) async fn listen(address: SocketAddr) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(address)
            .await
            .with_context(|| format!("listen on {address} (--listen)"))?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address })
    }

    /// Answers until `stop`.
    pub(crate) async fn serve(
        self,
        metrics: Metrics,
        stop: CancellationToken,
    ) -> std::io::Result<()> {
        let routes = Router::new()
            .route("/health/live", get(live))
            .route("/health/ready", get(ready))
            .route("/metrics", get(encode))
            .with_state(metrics);
        axum::serve(self.listener, routes).with_graceful_shutdown(stop.cancelled_owned()).await
    }
}

/// The process answers: that is all there is to know.
async fn live() -> &'static str {
    "live\n"
}

/// Whether messages are being taken and commits succeed; the reasons where not.
async fn ready(State(metrics): State<Metrics>) -> (StatusCode, String) {
    match metrics.health().ready() {
        Ok(()) => (StatusCode::OK, "ready\n".to_owned()),
        Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {reason}\n")),
    }
}

async fn encode(State(metrics): State<Metrics>) -> ([(HeaderName, &'static str); 1], String) {
    ([(header::CONTENT_TYPE, OPEN_METRICS)], metrics.encode())
}
