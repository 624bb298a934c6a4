//! What stands in the cells of `kubectl get`, as the real server works it out.

use serde_json::Value;

use crate::units::UnixMicros;

/// So many endpoints are named; the others are counted.
const MOST_ENDPOINTS: usize = 3;

fn list<'a>(object: &'a Value, path: &str) -> impl Iterator<Item = &'a Value> + Clone {
    object.pointer(path).and_then(Value::as_array).into_iter().flatten()
}

fn text<'a>(object: &'a Value, path: &str) -> &'a str {
    object.pointer(path).and_then(Value::as_str).unwrap_or_default()
}

fn count(object: &Value, path: &str) -> u64 {
    object.pointer(path).and_then(Value::as_u64).unwrap_or(0)
}

/// The text, or `<none>`.
fn or_none(text: impl Into<String>) -> Value {
    let text = text.into();
    if text.is_empty() { "<none>".into() } else { text.into() }
}

fn joined<T: AsRef<str>>(parts: impl Iterator<Item = T>) -> String {
    parts.fold(String::new(), |mut all, part| {
        if !all.is_empty() {
            all.push(',');
        }
        all.push_str(part.as_ref());
        all
    })
}

/// A span as Kubernetes says it: the longer the coarser.
fn human(from: &str, now: UnixMicros) -> Value {
    let Some(from) = UnixMicros::parse(from) else { return "<unknown>".into() };
    let secs = now.0.saturating_sub(from.0).max(0).unsigned_abs() / 1_000_000;
    let (mins, hours, days) = (secs / 60, secs / 3600, secs / 86400);
    let two = |big: u64, unit: char, small: u64, fine: char| {
        if small == 0 { format!("{big}{unit}") } else { format!("{big}{unit}{small}{fine}") }
    };
    let text = match () {
        () if secs < 120 => format!("{secs}s"),
        () if mins < 10 => two(mins, 'm', secs % 60, 's'),
        () if mins < 180 => format!("{mins}m"),
        () if hours < 8 => two(hours, 'h', mins % 60, 'm'),
        () if hours < 48 => format!("{hours}h"),
        () if days < 8 => two(days, 'd', hours % 24, 'h'),
        () if days < 730 => format!("{days}d"),
        () if days < 2920 => two(days / 365, 'y', days % 365, 'd'),
        () => format!("{}y", days / 365),
    };
    text.into()
}

pub(crate) fn age(object: &Value, now: UnixMicros) -> Value {
    human(text(object, "/metadata/creationTimestamp"), now)
}

pub(crate) fn none(_: &Value, _: UnixMicros) -> Value {
    "<none>".into()
}

pub(crate) fn name(object: &Value, _: UnixMicros) -> Value {
    object["metadata"]["name"].clone()
}

fn condition<'a>(object: &'a Value, kind: &str, field: &str) -> Option<&'a Value> {
    list(object, "/status/conditions").find(|one| one["type"] == kind)?.get(field)
}

pub(crate) fn ready(object: &Value, _: UnixMicros) -> Value {
    condition(object, "Ready", "status").cloned().unwrap_or_default()
}

pub(crate) fn reason(object: &Value, _: UnixMicros) -> Value {
    condition(object, "Ready", "reason").cloned().unwrap_or_default()
}

pub(crate) fn pod_ready(pod: &Value, _: UnixMicros) -> Value {
    let n = list(pod, "/spec/containers").count();
    let n_ready =
        list(pod, "/status/containerStatuses").filter(|status| status["ready"] == true).count();
    format!("{n_ready}/{n}").into()
}

pub(crate) fn pod_status(pod: &Value, _: UnixMicros) -> Value {
    if !text(pod, "/metadata/deletionTimestamp").is_empty() {
        return "Terminating".into();
    }
    // The first container that does not run says why.
    let mut troubles = list(pod, "/status/containerStatuses").flat_map(|status| {
        let reason = |state: &str| status["state"][state]["reason"].as_str();
        [reason("waiting"), reason("terminated")]
    });
    let phase = text(pod, "/status/phase");
    let trouble = troubles.find_map(|reason| reason.filter(|reason| !reason.is_empty()));
    trouble.unwrap_or(phase).into()
}

pub(crate) fn restarts(pod: &Value, _: UnixMicros) -> Value {
    let all = list(pod, "/status/containerStatuses").map(|one| count(one, "/restartCount"));
    all.sum::<u64>().to_string().into()
}

pub(crate) fn pod_ip(pod: &Value, _: UnixMicros) -> Value {
    or_none(text(pod, "/status/podIP"))
}

pub(crate) fn pod_node(pod: &Value, _: UnixMicros) -> Value {
    or_none(text(pod, "/spec/nodeName"))
}

pub(crate) fn external_ip(service: &Value, _: UnixMicros) -> Value {
    match text(service, "/spec/type") {
        "ExternalName" => text(service, "/spec/externalName").into(),
        "LoadBalancer" => {
            let all = list(service, "/status/loadBalancer/ingress");
            let all = joined(all.filter_map(|one| one["ip"].as_str().or(one["hostname"].as_str())));
            if all.is_empty() { "<pending>".into() } else { all.into() }
        }
        _ => "<none>".into(),
    }
}

pub(crate) fn ports(service: &Value, _: UnixMicros) -> Value {
    let ports = list(service, "/spec/ports").map(|port| {
        let number = count(port, "/port");
        let protocol = port["protocol"].as_str().unwrap_or("TCP");
        match count(port, "/nodePort") {
            0 => format!("{number}/{protocol}"),
            node => format!("{number}:{node}/{protocol}"),
        }
    });
    or_none(joined(ports))
}

/// The selector of a Service, or of a Deployment or `ReplicaSet`.
pub(crate) fn selector(object: &Value, _: UnixMicros) -> Value {
    let labels = object.pointer("/spec/selector/matchLabels").or_else(|| {
        object.pointer("/spec/selector").filter(|all| all.get("matchExpressions").is_none())
    });
    let labels = labels.and_then(Value::as_object).into_iter().flatten();
    or_none(joined(labels.map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or("")))))
}

/// The first few, and how many more there are.
fn few(all: &[String]) -> Value {
    let first = joined(all.iter().take(MOST_ENDPOINTS));
    match all.len().checked_sub(MOST_ENDPOINTS) {
        Some(n_more @ 1..) => format!("{first} + {n_more} more...").into(),
        _ => or_none(first),
    }
}

pub(crate) fn endpoints(endpoints: &Value, _: UnixMicros) -> Value {
    let mut all = Vec::new();
    for subset in list(endpoints, "/subsets") {
        for port in list(subset, "/ports") {
            for address in list(subset, "/addresses") {
                all.push(format!("{}:{}", text(address, "/ip"), count(port, "/port")));
            }
        }
    }
    few(&all)
}

pub(crate) fn slice_ports(slice: &Value, _: UnixMicros) -> Value {
    let ports = joined(list(slice, "/ports").map(|port| count(port, "/port").to_string()));
    if ports.is_empty() { "<unset>".into() } else { ports.into() }
}

pub(crate) fn slice_endpoints(slice: &Value, _: UnixMicros) -> Value {
    let all: Vec<_> = list(slice, "/endpoints")
        .flat_map(|one| list(one, "/addresses"))
        .filter_map(|address| address.as_str().map(str::to_owned))
        .collect();
    if all.is_empty() { "<unset>".into() } else { few(&all) }
}

fn first_text<'a>(object: &'a Value, paths: &[&str]) -> &'a str {
    let mut texts = paths.iter().map(|path| text(object, path));
    texts.find(|text| !text.is_empty()).unwrap_or_default()
}

pub(crate) fn last_seen(event: &Value, now: UnixMicros) -> Value {
    let last = first_text(event, &["/series/lastObservedTime", "/lastTimestamp", "/eventTime"]);
    let span = human(last, now);
    let n = count(event, "/series/count").max(count(event, "/count"));
    if n < 2 {
        return span;
    }
    let first = first_seen(event, now);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    format!("{} (x{n} over {})", text(&span), text(&first)).into()
}

pub(crate) fn first_seen(event: &Value, now: UnixMicros) -> Value {
    human(first_text(event, &["/firstTimestamp", "/eventTime"]), now)
}

pub(crate) fn involved(event: &Value, _: UnixMicros) -> Value {
    let kind = text(event, "/involvedObject/kind").to_lowercase();
    format!("{kind}/{}", text(event, "/involvedObject/name")).into()
}

pub(crate) fn sub_object(event: &Value, _: UnixMicros) -> Value {
    text(event, "/involvedObject/fieldPath").into()
}

pub(crate) fn source(event: &Value, _: UnixMicros) -> Value {
    let component = first_text(event, &["/source/component", "/reportingComponent"]);
    let host = first_text(event, &["/source/host", "/reportingInstance"]);
    joined([component, host].into_iter().filter(|part| !part.is_empty())).replace(',', ", ").into()
}

pub(crate) fn message(event: &Value, _: UnixMicros) -> Value {
    text(event, "/message").trim().into()
}

pub(crate) fn event_count(event: &Value, _: UnixMicros) -> Value {
    count(event, "/series/count").max(count(event, "/count")).max(1).into()
}

pub(crate) fn data(object: &Value, _: UnixMicros) -> Value {
    let n = |field: &str| object[field].as_object().map_or(0, serde_json::Map::len);
    (n("data") + n("binaryData")).to_string().into()
}

pub(crate) fn node_status(node: &Value, _: UnixMicros) -> Value {
    let is_ready = condition(node, "Ready", "status").is_some_and(|status| status == "True");
    let status = if is_ready { "Ready" } else { "NotReady" };
    if node["spec"]["unschedulable"] == true {
        return format!("{status},SchedulingDisabled").into();
    }
    status.into()
}

pub(crate) fn roles(node: &Value, _: UnixMicros) -> Value {
    let labels = node["metadata"]["labels"].as_object().into_iter().flatten();
    let roles = labels.filter_map(|(key, _)| key.strip_prefix("node-role.kubernetes.io/"));
    or_none(joined(roles))
}

pub(crate) fn internal_ip(node: &Value, _: UnixMicros) -> Value {
    let mut all = list(node, "/status/addresses").filter(|one| one["type"] == "InternalIP");
    or_none(all.next().map_or("", |one| text(one, "/address")))
}

fn node_info(node: &Value, field: &str) -> Value {
    let info = text(&node["status"]["nodeInfo"], field);
    if info.is_empty() { "<unknown>".into() } else { info.into() }
}

pub(crate) fn os_image(node: &Value, _: UnixMicros) -> Value {
    node_info(node, "/osImage")
}

pub(crate) fn kernel(node: &Value, _: UnixMicros) -> Value {
    node_info(node, "/kernelVersion")
}

pub(crate) fn runtime(node: &Value, _: UnixMicros) -> Value {
    node_info(node, "/containerRuntimeVersion")
}

pub(crate) fn replicas_ready(deployment: &Value, _: UnixMicros) -> Value {
    let ready = count(deployment, "/status/readyReplicas");
    format!("{ready}/{}", count(deployment, "/spec/replicas")).into()
}

pub(crate) fn updated(deployment: &Value, _: UnixMicros) -> Value {
    count(deployment, "/status/updatedReplicas").into()
}

pub(crate) fn available(deployment: &Value, _: UnixMicros) -> Value {
    count(deployment, "/status/availableReplicas").into()
}

pub(crate) fn current(set: &Value, _: UnixMicros) -> Value {
    count(set, "/status/replicas").into()
}

pub(crate) fn n_ready(set: &Value, _: UnixMicros) -> Value {
    count(set, "/status/readyReplicas").into()
}

pub(crate) fn containers(object: &Value, _: UnixMicros) -> Value {
    let all = list(object, "/spec/template/spec/containers");
    or_none(joined(all.map(|one| text(one, "/name"))))
}

pub(crate) fn images(object: &Value, _: UnixMicros) -> Value {
    let all = list(object, "/spec/template/spec/containers");
    or_none(joined(all.map(|one| text(one, "/image"))))
}

pub(crate) fn reference(hpa: &Value, _: UnixMicros) -> Value {
    let target = &hpa["spec"]["scaleTargetRef"];
    format!("{}/{}", text(target, "/kind"), text(target, "/name")).into()
}

/// So many metrics of an autoscaler are told; the others are counted.
const MOST_METRICS: usize = 2;

/// `cpu: 746%/50%`, `33m/5 (avg)`: each metric with its target.
pub(crate) fn targets(hpa: &Value, _: UnixMicros) -> Value {
    let all: Vec<_> = list(hpa, "/spec/metrics").collect();
    let told = all
        .iter()
        .take(MOST_METRICS)
        .enumerate()
        .map(|(idx, metric)| target(metric, &hpa["status"]["currentMetrics"][idx]));
    let told: Vec<_> = told.collect();
    let rest = all.len().saturating_sub(MOST_METRICS);
    let more = if rest == 0 { String::new() } else { format!(" + {rest} more...") };
    or_none(format!("{}{more}", told.join(", ")))
}

fn target(metric: &Value, status: &Value) -> String {
    let (part, is_of_pods) = match text(metric, "/type") {
        "Resource" => ("resource", true),
        "ContainerResource" => ("containerResource", true),
        "Pods" => ("pods", false),
        "Object" => ("object", false),
        "External" => ("external", false),
        _ => return "<unknown type>".to_owned(),
    };
    let (goal, current) = (&metric[part]["target"], &status[part]["current"]);
    let amount = |value: &Value, field: &str, unit: &str, none: &str| match &value[field] {
        Value::String(text) => text.clone(),
        Value::Number(number) => format!("{number}{unit}"),
        _ => none.to_owned(),
    };
    let pair = |field: &str, unit: &str| {
        let current = amount(current, field, unit, "<unknown>");
        format!("{current}/{}", amount(goal, field, unit, "<auto>"))
    };
    let has_average = !goal["averageValue"].is_null();
    match (is_of_pods, has_average) {
        (true, true) => {
            format!("{}: {}", text(metric, &format!("/{part}/name")), pair("averageValue", ""))
        }
        (true, false) => {
            format!(
                "{}: {}",
                text(metric, &format!("/{part}/name")),
                pair("averageUtilization", "%")
            )
        }
        (false, true) if part == "pods" => pair("averageValue", ""),
        (false, true) => format!("{} (avg)", pair("averageValue", "")),
        (false, false) => pair("value", ""),
    }
}

pub(crate) fn active(object: &Value, _: UnixMicros) -> Value {
    condition(object, "Active", "status").cloned().unwrap_or_default()
}

pub(crate) fn fallback(object: &Value, _: UnixMicros) -> Value {
    condition(object, "Fallback", "status").cloned().unwrap_or_default()
}

pub(crate) fn paused(object: &Value, _: UnixMicros) -> Value {
    condition(object, "Paused", "status").cloned().unwrap_or_default()
}

/// The sum over containers, in the unit that metrics-server uses.
fn usage(object: &Value, resource: &str, suffix: &str) -> Value {
    let of = |one: &Value| {
        let text = one["usage"][resource].as_str().unwrap_or_default();
        text.strip_suffix(suffix).and_then(|digits| digits.parse::<u64>().ok()).unwrap_or(0)
    };
    let sum: u64 = list(object, "/containers").map(of).sum::<u64>() + of(object);
    format!("{sum}{suffix}").into()
}

pub(crate) fn cpu(metrics: &Value, _: UnixMicros) -> Value {
    usage(metrics, "cpu", "n")
}

pub(crate) fn memory(metrics: &Value, _: UnixMicros) -> Value {
    usage(metrics, "memory", "Ki")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: UnixMicros = UnixMicros(4_000_000_000_000_000);

    #[test]
    fn spans_get_coarser_as_they_grow() {
        let table = [
            (0, "0s"),
            (119, "119s"),
            (120, "2m"),
            (599, "9m59s"),
            (600, "10m"),
            (3 * 3600 - 1, "179m"),
            (3 * 3600, "3h"),
            (8 * 3600 - 60, "7h59m"),
            (48 * 3600 - 1, "47h"),
            (2 * 86400, "2d"),
            (8 * 86400 - 3600, "7d23h"),
            (729 * 86400, "729d"),
            (730 * 86400, "2y"),
            (800 * 86400, "2y70d"),
            (3000 * 86400, "8y"),
        ];
        for (secs, expected) in table {
            let from = crate::sim::stamp::seconds(UnixMicros(NOW.0 - secs * 1_000_000));
            assert_eq!(human(&from, NOW), expected, "{secs}");
        }
        assert_eq!(human("", NOW), "<unknown>");
    }

    #[test]
    fn a_pod_says_why_it_does_not_run() {
        let status = |pod: Value| pod_status(&pod, NOW);
        let waiting = json!({ "status": {
            "phase": "Pending",
            "containerStatuses": [{ "state": { "waiting": { "reason": "ContainerCreating" } } }],
        } });
        assert_eq!(status(waiting.clone()), "ContainerCreating");
        let mut going = waiting;
        going["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into();
        assert_eq!(status(going), "Terminating");
        assert_eq!(status(json!({ "status": { "phase": "Running" } })), "Running");
    }

    #[test]
    fn targets_are_told_as_kubectl_tells_them() {
        let external = |target: Value| json!({ "type": "External", "external": { "metric": { "name": "m" }, "target": target } });
        let cpu = json!({ "type": "Resource", "resource": {
            "name": "cpu", "target": { "type": "Utilization", "averageUtilization": 50 } } });
        let current =
            |part: &str, current: Value| json!({ "type": "", part: { "current": current } });
        let table = [
            (json!([]), json!([]), "<none>"),
            (json!([cpu]), json!([]), "cpu: <unknown>/50%"),
            (
                json!([cpu]),
                json!([current(
                    "resource",
                    json!({ "averageUtilization": 746, "averageValue": "1" })
                )]),
                "cpu: 746%/50%",
            ),
            (
                json!([external(json!({ "averageValue": "5" }))]),
                json!([current("external", json!({ "averageValue": "33m" }))]),
                "33m/5 (avg)",
            ),
            (json!([external(json!({ "averageValue": "2" }))]), json!([]), "<unknown>/2 (avg)"),
            (
                json!([external(json!({ "value": "2" })), cpu, cpu]),
                json!([{ "type": "" }]),
                "<unknown>/2, cpu: <unknown>/50% + 1 more...",
            ),
        ];
        for (spec, status, expected) in table {
            let hpa =
                json!({ "spec": { "metrics": spec }, "status": { "currentMetrics": status } });
            assert_eq!(targets(&hpa, NOW), expected);
        }
    }

    #[test]
    fn more_endpoints_than_fit_are_counted() {
        let ip = |n: u8| json!({ "ip": format!("10.0.0.{n}") });
        let object = json!({ "subsets": [{
            "addresses": [ip(1), ip(2), ip(3), ip(4), ip(5)], "ports": [{ "port": 80 }],
        }] });
        let text = "10.0.0.1:80,10.0.0.2:80,10.0.0.3:80 + 2 more...";
        assert_eq!(endpoints(&object, NOW), text);
        assert_eq!(endpoints(&json!({}), NOW), "<none>");
    }
}
