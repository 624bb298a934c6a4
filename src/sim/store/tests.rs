use proptest::prelude::*;

use super::*;

/// What somebody does.
#[derive(Debug, Clone)]
enum Deed {
    Create(u8),
    Spec(u8, u8),
    Label(u8, u8),
    Finalize(u8, bool),
    Delete(u8),
    Remove(u8),
    Compact,
}

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let name = 0_u8..4;
    let deed = prop_oneof![
        3 => name.clone().prop_map(Deed::Create),
        3 => (name.clone(), 0_u8..3).prop_map(|(name, n)| Deed::Spec(name, n)),
        2 => (name.clone(), 0_u8..3).prop_map(|(name, n)| Deed::Label(name, n)),
        1 => (name.clone(), any::<bool>()).prop_map(|(name, is)| Deed::Finalize(name, is)),
        2 => name.clone().prop_map(Deed::Delete),
        1 => name.prop_map(Deed::Remove),
        1 => Just(Deed::Compact),
    ];
    prop::collection::vec(deed, 0..60)
}

const PODS: &Resource = &resources::PODS;

fn named(name: u8) -> String {
    format!("pod-{name}")
}

/// Does it; what cannot be done is refused, and that is right too.
fn act(store: &mut Store, deed: &Deed) {
    let change = |store: &mut Store, name: u8, change: &dyn Fn(&mut Value)| {
        let _ = store.modify(&resources::PODS, "n", &named(name), change);
    };
    match deed {
        Deed::Create(name) => {
            let pod = json!({ "metadata": { "name": named(*name), "namespace": "n" } });
            let _ = store.create(&resources::PODS, pod);
        }
        Deed::Spec(name, n) => change(store, *name, &|pod| pod["spec"] = json!({ "n": n })),
        Deed::Label(name, n) => {
            change(store, *name, &|pod| pod["metadata"]["labels"] = json!({ "n": n }));
        }
        Deed::Finalize(name, is) => {
            let list = if *is { json!(["keep"]) } else { json!([]) };
            change(store, *name, &|pod| pod["metadata"]["finalizers"] = list.clone());
        }
        Deed::Delete(name) => {
            let _ = store.delete(&resources::PODS, "n", &named(*name), None);
        }
        Deed::Remove(name) => {
            let _ = store.remove(&resources::PODS, "n", &named(*name));
        }
        Deed::Compact => store.compact(),
    }
}

fn version(object: &Value) -> u64 {
    meta_text(object, "resourceVersion").parse().unwrap()
}

fn generation(object: &Value) -> u64 {
    object["metadata"]["generation"].as_u64().unwrap()
}

proptest! {
    /// Who listed at some time and heard all changes since knows what a new listing says.
    #[test]
    fn a_list_and_its_changes_are_a_newer_list(before in deeds(), after in deeds()) {
        let mut store = Store::with_history(Clock::start(), 1, 1000);
        for deed in &before {
            act(&mut store, deed);
        }
        let began = store.version();
        let mut known: BTreeMap<String, Rc<Value>> = BTreeMap::new();
        for object in store.list(PODS, None) {
            known.insert(meta_text(&object, "name").to_owned(), object);
        }
        for deed in after.iter().filter(|deed| !matches!(deed, Deed::Compact)) {
            act(&mut store, deed);
        }
        let mut last = began;
        for change in store.since(began).unwrap() {
            prop_assert!(last < change.version, "each change has a version of its own");
            prop_assert_eq!(version(&change.object), change.version);
            last = change.version;
            let name = meta_text(&change.object, "name").to_owned();
            let before = match change.verb {
                Verb::Deleted => known.remove(&name),
                Verb::Added | Verb::Modified => known.insert(name, Rc::clone(&change.object)),
            };
            prop_assert_eq!(&before, &change.before);
            prop_assert_eq!(before.is_none(), change.verb == Verb::Added);
            if let Some(before) = before {
                prop_assert_eq!(&before["metadata"]["uid"], &change.object["metadata"]["uid"]);
                let is_other = before.get("spec") != change.object.get("spec");
                let grown = generation(&change.object) - generation(&before);
                prop_assert_eq!(grown, u64::from(is_other), "it counts changes of the spec");
            }
        }
        prop_assert_eq!(last, store.version());
        let listed = store.list(PODS, Some("n"));
        prop_assert_eq!(known.into_values().collect::<Vec<_>>(), listed);
    }

    /// What is forgotten is said to be, and never told in part.
    #[test]
    fn history_is_whole_or_refused(deeds in deeds(), n_history in 1_usize..10) {
        let mut store = Store::with_history(Clock::start(), 1, n_history);
        let began = store.version();
        for deed in &deeds {
            act(&mut store, deed);
        }
        for asked in began..=store.version() {
            match store.since(asked) {
                Ok(changes) => {
                    let versions: Vec<_> = changes.map(|change| change.version).collect();
                    let whole: Vec<_> = (asked + 1..=store.version()).collect();
                    prop_assert_eq!(versions, whole);
                }
                Err(status) => prop_assert_eq!(status.code(), 410),
            }
        }
        prop_assert!(store.since(store.version()).is_ok());
    }
}

#[test]
fn what_is_owned_goes_with_its_last_owner() {
    let mut store = Store::new(Clock::start(), 1);
    let mut make = |resource: &'static Resource, name: &str, owners: &[&Value]| {
        let owners: Vec<_> = owners.iter().map(|owner| owner_reference(owner)).collect();
        let meta = json!({ "name": name, "namespace": "n", "ownerReferences": owners });
        store.create(resource, json!({ "metadata": meta })).unwrap()
    };
    let first = make(&resources::KSERVICES, "first", &[]);
    let second = make(&resources::KSERVICES, "second", &[]);
    let middle = make(&resources::DEPLOYMENTS, "middle", &[&first]);
    make(&resources::REPLICA_SETS, "below", &[&middle]);
    make(&resources::CONFIG_MAPS, "shared", &[&first, &second]);
    make(&resources::CONFIG_MAPS, "free", &[]);
    let left = |store: &Store| {
        let all = [&resources::DEPLOYMENTS, &resources::REPLICA_SETS, &resources::CONFIG_MAPS];
        let all = all.into_iter().flat_map(|resource| store.list(resource, None));
        all.map(|object| meta_text(&object, "name").to_owned()).collect::<Vec<_>>()
    };
    store.delete(&resources::KSERVICES, "n", "first", None).unwrap();
    assert_eq!(left(&store), ["free", "shared"]);
    store.delete(&resources::KSERVICES, "n", "second", None).unwrap();
    assert_eq!(left(&store), ["free"]);
}

#[test]
fn finalizers_and_grace_delay_the_end() {
    let mut store = Store::new(Clock::start(), 1);
    let meta = json!({ "name": "a", "namespace": "n", "finalizers": ["keep"] });
    store.create(&resources::CONFIG_MAPS, json!({ "metadata": meta })).unwrap();
    store.delete(&resources::CONFIG_MAPS, "n", "a", None).unwrap();
    assert!(is_terminating(&store.get(&resources::CONFIG_MAPS, "n", "a").unwrap()));
    let release = |map: &mut Value| map["metadata"]["finalizers"] = json!([]);
    store.modify(&resources::CONFIG_MAPS, "n", "a", release).unwrap();
    assert_eq!(store.get(&resources::CONFIG_MAPS, "n", "a"), None);

    let pod = json!({
        "metadata": { "generateName": "p-", "namespace": "n" },
        "spec": { "terminationGracePeriodSeconds": 5 },
    });
    let pod = store.create(PODS, pod).unwrap();
    let name = meta_text(&pod, "name");
    assert_eq!(name.len(), "p-".len() + 5);
    let going = store.delete(PODS, "n", name, None).unwrap();
    assert_eq!(going["metadata"]["deletionGracePeriodSeconds"], 5);
    assert_eq!(store.delete(PODS, "n", name, None).unwrap(), going, "once is enough");
    store.delete(PODS, "n", name, Some(Duration::ZERO)).unwrap();
    assert_eq!(store.get(PODS, "n", name), None);
}
