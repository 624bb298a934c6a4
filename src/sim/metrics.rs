//! The metrics endpoints of Knative 1.23: Prometheus text, and the queue-proxy's protobuf.

use std::fmt::Write as _;
use std::time::Duration;

use crate::kpa::config::Metric;
use crate::sim::autoscaler::Gauges;
use crate::sim::furnish::SYSTEM;
use crate::sim::histogram::Histogram;
use crate::sim::pod::Pod;
use crate::sim::revision::Key;
use crate::sim::world::Deployed;
use crate::sim::world::SystemPod;
use crate::sim::world::World;

const AUTOSCALER: &str = "knative.dev/serving/pkg/autoscaler";
const ACTIVATOR: &str = "knative.dev/serving/pkg/activator";
const QUEUE: &str = "knative.dev/serving/pkg/queue";
const HTTP: &str = "go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp";
const HTTP_VERSION: &str = "0.69.0";

/// The gauges of a revision: name, help, value.
type Row = (&'static str, &'static str, fn(&Gauges) -> Option<f64>);

/// The labels of a series by status code.
type Labels<'a> = &'a dyn Fn(u16) -> String;

const ROWS: [Row; 14] = [
    ("kn_revision_capacity_excess", "Excess burst capacity observed over the stable window", |g| {
        Some(f64::from(g.excess_burst_capacity))
    }),
    (
        "kn_revision_concurrency_panic",
        "Average of request count per observed pod over the panic window",
        |g| (g.metric == Metric::Concurrency).then_some(g.panic),
    ),
    (
        "kn_revision_concurrency_stable",
        "Average of request count per observed pod over the stable window",
        |g| (g.metric == Metric::Concurrency).then_some(g.stable),
    ),
    ("kn_revision_concurrency_target", "The desired concurrent requests for each pod", |g| {
        (g.metric == Metric::Concurrency).then_some(g.target)
    }),
    ("kn_revision_panic_mode", "If greater than 0 the autoscaler is in panic mode", |g| {
        Some(f64::from(u8::from(g.panic_mode)))
    }),
    ("kn_revision_pods_count", "Number of pods that are allocated currently", |g| {
        Some(f64::from(g.actual))
    }),
    ("kn_revision_pods_desired", "Number of pods the autoscaler wants to allocate", |g| {
        Some(f64::from(g.desired))
    }),
    ("kn_revision_pods_not_ready_count", "Number of pods that are not ready currently", |g| {
        Some(f64::from(g.not_ready))
    }),
    ("kn_revision_pods_pending_count", "Number of pods that are pending currently", |g| {
        Some(f64::from(g.pending))
    }),
    ("kn_revision_pods_requested", "Number of pods autoscaler requested from Kubernetes", |g| {
        Some(f64::from(g.requested))
    }),
    ("kn_revision_pods_terminating_count", "Number of pods that are terminating currently", |g| {
        Some(f64::from(g.terminating))
    }),
    (
        "kn_revision_rps_panic_per_second",
        "Average of requests per second over the panic window",
        |g| (g.metric == Metric::Rps).then_some(g.panic),
    ),
    (
        "kn_revision_rps_stable_per_second",
        "Average of requests per second over the stable window",
        |g| (g.metric == Metric::Rps).then_some(g.stable),
    ),
    ("kn_revision_rps_target_per_second", "The desired requests per second for each pod", |g| {
        (g.metric == Metric::Rps).then_some(g.target)
    }),
];

/// What an autoscaler exports: all that it ever decided on, whether it still leads or not.
pub(crate) fn of_autoscaler(world: &World, pod: &SystemPod) -> String {
    let mut out = String::new();
    let gauges = pod.gauges.borrow();
    for (name, help, value) in ROWS {
        let mut is_first = true;
        for (key, gauges) in gauges.iter() {
            let Some(value) = value(gauges) else { continue };
            if std::mem::take(&mut is_first) {
                head(&mut out, name, help, "gauge");
            }
            let labels = revision_labels(world, key);
            let _ = writeln!(out, "{name}{{{labels},{}}} {value}", scope(AUTOSCALER, ""));
        }
    }
    process(&mut out, pod, world, "autoscaler", Duration::ZERO);
    out
}

/// What the activator exports.
pub(crate) fn of_activator(world: &World, pod: &SystemPod) -> String {
    let mut out = String::new();
    let revisions = world.all_revisions();
    let scope_text = scope(ACTIVATOR, "");
    let name = "http_server_request_duration_seconds";
    head(&mut out, name, "Duration of HTTP server requests.", "histogram");
    for deployed in &revisions {
        let host = crate::sim::knative::host(
            world,
            &deployed.key().namespace,
            &deployed.revision.id.service,
        );
        for (status, histogram) in deployed.revision.throttle.durations() {
            let labels = format!(
                "http_request_method=\"GET\",http_response_status_code=\"{status}\",{},\
                 network_protocol_name=\"http\",network_protocol_version=\"1.1\",{},\
                 server_address=\"{host}\",url_scheme=\"http\"",
                revision_labels(world, deployed.key()),
                scope(HTTP, HTTP_VERSION),
            );
            histogram.write(&mut out, name, &labels);
        }
    }
    let name = "kn_activator_stats_conn_reachable";
    let help = "Whether a peer is reachable from the activator (1 = reachable, 0 = not reachable)";
    head(&mut out, name, help, "gauge");
    let reachable = u8::from(world.leader().is_some());
    let _ = writeln!(out, "{name}{{{scope_text},peer=\"autoscaler\"}} {reachable}");
    let name = "kn_revision_request_active";
    head(&mut out, name, "Number of requests currently being proxied by the activator", "gauge");
    for deployed in &revisions {
        let n = deployed.revision.throttle.n_active();
        let _ = writeln!(out, "{name}{{{},{scope_text}}} {n}", short_labels(deployed));
    }
    let name = "kn_revision_request_concurrency";
    head(&mut out, name, "Concurrent requests that are routed to Activator", "gauge");
    for deployed in &revisions {
        let labels = revision_labels(world, deployed.key());
        let average = deployed.revision.throttle.last().average;
        let _ = writeln!(out, "{name}{{{labels},{scope_text}}} {average}");
    }
    let name = "kn_revision_request_queued";
    let help = "Number of requests currently queued in the activator waiting for capacity";
    head(&mut out, name, help, "gauge");
    for deployed in &revisions {
        let n = deployed.revision.throttle.n_queued();
        let _ = writeln!(out, "{name}{{{},{scope_text}}} {n}", short_labels(deployed));
    }
    process(&mut out, pod, world, "activator", world.plane.activator.used());
    out
}

/// What a queue-proxy exports for people.
pub(crate) fn of_queue_proxy(deployed: &Deployed, pod: &Pod) -> String {
    let mut out = String::new();
    let durations = pod.queue.durations();
    let http = |status: u16| {
        format!(
            "http_request_method=\"GET\",http_response_status_code=\"{status}\",\
             network_protocol_name=\"http\",network_protocol_version=\"1.1\",{},\
             server_address=\"{}\",server_port=\"8012\",url_scheme=\"http\"",
            scope(HTTP, HTTP_VERSION),
            pod.address,
        )
    };
    let invocation =
        |status: u16| format!("http_response_status_code=\"{status}\",{}", scope(QUEUE, ""));
    let histograms: [(_, _, Labels<'_>); 2] = [
        ("http_server_request_duration_seconds", "Duration of HTTP server requests.", &http),
        ("kn_serving_invocation_duration_seconds", "The duration of task execution", &invocation),
    ];
    for (name, help, labels) in histograms {
        if durations.values().any(|histogram: &Histogram| 0 < histogram.count()) {
            head(&mut out, name, help, "histogram");
        }
        for (status, histogram) in &durations {
            histogram.write(&mut out, name, &labels(*status));
        }
    }
    if let Some(depth) = pod.queue.depth() {
        let name = "kn_serving_queue_depth";
        head(&mut out, name, "Number of current items in the queue proxy queue", "gauge");
        let _ = writeln!(out, "{name}{{{}}} {depth}", scope(QUEUE, ""));
    }
    let (key, service) = (deployed.key(), &deployed.revision.id.service);
    head(&mut out, "target_info", "Target metadata", "gauge");
    let _ = writeln!(
        out,
        "target_info{{container_name=\"queue-proxy\",k8s_namespace_name=\"{}\",\
         k8s_pod_name=\"{pod}\",kn_configuration_name=\"{service}\",kn_revision_name=\"{}\",\
         kn_service_name=\"{service}\",service_instance_id=\"{pod}\",service_name=\"{service}\",\
         service_version=\"unknown\",telemetry_sdk_language=\"go\",\
         telemetry_sdk_name=\"opentelemetry\",telemetry_sdk_version=\"1.44.0\"}} 1",
        key.namespace,
        key.name,
        pod = pod.name,
    );
    out
}

fn head(out: &mut String, name: &str, help: &str, kind: &str) {
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

fn scope(name: &str, version: &str) -> String {
    format!(
        "otel_scope_name=\"{name}\",otel_scope_schema_url=\"\",otel_scope_version=\"{version}\""
    )
}

fn revision_labels(world: &World, key: &Key) -> String {
    let deployed = world.revision(key);
    let service = deployed.as_ref().map_or("", |one| one.revision.id.service.as_str());
    format!(
        "k8s_namespace_name=\"{}\",kn_configuration_name=\"{service}\",kn_revision_name=\"{}\",\
         kn_service_name=\"{service}\"",
        key.namespace, key.name
    )
}

fn short_labels(deployed: &Deployed) -> String {
    let key = deployed.key();
    format!("k8s_namespace_name=\"{}\",kn_revision_name=\"{}\"", key.namespace, key.name)
}

/// What every process of the control plane exports about itself.
fn process(out: &mut String, pod: &SystemPod, world: &World, app: &str, used: Duration) {
    let uptime = pod.uptime(world.clock).as_secs_f64();
    head(
        out,
        "process_cpu_seconds_total",
        "Total user and system CPU time spent in seconds.",
        "counter",
    );
    let _ = writeln!(out, "process_cpu_seconds_total {}", used.as_secs_f64() + uptime * 0.004);
    head(out, "target_info", "Target metadata", "gauge");
    let _ = writeln!(
        out,
        "target_info{{k8s_namespace_name=\"{SYSTEM}\",k8s_pod_name=\"{}\",service_name=\"{app}\",\
         service_version=\"unknown\",telemetry_sdk_language=\"go\",\
         telemetry_sdk_name=\"opentelemetry\",telemetry_sdk_version=\"1.44.0\"}} 1",
        pod.name
    );
}
