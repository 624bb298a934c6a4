//! The world as the API server reaches it: pod proxy, logs, metrics.k8s.io.

use std::rc::Rc;

use bytes::Bytes;
use futures::future::LocalBoxFuture;
use futures::stream::LocalBoxStream;
use futures::stream::StreamExt;
use http::HeaderValue;
use http::Request;
use http::Response;
use http::StatusCode;
use http::header;
use serde_json::Value;

use crate::sim::backstage;
use crate::sim::backstage::Backstage;
use crate::sim::backstage::LocalBody;
use crate::sim::backstage::LogLine;
use crate::sim::backstage::LogRequest;
use crate::sim::backstage::Target;
use crate::sim::logbook;
use crate::sim::metrics;
use crate::sim::pod::Reply;
use crate::sim::pod::Stage;
use crate::sim::status::Status;
use crate::sim::workload::Ask;
use crate::sim::world::World;

const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8; escaping=underscores";

/// The world behind an API server.
#[derive(Debug, Clone)]
pub(crate) struct Behind(pub(crate) Rc<World>);

// === impl Behind ===

impl Backstage for Behind {
    fn pod_proxy(
        &self,
        to: &Target,
        request: Request<Bytes>,
    ) -> LocalBoxFuture<'static, Response<LocalBody>> {
        let world = Rc::clone(&self.0);
        let to = to.clone();
        Box::pin(async move { reach(&world, &to, &request).await })
    }

    fn service_proxy(
        &self,
        to: &Target,
        request: Request<Bytes>,
    ) -> LocalBoxFuture<'static, Response<LocalBody>> {
        let service = to.name.trim_end_matches("-service");
        let all = self.0.system.borrow();
        let pod = all.iter().find(|pod| pod.namespace == to.namespace && pod.app == service);
        let Some(pod) = pod else {
            let why = format!("no endpoints available for service \"{}\"", to.name);
            return Box::pin(async move { unavailable(why) });
        };
        let port = to.port.as_deref().map(|port| port.trim_start_matches("http-").to_owned());
        let target = Target { namespace: to.namespace.clone(), name: pod.name.clone(), port };
        self.pod_proxy(&target, request)
    }

    fn logs(&self, of: &LogRequest) -> LocalBoxStream<'static, LogLine> {
        let Some(pod) = self.0.system_pod(&of.namespace, &of.pod) else {
            return futures::stream::empty().boxed_local();
        };
        let weak = Rc::downgrade(&pod);
        let read = move |n| Some(weak.upgrade()?.log.borrow().since(n));
        let book = pod.log.borrow();
        logbook::answer(&book, of, read)
    }

    fn pod_metrics(&self, namespace: Option<&str>) -> Vec<Value> {
        self.0.usage.borrow().pods(namespace)
    }

    fn node_metrics(&self) -> Vec<Value> {
        self.0.usage.borrow().nodes()
    }
}

async fn reach(world: &World, to: &Target, request: &Request<Bytes>) -> Response<LocalBody> {
    let path = request.uri().path();
    let is_metrics = path == "/metrics";
    if let Some(pod) = world.system_pod(&to.namespace, &to.name) {
        let port = to.port.as_deref().unwrap_or("9090");
        if !matches!(port, "9090" | "metrics") || !pod.has_metrics {
            return refused(pod.address, port);
        }
        return match pod.app.as_str() {
            _ if !is_metrics => missing(),
            "autoscaler" => text(metrics::of_autoscaler(world, &pod)),
            "activator" => text(metrics::of_activator(world, &pod)),
            _ => text(String::new()),
        };
    }
    let Some((deployed, pod)) = world.pod(&to.namespace, &to.name) else {
        return unavailable(format!("pod \"{}\" has no address", to.name));
    };
    let is_up = match pod.stage.get() {
        Stage::Running | Stage::Ready => true,
        Stage::Terminating { was_running } => was_running,
        Stage::Pending => false,
    };
    let port = to.port.as_deref().unwrap_or("8080");
    match port {
        _ if !is_up => refused(pod.address, port),
        "9090" | "http-autometric" if is_metrics => {
            reply(pod.stat().encode(), "application/protobuf")
        }
        "9091" | "http-usermetric" if !deployed.has_request_metrics => refused(pod.address, port),
        "9091" | "http-usermetric" if is_metrics => text(metrics::of_queue_proxy(&deployed, &pod)),
        "9090" | "9091" | "http-autometric" | "http-usermetric" => missing(),
        "8012" | "8080" | "queue-port" | "user-port" => {
            let query = request.uri().path_and_query().map_or("/", |path| path.as_str());
            let deadline = world.clock.at() + deployed.revision.id.timeout;
            let late = std::time::Duration::ZERO;
            match pod.serve(Ask::parse(query), false, late, deadline).await {
                Reply::Served(pod, _) => backstage::text(StatusCode::OK, format!("{}\n", pod.name)),
                Reply::Refused(status, text) => {
                    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
                    backstage::text(status, text)
                }
            }
        }
        _ => refused(pod.address, port),
    }
}

fn reply(bytes: impl Into<Bytes>, kind: &'static str) -> Response<LocalBody> {
    let mut response = Response::new(backstage::full(bytes));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

fn text(text: String) -> Response<LocalBody> {
    reply(text, TEXT)
}

fn missing() -> Response<LocalBody> {
    backstage::text(StatusCode::NOT_FOUND, "404 page not found\n")
}

/// Nothing listens there: what the API server says then.
fn refused(address: std::net::Ipv4Addr, port: &str) -> Response<LocalBody> {
    let why = format!(
        "error trying to reach service: dial tcp {address}:{port}: connect: connection refused"
    );
    unavailable(why)
}

fn unavailable(why: String) -> Response<LocalBody> {
    let status = Status::Unavailable(why);
    let mut response = reply(status.object().to_string(), "application/json");
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    response
}
