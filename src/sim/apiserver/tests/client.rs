//! What `kube` makes of the server, over HTTP.

use futures::StreamExt;
use futures::TryStreamExt;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::DeleteParams;
use kube::api::ListParams;
use kube::api::Patch;
use kube::api::PatchParams;
use kube::api::PostParams;
use kube::api::WatchParams;
use kube::runtime::watcher;

use super::*;
use crate::sim::door::Door;

/// The API as `kube` knows it, over HTTP.
fn api(rig: &Rig) -> Api<ConfigMap> {
    let (door, mut streams) = Door::new();
    let server = Rc::clone(&rig.server);
    task::detach(async move {
        while let Some(stream) = streams.recv().await {
            task::detach(Rc::clone(&server).serve(stream));
        }
    });
    let service = tower::service_fn(move |request| {
        let door = door.clone();
        async move { door.send::<kube::client::Body>(request).await }
    });
    Api::namespaced(kube::Client::new(service, "n"), "n")
}

/// What a watcher of `kube` makes of the server, in short.
fn event(event: watcher::Event<ConfigMap>) -> String {
    let name = |map: ConfigMap| map.metadata.name.unwrap();
    match event {
        watcher::Event::Init => "init".to_owned(),
        watcher::Event::InitApply(map) => format!("init {}", name(map)),
        watcher::Event::InitDone => "done".to_owned(),
        watcher::Event::Apply(map) => format!("+{}", name(map)),
        watcher::Event::Delete(map) => format!("-{}", name(map)),
    }
}

#[tokio::test(start_paused = true)]
async fn kube_watches_it_both_ways_and_lists_anew_after_410() {
    for streams in [false, true] {
        LocalSet::new()
            .run_until(async {
                let rig = Rig::new();
                let mut config = watcher::Config::default().timeout(60).page_size(2);
                if streams {
                    config = config.streaming_lists();
                }
                let mut events = watcher(api(&rig), config).map_ok(event).boxed();
                let mut next = async |n: usize| -> Vec<String> {
                    events.by_ref().take(n).try_collect().await.unwrap()
                };
                let expected = ["init", "init a", "init b", "init c", "done"];
                assert_eq!(next(5).await, expected, "streams: {streams}");
                // Longer than one watch lasts.
                let changes = async {
                    secs(200).await;
                    rig.label("a", "x");
                    rig.remove("b");
                };
                assert_eq!(tokio::join!(next(2), changes).0, ["+a", "-b"]);
                rig.faults.end_watches_with_410();
                let error = events.next().await.unwrap().unwrap_err();
                assert!(format!("{error:?}").contains("410"), "{error:?}");
                let again: Vec<_> = events.take(4).try_collect().await.unwrap();
                assert_eq!(again, ["init", "init a", "init c", "done"]);
            })
            .await;
    }
}

#[tokio::test(start_paused = true)]
async fn kube_writes() {
    LocalSet::new()
        .run_until(async {
            let rig = Rig::new();
            let api = api(&rig);
            let patch = json!({ "data": { "key": "1" } });
            let params = PatchParams::default();
            let map = api.patch("a", &params, &Patch::Merge(&patch)).await.unwrap();
            assert_eq!(map.data.unwrap()["key"], "1");
            let params = PatchParams::apply("test");
            let new = json!({
                "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "new" },
                "data": { "a": "1" },
            });
            let map = api.patch("new", &params, &Patch::Apply(&new)).await.unwrap();
            assert_eq!(map.metadata.namespace.unwrap(), "n");
            let mut map = api.get("new").await.unwrap();
            map.data.get_or_insert_default().insert("b".to_owned(), "2".to_owned());
            let replaced = api.replace("new", &PostParams::default(), &map).await.unwrap();
            let conflict = api.replace("new", &PostParams::default(), &map).await;
            assert!(matches!(conflict, Err(kube::Error::Api(status)) if status.code == 409));
            assert_eq!(replaced.data.unwrap().len(), 2);
            api.delete("new", &DeleteParams::default()).await.unwrap();
            let all = ListParams::default().labels("is in (a,b)");
            api.delete_collection(&DeleteParams::default(), &all).await.unwrap();
            let left = api.list(&ListParams::default()).await.unwrap();
            let left: Vec<_> = left.into_iter().map(|map| map.metadata.name.unwrap()).collect();
            assert_eq!(left, ["c"]);
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn faults_of_the_server_come_and_go() {
    LocalSet::new()
        .run_until(async {
            let rig = Rig::new();
            let api = api(&rig);
            rig.faults.slow_list(Duration::from_secs(5));
            let begin = rig.now();
            api.list(&ListParams::default()).await.unwrap();
            assert_eq!(rig.now().since(begin).as_secs(), 5);
            let mut watch = api.watch(&WatchParams::default(), "0").await.unwrap().boxed();
            for _ in 0..3 {
                watch.next().await.unwrap().unwrap();
            }
            rig.faults.api_gone(true);
            assert!(watch.next().await.is_none_or(|item| item.is_err()), "it was cut off");
            assert!(api.get("a").await.is_err());
            rig.faults.api_gone(false);
            api.get("a").await.unwrap();
        })
        .await;
}
