//! Which object a path means.

use crate::sim::resources;
use crate::sim::resources::Resource;
use crate::sim::status::Status;

/// An object, or a collection, or a part of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// What kind.
    pub(crate) resource: &'static Resource,
    /// Where; `None` is everywhere, or that there are no namespaces.
    pub(crate) namespace: Option<String>,
    /// Which; `None` is all.
    pub(crate) name: Option<String>,
    /// Which part.
    pub(crate) subresource: Option<String>,
}

// === impl Place ===

impl Place {
    /// Of the segments behind group and version. What follows a subresource is not looked at.
    pub(crate) fn parse(group: &str, version: &str, rest: &[&str]) -> Result<Self, Status> {
        let (namespace, rest) = match rest {
            ["namespaces", namespace, plural, ..] if !matches!(*plural, "status" | "finalize") => {
                (Some((*namespace).to_owned()), &rest[2..])
            }
            _ => (None, rest),
        };
        let plural = rest.first().ok_or(Status::NoSuchPath)?;
        let resource = resources::find(group, version, plural).ok_or(Status::NoSuchPath)?;
        let name = rest.get(1).map(|name| (*name).to_owned());
        let is_scoped = namespace.is_some() == resource.namespaced;
        // A collection may span all namespaces, an object may not.
        if !is_scoped && (namespace.is_some() || name.is_some()) {
            return Err(Status::NoSuchPath);
        }
        let subresource = rest.get(2).map(|part| (*part).to_owned());
        let ends = matches!(subresource.as_deref(), None | Some("proxy")) || rest.len() == 3;
        if !ends {
            return Err(Status::NoSuchPath);
        }
        Ok(Self { resource, namespace, name, subresource })
    }

    /// `plural.group/subresource`, as RBAC writes it.
    pub(crate) fn qualified(&self) -> String {
        let resource = self.resource.qualified();
        match &self.subresource {
            Some(part) => format!("{resource}/{part}"),
            None => resource,
        }
    }

    /// The namespace as the store wants it.
    pub(crate) fn namespace(&self) -> &str {
        self.namespace.as_deref().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Parts = (String, Option<String>, Option<String>, Option<String>);

    fn parse(path: &str) -> Option<Parts> {
        let parts: Vec<_> = path.split('/').collect();
        let place = match &parts[..] {
            ["api", version, rest @ ..] => Place::parse("", version, rest),
            ["apis", group, version, rest @ ..] => Place::parse(group, version, rest),
            _ => panic!("{path}"),
        };
        let place = place.ok()?;
        Some((place.resource.qualified(), place.namespace, place.name, place.subresource))
    }

    #[test]
    fn paths_mean_what_they_mean_in_kubernetes() {
        let some = |text: &str| Some(text.to_owned());
        let table = [
            ("api/v1/pods", ("pods", None, None, None)),
            ("api/v1/namespaces/n/pods", ("pods", some("n"), None, None)),
            (
                "api/v1/namespaces/n/pods/a:80/proxy/x/y",
                ("pods", some("n"), some("a:80"), some("proxy")),
            ),
            ("api/v1/namespaces", ("namespaces", None, None, None)),
            ("api/v1/namespaces/n", ("namespaces", None, some("n"), None)),
            ("api/v1/namespaces/n/status", ("namespaces", None, some("n"), some("status"))),
            (
                "apis/apps/v1/namespaces/n/deployments/d/scale",
                ("deployments.apps", some("n"), some("d"), some("scale")),
            ),
        ];
        for (path, (resource, namespace, name, subresource)) in table {
            let expected = Some((resource.to_owned(), namespace, name, subresource));
            assert_eq!(parse(path), expected, "{path}");
        }
    }

    #[test]
    fn what_is_nowhere_is_not_found() {
        for path in [
            "api/v1/pods/a",
            "api/v1/namespaces/n/nodes",
            "api/v1/deployments",
            "apis/apps/v2/deployments",
            "api/v1/namespaces/n/pods/a/log/b",
        ] {
            assert_eq!(parse(path), None, "{path}");
        }
    }
}
