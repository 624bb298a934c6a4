//! Which cluster, found as kubectl finds it, and a client for it.
//!
//! Two things differ from the library's defaults. A credential plugin never gets the terminal:
//! the screen is there, and a question asked behind it would hang. And nothing is retried below
//! us: each source waits in its own way and says what went wrong.

use std::env;
use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;

use http::HeaderValue;
use http::header::USER_AGENT;
use kube::Client;
use kube::Config;
use kube::client::AuthError;
use kube::config::ExecInteractiveMode;
use kube::config::KubeConfigOptions;
use kube::config::Kubeconfig;
use kube::config::KubeconfigError;
use thiserror::Error as ThisError;

use crate::units::clean;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// What the command line says of the cluster; `None` leaves it to the kubeconfig.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClusterOptions {
    /// `--kubeconfig`: this file alone.
    pub kubeconfig: Option<PathBuf>,
    /// `--context`.
    pub context: Option<String>,
    /// `--namespace`.
    pub namespace: Option<String>,
}

/// A cluster that can be asked.
#[derive(Clone)]
pub struct Cluster {
    /// Asks it.
    pub client: Client,
    /// The context's name; `in-cluster` inside a pod.
    pub context: String,
    /// The namespace where none is named.
    pub namespace: String,
    /// The API server's address.
    pub server: String,
}

/// Why there is no client.
#[derive(Debug, ThisError)]
pub enum ClusterError {
    /// No file, and not inside a pod.
    #[error(
        "no kubeconfig at {0}, and this is not a pod: name one with --kubeconfig or KUBECONFIG"
    )]
    NoKubeconfig(String),
    /// A file that cannot be read.
    #[error("the kubeconfig cannot be used: {0}")]
    Kubeconfig(#[from] KubeconfigError),
    /// No context chosen.
    #[error("the kubeconfig has no current context: choose one with --context ({0})")]
    NoContext(String),
    /// No such context.
    #[error("there is no context {name:?} in the kubeconfig: it has {known}")]
    UnknownContext {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// Inside a pod, without its credentials.
    #[error("the pod's credentials cannot be read: {0}")]
    InCluster(String),
    /// A credential plugin failed, or would have asked a question.
    #[error(
        "no credentials for context {context:?}: {reason}: log in once with `kubectl --context {context} get pods`, then try again"
    )]
    Plugin {
        /// The context.
        context: String,
        /// What it said.
        reason: String,
    },
    /// Certificates, proxies and the like.
    #[error("no connection can be made with context {context:?}: {reason}")]
    Client {
        /// The context.
        context: String,
        /// Why.
        reason: String,
    },
}

impl Cluster {
    /// A client for the cluster that kubectl would use with these options. Nothing is asked of the
    /// API server yet, but a credential plugin may run.
    pub async fn connect(options: &ClusterOptions) -> Result<Self, ClusterError> {
        // Both our TLS clients want one; a second call changes nothing.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (mut config, context) = match load(options)? {
            Some(kubeconfig) => from_kubeconfig(kubeconfig, options).await?,
            None => in_cluster()?,
        };
        config.default_retry = false;
        config.connect_timeout = Some(CONNECT_TIMEOUT);
        // So that whoever reads the API server's audit log knows us.
        let own_name = HeaderValue::from_static(concat!("rampscope/", env!("CARGO_PKG_VERSION")));
        config.headers.push((USER_AGENT, own_name));
        if let Some(namespace) = &options.namespace {
            config.default_namespace.clone_from(namespace);
        }
        let (namespace, server) =
            (config.default_namespace.clone(), config.cluster_url.to_string());
        // A credential plugin is run here, and waited for.
        let made = tokio::task::spawn_blocking(move || Client::try_from(config)).await;
        let client = match made {
            Ok(Ok(client)) => client,
            Ok(Err(kube::Error::Auth(error))) => {
                return Err(ClusterError::Plugin { context, reason: words(&error) });
            }
            Ok(Err(error)) => {
                return Err(ClusterError::Client { context, reason: words(&error) });
            }
            Err(error) => {
                return Err(ClusterError::Client { context, reason: error.to_string() });
            }
        };
        Ok(Self { client, context, namespace, server })
    }

    /// The cluster at an address that asks for no credentials: the embedded one.
    pub fn at(url: &str, context: &str) -> Result<Self, ClusterError> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let error = |reason: String| ClusterError::Client { context: context.to_owned(), reason };
        let mut config =
            Config::new(url.parse().map_err(|_| error(format!("{url:?} is no address")))?);
        config.default_retry = false;
        config.connect_timeout = Some(CONNECT_TIMEOUT);
        let client =
            Client::try_from(config).map_err(|failed| error(crate::tasks::chain(&failed)))?;
        Ok(Self { server: url.to_owned(), ..Self::from_client(client, context) })
    }

    /// A cluster behind a client that exists already: for tests and for the embedded one.
    pub fn from_client(client: Client, context: impl Into<String>) -> Self {
        let namespace = client.default_namespace().to_owned();
        Self { client, context: context.into(), namespace, server: String::new() }
    }
}

/// The merged kubeconfig; `None` if there is no file but we are in a pod.
fn load(options: &ClusterOptions) -> Result<Option<Kubeconfig>, ClusterError> {
    if let Some(path) = &options.kubeconfig {
        return Ok(Some(Kubeconfig::read_from(path)?));
    }
    let listed: Vec<PathBuf> = env::var_os("KUBECONFIG")
        .map(|list| env::split_paths(&list).filter(|path| !path.as_os_str().is_empty()).collect())
        .unwrap_or_default();
    let paths = if listed.is_empty() {
        env::home_dir().map(|home| home.join(".kube").join("config")).into_iter().collect()
    } else {
        listed
    };
    let merged = merge(&paths)?;
    if merged.is_none() && env::var_os("KUBERNETES_SERVICE_HOST").is_none() {
        let places: Vec<_> = paths.iter().map(|path| path.display().to_string()).collect();
        return Err(ClusterError::NoKubeconfig(places.join(", ")));
    }
    Ok(merged)
}

/// The files as one; the first that says a thing wins. As kubectl does, files that are not there
/// are skipped.
fn merge(paths: &[PathBuf]) -> Result<Option<Kubeconfig>, KubeconfigError> {
    let mut merged: Option<Kubeconfig> = None;
    for path in paths.iter().filter(|path| path.exists()) {
        let next = Kubeconfig::read_from(path)?;
        merged = Some(match merged {
            Some(first) => first.merge(next)?,
            None => next,
        });
    }
    Ok(merged)
}

async fn from_kubeconfig(
    mut kubeconfig: Kubeconfig,
    options: &ClusterOptions,
) -> Result<(Config, String), ClusterError> {
    let mut known: Vec<_> = kubeconfig.contexts.iter().map(|one| one.name.clone()).collect();
    known.sort();
    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    let current = kubeconfig.current_context.clone().filter(|name| !name.is_empty());
    let Some(context) = options.context.clone().or(current) else {
        return Err(ClusterError::NoContext(known));
    };
    if !kubeconfig.contexts.iter().any(|one| one.name == context) {
        return Err(ClusterError::UnknownContext { name: context, known });
    }
    keep_plugins_off_the_terminal(&mut kubeconfig);
    let chosen = KubeConfigOptions { context: Some(context.clone()), ..Default::default() };
    Ok((Config::from_custom_kubeconfig(kubeconfig, &chosen).await?, context))
}

/// The library gives a plugin our stdin and stderr unless it is said to be non-interactive; then
/// it gets an empty stdin, and what it says on stderr is kept for the error.
fn keep_plugins_off_the_terminal(kubeconfig: &mut Kubeconfig) {
    let users = kubeconfig.auth_infos.iter_mut().filter_map(|user| user.auth_info.as_mut());
    for exec in users.filter_map(|user| user.exec.as_mut()) {
        exec.interactive_mode = Some(ExecInteractiveMode::Never);
    }
}

fn in_cluster() -> Result<(Config, String), ClusterError> {
    match Config::incluster() {
        Ok(config) => Ok((config, "in-cluster".to_owned())),
        Err(error) => Err(ClusterError::InCluster(error.to_string())),
    }
}

/// An error of the client in one line. Of a credential plugin only what it said last on stderr is
/// shown: its stdout may hold a token.
pub(crate) fn words(error: &(dyn Error + 'static)) -> String {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(AuthError::AuthExecRun { out, .. }) = error.downcast_ref() {
            let said = String::from_utf8_lossy(&out.stderr);
            let last = said.lines().rev().map(str::trim).find(|line| !line.is_empty());
            let last = clean(last.unwrap_or("nothing"), 160);
            return format!("the credential plugin failed and said: {last}");
        }
        cause = error.source();
    }
    clean(&crate::tasks::chain(error), 200)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn options(text: &str) -> (tempfile::NamedTempFile, ClusterOptions) {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        let kubeconfig = Some(file.path().to_owned());
        (file, ClusterOptions { kubeconfig, ..ClusterOptions::default() })
    }

    fn kubeconfig(current: &str, exec: &str) -> String {
        format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: {current:?}\n\
             clusters: [{{name: c, cluster: {{server: \"http://127.0.0.1:1\"}}}}]\n\
             contexts:\n- {{name: one, context: {{cluster: c, user: u, namespace: here}}}}\n\
             - {{name: two, context: {{cluster: c, user: u}}}}\n\
             users: [{{name: u, user: {exec}}}]\n"
        )
    }

    async fn error_of(options: &ClusterOptions) -> String {
        match Cluster::connect(options).await {
            Ok(cluster) => panic!("connected to {}", cluster.context),
            Err(error) => error.to_string(),
        }
    }

    #[tokio::test]
    async fn contexts_and_namespaces_are_chosen_as_kubectl_chooses_them() {
        let (_file, mut options) = options(&kubeconfig("one", "{}"));
        let cluster = Cluster::connect(&options).await.unwrap();
        assert_eq!((cluster.context.as_str(), cluster.namespace.as_str()), ("one", "here"));
        options.context = Some("two".to_owned());
        let cluster = Cluster::connect(&options).await.unwrap();
        assert_eq!((cluster.context.as_str(), cluster.namespace.as_str()), ("two", "default"));
        options.namespace = Some("there".to_owned());
        assert_eq!(Cluster::connect(&options).await.unwrap().namespace, "there");
        options.context = Some("three".to_owned());
        assert!(error_of(&options).await.ends_with("it has one, two"));
    }

    #[test]
    fn of_a_list_of_files_the_first_wins() {
        let (first, _) = options(&kubeconfig("two", "{}"));
        let (second, _) = options(&kubeconfig("one", "{token: t}").replace("one", "three"));
        let missing = PathBuf::from("there/is/no/such/file");
        let paths = [missing.clone(), first.path().to_owned(), second.path().to_owned()];
        let merged = merge(&paths).unwrap().unwrap();
        assert_eq!(merged.current_context.as_deref(), Some("two"));
        let mut names: Vec<_> = merged.contexts.iter().map(|one| one.name.as_str()).collect();
        names.sort_unstable();
        assert_eq!(names, ["one", "three", "two"]);
        assert!(merge(&[missing]).unwrap().is_none());
    }

    #[tokio::test]
    async fn errors_say_what_to_do() {
        let (_file, options) = options(&kubeconfig("", "{}"));
        assert!(error_of(&options).await.contains("choose one with --context (one, two)"));
    }

    #[tokio::test]
    async fn a_plugin_has_no_terminal_and_its_token_is_not_shown() {
        // It fails unless its stdin is empty, and says so where nobody but the error can hear it.
        let exec = r#"{exec: {apiVersion: client.authentication.k8s.io/v1, interactiveMode: Always,
            command: sh, args: [-c, "echo secret-token; read line && exit 3; echo please log in >&2; exit 1"]}}"#;
        let (_file, options) = options(&kubeconfig("one", exec));
        let error = error_of(&options).await;
        assert!(error.contains("please log in"), "{error}");
        assert!(!error.contains("secret-token"), "{error}");
    }

    #[tokio::test]
    async fn a_plugin_gives_a_token() {
        let exec = r#"{exec: {apiVersion: client.authentication.k8s.io/v1, command: sh, args: [-c,
            'echo ''{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"t"}}''']}}"#;
        let (_file, options) = options(&kubeconfig("one", exec));
        Cluster::connect(&options).await.unwrap();
    }
}
